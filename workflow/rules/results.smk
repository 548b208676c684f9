# Rows become tables, tables become a summary, figures and a report of all. They take seconds and run
# where Snakemake runs.


rule recommend:
    input:
        settings=f"results/{DATASET}/recommended.settings.yaml",
        cost=f"results/{DATASET}/cost.csv",
        models=lambda w: [
            f"results/{member}/model.safetensors"
            for member in MEMBERS
            if (place := Path(member)).parts[0] == w.dataset
            and place.parts[1] in may_be_recommended(w.dataset)
        ],
    output:
        rows=f"results/{DATASET}/recommended.csv",
        folder=directory("results/recommended/{dataset}"),
    log:
        f"logs/{DATASET}/recommend.log",
    benchmark:
        f"logs/{DATASET}/recommend.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
    shell:
        "mlipkd recommend --settings {input.settings:q} --cost {input.cost:q}"
        " --output {output.rows:q} --folder {output.folder:q} {input.models:q} > {log:q} 2>&1"


rule collect:
    input:
        rows=lambda w: ROWS[w.table],
    output:
        table=report("results/tables/{table}.csv", category="Tables", labels={"table": "{table}"}),
    log:
        "logs/tables/{table}.log",
    benchmark:
        "logs/tables/{table}.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
    shell:
        "mlipkd collect --output {output.table:q} {input.rows:q} > {log:q} 2>&1"


rule summary:
    input:
        tables=[
            f"results/tables/{table}.csv"
            for table, rows in ROWS.items()
            if rows and table not in CURVES
        ],
        manifests=MANIFESTS,
    output:
        summary="results/summary.md",
    log:
        "logs/summary.log",
    benchmark:
        "logs/summary.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    params:
        manifests=MANIFEST_OPTIONS,
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
    shell:
        "mlipkd summary --output {output.summary:q} {params.manifests:q} {input.tables:q}"
        " > {log:q} 2>&1"


rule figure:
    input:
        tables=drawn,
    output:
        figure=report(
            "results/figures/{dataset}/{figure}.svg",
            caption="../report/figure.rst",
            category="{dataset}",
            labels=lambda w: {"figure": TITLES.get(w.figure, w.figure)},
        ),
    log:
        "logs/figures/{dataset}/{figure}.log",
    benchmark:
        "logs/figures/{dataset}/{figure}.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    params:
        families=lambda w: [
            word
            for family in campaign.datasets[w.dataset].families
            for word in ("--family", family)
        ],
        teacher=lambda w: (
            ["--teacher", campaign.datasets[w.dataset].evaluations.rdf.teacher]
            if w.figure == "rdf"
            else []
        ),
        caption=lambda w: (CAPTIONS / f"{w.figure}.rst").read_text(),
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
    shell:
        "mlipkd figure --kind {wildcards.figure:q} --dataset {wildcards.dataset:q}"
        " {params.families:q} {params.teacher:q} --output {output.figure:q} {input.tables:q} > {log:q} 2>&1"


rule report:
    input:
        campaign=CAMPAIGN,
        captions=[CAPTIONS / f"{figure}.rst" for figure in sorted(set().union(*FIGURES.values()))],
        tables=[f"results/tables/{table}.csv" for table, rows in ROWS.items() if rows],
        figures=DRAWN,
        manifests=MANIFESTS,
    output:
        report="results/report.html",
    log:
        "logs/report.log",
    benchmark:
        "logs/report.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    params:
        captions=CAPTIONS,
        manifests=MANIFEST_OPTIONS,
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
    shell:
        "mlipkd report --campaign {input.campaign:q} --captions {params.captions:q} --logs logs"
        " --output {output.report:q} {params.manifests:q} {input.tables:q} {input.figures:q}"
        " > {log:q} 2>&1"
