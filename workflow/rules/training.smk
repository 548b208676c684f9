# Each member of a family is trained separately, or all seeds of a model together: teachers on the
# dataset, students on the dataset with their teacher's labels. Or it was trained on another one.


rule train:
    input:
        settings=MEMBER.settings,
        dataset=of_member(plan.training_data),
        dataset_size=DATASET.size,
    output:
        model=MEMBER.weights,
        history=MEMBER.history,
    log:
        MEMBER.log("train"),
    benchmark:
        MEMBER.benchmark("train")
    conda:
        "../../envs/mlipkd.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=memory("train", MEMBER),
        runtime=minutes("train", MEMBER),
    shell:
        "mlipkd train --settings {input.settings:q} --dataset {input.dataset:q}"
        " --output {output.model:q} --history {output.history:q}"
        " --runtime {resources.runtime} --threads {threads} --device auto > {log:q} 2>&1"


# Where a family says so, the seeds of a model train together.
for together in plan.together:
    members = plan.members_of(together)

    rule:
        name:
            together.rule("train")
        input:
            settings=[member.settings for member in members],
            dataset=plan.training_data(together),
            dataset_size=DatasetPaths(together.dataset).size,
        output:
            models=[member.weights for member in members],
            histories=[member.history for member in members],
        log:
            together.log("train"),
        benchmark:
            together.benchmark("train")
        conda:
            "../../envs/mlipkd.yaml"
        threads: 4
        params:
            members=lambda wildcards, input, output: [
                word
                for settings, model, history in zip(input.settings, output.models, output.histories)
                for word in ("--settings", settings, "--output", model, "--history", history)
            ],
        resources:
            gpu=1,
            mem_mb=memory("train", together),
            runtime=minutes("train", together),
        shell:
            "mlipkd train --dataset {input.dataset:q} {params.members:q}"
            " --runtime {resources.runtime} --threads {threads} --device auto > {log:q} 2>&1"


# A family of another dataset is not trained again.
for transferred in plan.transferred:

    rule:
        name:
            transferred.rule("transfer")
        input:
            model=plan.original(transferred).member().weights,
            dataset=DatasetPaths(transferred.dataset).data,
        output:
            model=transferred.member().weights,
        log:
            transferred.member().log("transfer"),
        benchmark:
            transferred.member().benchmark("transfer")
        conda:
            "../../envs/mlipkd.yaml"
        params:
            family=transferred.family,
        resources:
            mem_mb=rising(1000),
            runtime=rising(10),
        shell:
            "mlipkd transfer --dataset {input.dataset:q} --family {params.family:q}"
            " --output {output.model:q} {input.model:q} > {log:q} 2>&1"


# Others could make what these make; it is the job of these.
workflow.ruleorder(
    *(model.rule("train") for model in plan.together),
    *(model.rule("transfer") for model in plan.transferred),
    "train",
)
