# A source becomes one canonical file of configurations and reference labels.


rule dataset:
    input:
        settings=f"results/{DATASET}/settings.yaml",
        files=lambda w: getattr(campaign.datasets[w.dataset].source, "files", []),
    output:
        dataset=f"results/{DATASET}/dataset.h5",
    log:
        f"logs/{DATASET}/dataset.log",
    benchmark:
        f"logs/{DATASET}/dataset.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=rising(8000),
        runtime=rising(240),
    shell:
        "mlipkd dataset --settings {input.settings:q} --output {output.dataset:q} > {log:q} 2>&1"
