# Each member of a family is trained on its own: teachers on the dataset, students on the dataset
# with their teacher's labels.


rule train:
    input:
        settings=f"results/{MEMBER}/settings.yaml",
        dataset=training_data,
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
        mem_mb=rising(8000),
        runtime=rising(720),
    shell:
        "mlipkd train --settings {input.settings:q} --dataset {input.dataset:q}"
        " --output {output.model:q} --history {output.history:q}"
        " --threads {threads} --device auto > {log:q} 2>&1"
