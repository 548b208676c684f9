# Questions put to the members of a family and to their ensemble. Each answer is a file of rows
# (dataset, family, model, seed, metric, value, unit).


rule errors:
    input:
        dataset=f"results/{DATASET}/dataset.h5",
        dataset_size=f"results/{DATASET}/size.json",
        models=every_member,
    output:
        rows=f"results/{MODEL}/errors.csv",
    log:
        f"logs/{MODEL}/errors.log",
    benchmark:
        f"logs/{MODEL}/errors.benchmark.tsv"
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
        settings=f"results/{DATASET}/comp6.settings.yaml",
        dataset_size=f"results/{DATASET}/size.json",
        suites=lambda w: [
            file
            for suite in campaign.datasets[w.dataset].evaluations.comp6.suites.values()
            for file in suite.files
        ],
        models=every_member,
    output:
        rows=f"results/{MODEL}/comp6.csv",
    log:
        f"logs/{MODEL}/comp6.log",
    benchmark:
        f"logs/{MODEL}/comp6.benchmark.tsv"
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
        settings=f"results/{DATASET}/curvature.settings.yaml",
        dataset=f"results/{DATASET}/dataset.h5",
        dataset_size=f"results/{DATASET}/size.json",
        models=every_member,
    output:
        rows=f"results/{MODEL}/curvature.csv",
    log:
        f"logs/{MODEL}/curvature.log",
    benchmark:
        f"logs/{MODEL}/curvature.benchmark.tsv"
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
        models=every_seed(f"results/{MEMBER}/model.safetensors"),
        histories=every_seed(f"results/{MEMBER}/history.jsonl"),
    output:
        rows=f"results/{MODEL}/learning.csv",
    log:
        f"logs/{MODEL}/learning.log",
    benchmark:
        f"logs/{MODEL}/learning.benchmark.tsv"
    conda:
        "../../envs/mlipkd.yaml"
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
    shell:
        "mlipkd evaluate-learning --output {output.rows:q} {input.models:q} > {log:q} 2>&1"


rule stability:
    input:
        settings=f"results/{DATASET}/stability.settings.yaml",
        dataset_size=f"results/{DATASET}/size.json",
        models=every_seed(f"results/{MEMBER}/model.safetensors"),
    output:
        rows=f"results/{MODEL}/stability.csv",
    log:
        f"logs/{MODEL}/stability.log",
    benchmark:
        f"logs/{MODEL}/stability.benchmark.tsv"
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
        settings=f"results/{DATASET}/liquid.settings.yaml",
        dataset_size=f"results/{DATASET}/size.json",
        model=f"results/{MEMBER}/model.safetensors",
    output:
        trajectory=f"results/{MEMBER}/liquid.h5",
        rows=f"results/{MEMBER}/liquid.csv",
    log:
        f"logs/{MEMBER}/liquid.log",
    benchmark:
        f"logs/{MEMBER}/liquid.benchmark.tsv"
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
        settings=f"results/{DATASET}/rdf.settings.yaml",
        dataset_size=f"results/{DATASET}/size.json",
        trajectories=every_seed(f"results/{MEMBER}/liquid.h5"),
    output:
        rows=f"results/{MODEL}/rdf.csv",
    log:
        f"logs/{MODEL}/rdf.log",
    benchmark:
        f"logs/{MODEL}/rdf.benchmark.tsv"
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
        rdf=f"results/{MODEL}/rdf.csv",
        teacher=teachers_rdf,
    output:
        rows=f"results/{MODEL}/structure.csv",
    log:
        f"logs/{MODEL}/structure.log",
    benchmark:
        f"logs/{MODEL}/structure.benchmark.tsv"
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
        settings=f"results/{DATASET}/own.{{evaluation}}.settings.yaml",
        module=lambda w: MODULES[f"datasets.{w.dataset}.evaluations.own.{w.evaluation}"],
        dataset=f"results/{DATASET}/dataset.h5",
        models=every_member,
    output:
        rows=f"results/{MODEL}/own.{{evaluation}}.csv",
    log:
        f"logs/{MODEL}/own.{{evaluation}}.log",
    benchmark:
        f"logs/{MODEL}/own.{{evaluation}}.benchmark.tsv"
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
        settings=f"results/{DATASET}/cost.settings.yaml",
        dataset_size=f"results/{DATASET}/size.json",
        dataset=f"results/{DATASET}/dataset.h5",
        models=first_seeds,
    output:
        rows=f"results/{DATASET}/cost.csv",
    log:
        f"logs/{DATASET}/cost.log",
    benchmark:
        f"logs/{DATASET}/cost.benchmark.tsv"
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
