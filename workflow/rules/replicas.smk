# Replicas of a liquid by each member and, of a family that others learn from, by the ensemble; the
# distributions of distances, angles and clusters in them, and how far these are from the dataset's.


rule replicas:
    input:
        settings=f"results/{DATASET}/replicas.settings.yaml",
        dataset=f"results/{DATASET}/dataset.h5",
        dataset_size=f"results/{DATASET}/size.json",
        models=f"results/{MEMBER}/model.safetensors",
    output:
        trajectory=f"results/{MEMBER}/replicas.h5",
        rows=f"results/{MEMBER}/replicas.csv",
    log:
        f"logs/{MEMBER}/replicas.log",
    benchmark:
        f"logs/{MEMBER}/replicas.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=memory(sampling_replicas),
        runtime=minutes(sampling_replicas),
    shell:
        "mlipkd evaluate-replicas --settings {input.settings:q} --dataset {input.dataset:q}"
        " --trajectory {output.trajectory:q} --output {output.rows:q}"
        " --runtime {resources.runtime} --threads {threads} --device auto {input.models:q}"
        " > {log:q} 2>&1"


# The same of all members of a model together.
use rule replicas as replicas_together with:
    input:
        settings=f"results/{DATASET}/replicas.settings.yaml",
        dataset=f"results/{DATASET}/dataset.h5",
        dataset_size=f"results/{DATASET}/size.json",
        models=every_seed(f"results/{MEMBER}/model.safetensors"),
    output:
        trajectory=f"results/{MODEL}/ensemble/replicas.h5",
        rows=f"results/{MODEL}/ensemble/replicas.csv",
    log:
        f"logs/{MODEL}/ensemble/replicas.log",
    benchmark:
        f"logs/{MODEL}/ensemble/replicas.benchmark.tsv"


rule distributions:
    input:
        settings=f"results/{DATASET}/distributions.settings.yaml",
        trajectories=trajectories,
    output:
        curves=f"results/{MODEL}/distributions.csv",
    log:
        f"logs/{MODEL}/distributions.log",
    benchmark:
        f"logs/{MODEL}/distributions.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=rising(4000),
        runtime=rising(240),
    shell:
        "mlipkd evaluate-distributions --settings {input.settings:q} --output {output.curves:q}"
        " {input.trajectories:q} > {log:q} 2>&1"


use rule distributions as reference_distributions with:
    input:
        settings=f"results/{DATASET}/distributions.settings.yaml",
        trajectories=f"results/{DATASET}/dataset.h5",
    output:
        curves=f"results/{DATASET}/distributions.csv",
    log:
        f"logs/{DATASET}/distributions.log",
    benchmark:
        f"logs/{DATASET}/distributions.benchmark.tsv"


rule deviations:
    input:
        distributions=f"results/{MODEL}/distributions.csv",
        reference=f"results/{DATASET}/distributions.csv",
    output:
        rows=f"results/{MODEL}/deviations.csv",
    log:
        f"logs/{MODEL}/deviations.log",
    benchmark:
        f"logs/{MODEL}/deviations.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
    shell:
        "mlipkd evaluate-deviations --reference {input.reference:q} --output {output.rows:q}"
        " {input.distributions:q} > {log:q} 2>&1"


# Of the reference's halves from their mean: the noise of that mean.
use rule deviations as reference_deviations with:
    input:
        distributions=f"results/{DATASET}/distributions.csv",
        reference=f"results/{DATASET}/distributions.csv",
    output:
        rows=f"results/{DATASET}/deviations.csv",
    log:
        f"logs/{DATASET}/deviations.log",
    benchmark:
        f"logs/{DATASET}/deviations.benchmark.tsv"
