# A family that somebody learns from labels its dataset: each member on its own, then the ensemble.
# Where students learn from the teacher of their own seed, that one's labels are merged alone.


rule predict:
    input:
        model=member,
        dataset=f"results/{DATASET}/dataset.h5",
        dataset_size=f"results/{DATASET}/size.json",
    output:
        predictions=f"results/{MEMBER}/predictions.h5",
    params:
        hessians=lambda w: ["--hessians"] if teaches_hessians(w) else [],
    log:
        f"logs/{MEMBER}/predict.log",
    benchmark:
        f"logs/{MEMBER}/predict.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    threads: 4
    resources:
        gpu=one_gpu,
        mem_mb=memory(predicting),
        runtime=minutes(predicting),
    shell:
        "mlipkd predict --model {input.model:q} --dataset {input.dataset:q}"
        " --output {output.predictions:q} {params.hessians:q} --threads {threads} --device auto"
        " > {log:q} 2>&1"


rule merge:
    input:
        dataset=f"results/{DATASET}/dataset.h5",
        dataset_size=f"results/{DATASET}/size.json",
        predictions=every_seed(f"results/{MEMBER}/predictions.h5"),
    output:
        dataset=f"results/{MODEL}/augmented.h5",
        manifest=f"results/{MODEL}/manifest.json",
    log:
        f"logs/{MODEL}/merge.log",
    benchmark:
        f"logs/{MODEL}/merge.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=memory(merging),
        runtime=minutes(merging),
    shell:
        "mlipkd merge --dataset {input.dataset:q} --output {output.dataset:q}"
        " --manifest {output.manifest:q} {input.predictions:q} > {log:q} 2>&1"


rule merge_single:
    input:
        dataset=f"results/{DATASET}/dataset.h5",
        dataset_size=f"results/{DATASET}/size.json",
        predictions=f"results/{MEMBER}/predictions.h5",
    output:
        dataset=f"results/{MEMBER}/augmented.h5",
        manifest=f"results/{MEMBER}/manifest.json",
    log:
        f"logs/{MEMBER}/merge.log",
    benchmark:
        f"logs/{MEMBER}/merge.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=memory(merging),
        runtime=minutes(merging),
    shell:
        "mlipkd merge --dataset {input.dataset:q} --output {output.dataset:q}"
        " --manifest {output.manifest:q} {input.predictions:q} > {log:q} 2>&1"
