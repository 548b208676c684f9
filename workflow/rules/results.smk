# Rows become tables, tables become a summary and figures. All take seconds and run where Snakemake
# runs.


rule collect:
    input:
        rows=lambda w: ROWS[w.table],
    output:
        table="results/tables/{table}.csv",
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
        tables=[f"results/tables/{table}.csv" for table, rows in ROWS.items() if rows],
    output:
        summary="results/summary.md",
    log:
        "logs/summary.log",
    benchmark:
        "logs/summary.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
    shell:
        "mlipkd summary --output {output.summary:q} {input.tables:q} > {log:q} 2>&1"


rule figure:
    input:
        table=lambda w: f"results/tables/{FIGURES[w.dataset][w.figure]}.csv",
    output:
        figure="results/figures/{dataset}/{figure}.svg",
    log:
        "logs/figures/{dataset}/{figure}.log",
    benchmark:
        "logs/figures/{dataset}/{figure}.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
    shell:
        "mlipkd figure --kind {wildcards.figure:q} --dataset {wildcards.dataset:q}"
        " --output {output.figure:q} {input.table:q} > {log:q} 2>&1"
