# Replicas of a liquid by each member and, of a family that others learn from, by the ensemble; the
# distributions of distances, angles and clusters in them, and how far these are from the dataset's.


rule replicas:
    input:
        settings=DATASET.settings_of("replicas"),
        dataset=DATASET.data,
        dataset_size=DATASET.size,
        models=MEMBER.weights,
    output:
        trajectory=MEMBER.frames("replicas"),
        rows=MEMBER.rows("replicas"),
    log:
        MEMBER.log("replicas"),
    benchmark:
        MEMBER.benchmark("replicas")
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
        settings=DATASET.settings_of("replicas"),
        dataset=DATASET.data,
        dataset_size=DATASET.size,
        models=of_members(lambda member: member.weights),
    output:
        trajectory=MODEL.ensemble.frames("replicas"),
        rows=MODEL.ensemble.rows("replicas"),
    log:
        MODEL.ensemble.log("replicas"),
    benchmark:
        MODEL.ensemble.benchmark("replicas")


rule distributions:
    input:
        settings=DATASET.settings_of("distributions"),
        trajectories=of_model(plan.replicas),
    output:
        curves=MODEL.rows("distributions"),
    log:
        MODEL.log("distributions"),
    benchmark:
        MODEL.benchmark("distributions")
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
        settings=DATASET.settings_of("distributions"),
        trajectories=DATASET.data,
    output:
        curves=DATASET.rows("distributions"),
    log:
        DATASET.log("distributions"),
    benchmark:
        DATASET.benchmark("distributions")


rule deviations:
    input:
        distributions=MODEL.rows("distributions"),
        reference=DATASET.rows("distributions"),
    output:
        rows=MODEL.rows("deviations"),
    log:
        MODEL.log("deviations"),
    benchmark:
        MODEL.benchmark("deviations")
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
        distributions=DATASET.rows("distributions"),
        reference=DATASET.rows("distributions"),
    output:
        rows=DATASET.rows("deviations"),
    log:
        DATASET.log("deviations"),
    benchmark:
        DATASET.benchmark("deviations")
