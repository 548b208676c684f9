# A source becomes one canonical file of configurations and reference labels.


rule fetch:
    output:
        file=paths.download(),
    params:
        pinned=lambda w: campaign.downloads[w.download],
    log:
        paths.log("downloads/{download}"),
    benchmark:
        paths.benchmark("downloads/{download}")
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
        settings=DATASET.settings,
        files=lambda w: campaign.datasets[w.dataset].source.paths,
        module=lambda w: MODULES.get(DatasetPaths.of(w).settings, []),
    output:
        dataset=DATASET.data,
        dataset_size=DATASET.size,
    log:
        DATASET.log("dataset"),
    benchmark:
        DATASET.benchmark("dataset")
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=memory("dataset", DATASET),
        runtime=minutes("dataset", DATASET),
    shell:
        "mlipkd dataset --settings {input.settings:q} --output {output.dataset:q}"
        " --size {output.dataset_size:q} > {log:q} 2>&1"
