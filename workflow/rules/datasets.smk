# A source becomes one canonical file of configurations and reference labels.


rule fetch:
    output:
        file="downloads/{download}",
    params:
        pinned=lambda w: campaign.downloads[w.download],
    log:
        "logs/downloads/{download}.log",
    benchmark:
        "logs/downloads/{download}.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=rising(1000),
        runtime=rising(240),
    shell:
        "mlipkd fetch --url {params.pinned.url:q} --sha256 {params.pinned.sha256:q}"
        " --output {output.file:q} > {log:q} 2>&1"


rule dataset:
    input:
        settings=f"results/{DATASET}/settings.yaml",
        files=lambda w: campaign.with_files(campaign.datasets[w.dataset].source).paths,
        module=lambda w: MODULES.get(f"datasets.{w.dataset}.source", []),
    output:
        dataset=f"results/{DATASET}/dataset.h5",
        dataset_size=f"results/{DATASET}/size.json",
    log:
        f"logs/{DATASET}/dataset.log",
    benchmark:
        f"logs/{DATASET}/dataset.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=memory(making_dataset),
        runtime=minutes(making_dataset),
    shell:
        "mlipkd dataset --settings {input.settings:q} --output {output.dataset:q}"
        " --size {output.dataset_size:q} > {log:q} 2>&1"
