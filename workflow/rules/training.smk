# Each member of a family is trained on its own, or all seeds of a model together: teachers on the
# dataset, students on the dataset with their teacher's labels. Or it was trained on another one.


rule train:
    input:
        settings=f"results/{MEMBER}/settings.yaml",
        dataset=training_data,
        dataset_size=f"results/{DATASET}/size.json",
    output:
        model=f"results/{MEMBER}/model.safetensors",
        history=f"results/{MEMBER}/history.jsonl",
    log:
        f"logs/{MEMBER}/train.log",
    benchmark:
        f"logs/{MEMBER}/train.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=memory(training),
        runtime=minutes(training),
    shell:
        "mlipkd train --settings {input.settings:q} --dataset {input.dataset:q}"
        " --output {output.model:q} --history {output.history:q}"
        " --runtime {resources.runtime} --threads {threads} --device auto > {log:q} 2>&1"


# Where a family says so, the seeds of a model train together.
for dataset, family, model in TOGETHER:
    members = [f"{dataset}/{family}/{model}/seed{seed}" for seed in SEEDS[dataset, family]]

    rule:
        name:
            f"train_{dataset}_{family}_{model}"
        input:
            settings=[f"results/{member}/settings.yaml" for member in members],
            dataset=labelled(dataset, family, model),
            dataset_size=f"results/{dataset}/size.json",
        output:
            models=[f"results/{member}/model.safetensors" for member in members],
            histories=[f"results/{member}/history.jsonl" for member in members],
        log:
            f"logs/{dataset}/{family}/{model}/train.log",
        benchmark:
            f"logs/{dataset}/{family}/{model}/train.benchmark.tsv"
        conda:
            "../../envs/mlipkd.yaml"
        threads: 4
        params:
            members=lambda wildcards, input, output: [
                word
                for own, model, history in zip(input.settings, output.models, output.histories)
                for word in ("--settings", own, "--output", model, "--history", history)
            ],
        resources:
            gpu=1,
            mem_mb=memory(training),
            runtime=minutes(training),
        shell:
            "mlipkd train --dataset {input.dataset:q} {params.members:q}"
            " --runtime {resources.runtime} --threads {threads} --device auto > {log:q} 2>&1"


# A family of another dataset is not trained again.
for dataset, family, model in TRANSFERRED:
    origin = campaign.datasets[dataset].families[family].transferred_from

    rule:
        name:
            f"transfer_{dataset}_{family}_{model}"
        input:
            model=f"results/{origin.dataset}/{origin.family}/{model}/seed{{seed}}/model.safetensors",
            dataset=f"results/{dataset}/dataset.h5",
        output:
            model=f"results/{dataset}/{family}/{model}/seed{{seed}}/model.safetensors",
        log:
            f"logs/{dataset}/{family}/{model}/seed{{seed}}/transfer.log",
        benchmark:
            f"logs/{dataset}/{family}/{model}/seed{{seed}}/transfer.benchmark.tsv"
        conda:
            "../../envs/mlipkd.yaml"
        params:
            family=family,
        resources:
            mem_mb=rising(1000),
            runtime=rising(10),
        shell:
            "mlipkd transfer --dataset {input.dataset:q} --family {params.family:q}"
            " --output {output.model:q} {input.model:q} > {log:q} 2>&1"


# Others could make what these make; it is the job of these.
workflow.ruleorder(
    *(f"train_{d}_{f}_{m}" for d, f, m in TOGETHER),
    *(f"transfer_{d}_{f}_{m}" for d, f, m in TRANSFERRED),
    "train",
)
