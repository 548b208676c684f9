# Questions put to the members of a family and to their ensemble. Each answer is a file of rows
# (dataset, family, model, seed, metric, value, unit).


rule errors:
    input:
        dataset=DATASET.data,
        dataset_size=DATASET.size,
        models=of_members(plan.model_file),
    output:
        rows=MODEL.rows("errors"),
    log:
        MODEL.log("errors"),
    benchmark:
        MODEL.benchmark("errors")
    conda:
        "../../envs/mlipkd.yaml"
    threads: 4
    resources:
        gpu=one_gpu,
        mem_mb=memory(comparing),
        runtime=minutes(comparing),
    shell:
        "mlipkd evaluate-errors --dataset {input.dataset:q} --output {output.rows:q}"
        " --threads {threads} --device auto {input.models:q} > {log:q} 2>&1"


rule comp6:
    input:
        settings=DATASET.settings_of("comp6"),
        dataset_size=DATASET.size,
        suites=lambda w: [
            file
            for suite in evaluations(w).comp6.suites.values()
            for file in suite.files
        ],
        models=of_members(plan.model_file),
    output:
        rows=MODEL.rows("comp6"),
    log:
        MODEL.log("comp6"),
    benchmark:
        MODEL.benchmark("comp6")
    conda:
        "../../envs/mlipkd.yaml"
    threads: 4
    resources:
        gpu=one_gpu,
        mem_mb=memory(comparing_comp6),
        runtime=minutes(comparing_comp6),
    shell:
        "mlipkd evaluate-comp6 --settings {input.settings:q} --output {output.rows:q}"
        " --threads {threads} --device auto {input.models:q} > {log:q} 2>&1"


rule curvature:
    input:
        settings=DATASET.settings_of("curvature"),
        dataset=DATASET.data,
        dataset_size=DATASET.size,
        models=of_members(plan.model_file),
    output:
        rows=MODEL.rows("curvature"),
    log:
        MODEL.log("curvature"),
    benchmark:
        MODEL.benchmark("curvature")
    conda:
        "../../envs/mlipkd.yaml"
    threads: 4
    resources:
        gpu=one_gpu,
        mem_mb=memory(comparing),
        runtime=minutes(comparing),
    shell:
        "mlipkd evaluate-curvature --settings {input.settings:q} --dataset {input.dataset:q}"
        " --output {output.rows:q} --threads {threads} --device auto {input.models:q}"
        " > {log:q} 2>&1"


rule learning:
    input:
        models=of_members(lambda member: member.weights),
        histories=of_members(lambda member: member.history),
    output:
        rows=MODEL.rows("learning"),
    log:
        MODEL.log("learning"),
    benchmark:
        MODEL.benchmark("learning")
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
    shell:
        "mlipkd evaluate-learning --output {output.rows:q} {input.models:q} > {log:q} 2>&1"


rule stability:
    input:
        settings=DATASET.settings_of("stability"),
        dataset_size=DATASET.size,
        models=of_members(lambda member: member.weights),
    output:
        rows=MODEL.rows("stability"),
    log:
        MODEL.log("stability"),
    benchmark:
        MODEL.benchmark("stability")
    conda:
        "../../envs/mlipkd.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=memory(moving_liquid),
        runtime=minutes(moving_liquid),
    shell:
        "mlipkd evaluate-stability --settings {input.settings:q} --output {output.rows:q}"
        " --runtime {resources.runtime} --threads {threads} --device auto {input.models:q}"
        " > {log:q} 2>&1"


rule liquid:
    input:
        settings=DATASET.settings_of("liquid"),
        dataset_size=DATASET.size,
        model=MEMBER.weights,
    output:
        trajectory=MEMBER.frames("liquid"),
        rows=MEMBER.rows("liquid"),
    log:
        MEMBER.log("liquid"),
    benchmark:
        MEMBER.benchmark("liquid")
    conda:
        "../../envs/mlipkd.yaml"
    threads: 4
    resources:
        gpu=1,
        mem_mb=memory(sampling_liquid),
        runtime=minutes(sampling_liquid),
    shell:
        "mlipkd evaluate-liquid --settings {input.settings:q} --trajectory {output.trajectory:q}"
        " --output {output.rows:q} --runtime {resources.runtime} --threads {threads} --device auto"
        " {input.model:q} > {log:q} 2>&1"


rule rdf:
    input:
        settings=DATASET.settings_of("rdf"),
        dataset_size=DATASET.size,
        trajectories=of_members(lambda member: member.frames("liquid")),
    output:
        rows=MODEL.rows("rdf"),
    log:
        MODEL.log("rdf"),
    benchmark:
        MODEL.benchmark("rdf")
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=memory(counting_distances),
        runtime=minutes(counting_distances),
    shell:
        "mlipkd evaluate-rdf --settings {input.settings:q} --output {output.rows:q}"
        " {input.trajectories:q} > {log:q} 2>&1"


rule structure:
    input:
        rdf=MODEL.rows("rdf"),
        teacher=lambda w: plan.teachers_rdf(w.dataset),
    output:
        rows=MODEL.rows("structure"),
    log:
        MODEL.log("structure"),
    benchmark:
        MODEL.benchmark("structure")
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
    shell:
        "mlipkd evaluate-structure --teacher {input.teacher:q} --output {output.rows:q}"
        " {input.rdf:q} > {log:q} 2>&1"


rule own:
    input:
        settings=DATASET.settings_of("own.{evaluation}"),
        module=lambda w: MODULES[DatasetPaths.of(w).settings_of(f"own.{w.evaluation}")],
        dataset=DATASET.data,
        models=of_members(plan.model_file),
    output:
        rows=MODEL.rows("own.{evaluation}"),
    log:
        MODEL.log("own.{evaluation}"),
    benchmark:
        MODEL.benchmark("own.{evaluation}")
    conda:
        "../../envs/mlipkd.yaml"
    threads: 4
    resources:
        gpu=one_gpu,
        mem_mb=rising(8000),
        runtime=rising(240),
    shell:
        "mlipkd evaluate-own --settings {input.settings:q} --dataset {input.dataset:q}"
        " --output {output.rows:q} --threads {threads} --device auto {input.models:q}"
        " > {log:q} 2>&1"


rule cost:
    input:
        settings=DATASET.settings_of("cost"),
        dataset_size=DATASET.size,
        dataset=DATASET.data,
        models=lambda w: [m.weights for m in plan.first_members(DatasetPaths.of(w))],
    output:
        rows=DATASET.rows("cost"),
    log:
        DATASET.log("cost"),
    benchmark:
        DATASET.benchmark("cost")
    conda:
        "../../envs/mlipkd.yaml"
    # All cores of the run, so that nothing else disturbs the timing.
    threads: workflow.resource_settings.cores or 8
    resources:
        gpu=1,
        mem_mb=memory(timing),
        runtime=minutes(timing),
    shell:
        "mlipkd evaluate-cost --settings {input.settings:q} --dataset {input.dataset:q}"
        " --output {output.rows:q} --threads {threads} --device auto {input.models:q}"
        " > {log:q} 2>&1"
