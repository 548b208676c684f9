# A family that somebody learns from labels its dataset: each member separately, then the ensemble.
# Where students learn from the teacher of the same seed, only its labels are merged.


rule predict:
    input:
        model=of_member(plan.model_file),
        dataset=DATASET.data,
        dataset_size=DATASET.size,
    output:
        predictions=MEMBER.predictions,
    params:
        hessians=lambda w: ["--hessians"] if plan.labels_hessians(ModelPaths.of(w)) else [],
    log:
        MEMBER.log("predict"),
    benchmark:
        MEMBER.benchmark("predict")
    conda:
        "../../envs/mlipkd.yaml"
    threads: 4
    resources:
        gpu=one_gpu,
        mem_mb=memory("predict", MEMBER),
        runtime=minutes("predict", MEMBER),
    shell:
        "mlipkd predict --model {input.model:q} --dataset {input.dataset:q}"
        " --output {output.predictions:q} {params.hessians:q} --threads {threads} --device auto"
        " > {log:q} 2>&1"


rule merge:
    input:
        dataset=DATASET.data,
        predictions=of_members(lambda member: member.predictions),
    output:
        dataset=MODEL.data,
        manifest=MODEL.manifest,
    log:
        MODEL.log("merge"),
    benchmark:
        MODEL.benchmark("merge")
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=rising(1000),
        runtime=rising(60),
    shell:
        "mlipkd merge --dataset {input.dataset:q} --output {output.dataset:q}"
        " --manifest {output.manifest:q} {input.predictions:q} > {log:q} 2>&1"


use rule merge as merge_single with:
    input:
        dataset=DATASET.data,
        predictions=MEMBER.predictions,
    output:
        dataset=MEMBER.data,
        manifest=MEMBER.manifest,
    log:
        MEMBER.log("merge"),
    benchmark:
        MEMBER.benchmark("merge")
