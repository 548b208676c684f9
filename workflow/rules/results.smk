# Rows become tables, tables become a summary, figures and a report of all. They take seconds and run
# where Snakemake runs.


rule collect:
    input:
        rows=lambda w: plan.rows[w.table],
    output:
        table=report(paths.table(), category="Tables", labels={"table": "{table}"}),
    log:
        paths.log("tables/{table}"),
    benchmark:
        paths.benchmark("tables/{table}")
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
            paths.table(table)
            for table, rows in plan.rows.items()
            if rows and not EVALUATIONS[table].curves
        ],
        manifests=plan.manifests,
    output:
        summary=paths.SUMMARY,
    log:
        paths.log("summary"),
    benchmark:
        paths.benchmark("summary")
    conda:
        "../../envs/mlipkd.yaml"
    params:
        manifests=[word for manifest in plan.manifests for word in ("--manifest", manifest)],
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
    shell:
        "mlipkd summary --output {output.summary:q} {params.manifests:q} {input.tables:q}"
        " > {log:q} 2>&1"


rule figure:
    input:
        tables=lambda w: plan.figures(DatasetPaths.of(w))[w.figure],
    output:
        figure=report(
            DATASET.figure(),
            caption="../report/figure.rst",
            category="{dataset}",
            labels=lambda w: {"figure": FIGURES[w.figure].title},
        ),
    log:
        paths.log("figures/{dataset}/{figure}"),
    benchmark:
        paths.benchmark("figures/{dataset}/{figure}")
    conda:
        "../../envs/mlipkd.yaml"
    params:
        families=lambda w: [
            word
            for family in campaign.datasets[w.dataset].families
            for word in ("--family", family)
        ],
        options=lambda w: [
            word
            for name, value in FIGURES[w.figure].options(plan, DatasetPaths.of(w)).items()
            for word in ("--option", f"{name}={value}")
        ],
        caption=lambda w: FIGURES[w.figure].caption,
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
    shell:
        "mlipkd figure --kind {wildcards.figure:q} --dataset {wildcards.dataset:q}"
        " {params.families:q} {params.options:q} --output {output.figure:q} {input.tables:q}"
        " > {log:q} 2>&1"


rule report:
    input:
        campaign=CAMPAIGN,
        tables=[paths.table(table) for table, rows in plan.rows.items() if rows],
        figures=plan.drawn,
        manifests=plan.manifests,
    output:
        report=paths.REPORT,
    log:
        paths.log("report"),
    benchmark:
        paths.benchmark("report")
    conda:
        "../../envs/mlipkd.yaml"
    params:
        manifests=[word for manifest in plan.manifests for word in ("--manifest", manifest)],
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
    shell:
        "mlipkd report --campaign {input.campaign:q} --logs logs --output {output.report:q}"
        " {params.manifests:q} {input.tables:q} {input.figures:q}"
        " > {log:q} 2>&1"
