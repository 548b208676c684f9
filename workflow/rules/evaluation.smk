# Questions put to members, models and datasets, as mlipkd/evaluation declares them: a rule for each kind
# of jobs. Each answer is a file of rows.


def evaluation_rule(evaluation, jobs):
    about, stem = jobs.about, evaluation.stem_of(jobs.about)
    settings = {"settings": DATASET.settings_of(stem)} if evaluation.section else {}
    size = {"dataset_size": DATASET.size} if evaluation.work else {}
    inputs = {
        file.name: lambda w, file=file: file.files(plan, type(about).of(w))
        for file in evaluation.inputs
    }
    outputs = {
        output.name: directory(path) if output.folder else path
        for output in evaluation.outputs
        for path in [output.path(about)]
    }
    resources = (
        {"mem_mb": memory(evaluation.work, about), "runtime": minutes(evaluation.work, about)}
        if evaluation.work
        else {"mem_mb": rising(evaluation.megabytes), "runtime": rising(evaluation.minutes)}
    )
    if evaluation.device:
        resources["gpu"] = one_gpu if isinstance(about, ModelPaths) else 1
    words = [
        f"mlipkd evaluate {evaluation.name}",
        *("--settings {input.settings:q}" for _ in settings),
        *(f"--{f.name} {{input.{f.name}:q}}" for f in evaluation.inputs if f.help and not f.several),
        *(f"--{name} {{output.{name}:q}}" for name in outputs),
        "--output {output.rows:q}",
        *(["--runtime {resources.runtime}"] if evaluation.resumable else []),
        *(["--threads {threads} --device auto"] if evaluation.device else []),
        *(f"{{input.{f.name}:q}}" for f in evaluation.inputs if f.help and f.several),
        "> {log:q} 2>&1",
    ]

    rule:
        name:
            jobs.rule or evaluation.name
        input:
            **settings,
            **size,
            **inputs,
        output:
            **outputs,
            rows=about.rows(stem),
        log:
            about.log(stem),
        benchmark:
            about.benchmark(stem)
        conda:
            "../../envs/mlipkd.yaml"
        # All cores of the run if it says 0, so that nothing else disturbs it.
        threads: evaluation.threads or workflow.resource_settings.cores or 8
        resources:
            **resources,
        shell:
            " ".join(words)


for evaluation in EVALUATIONS.values():
    for jobs in evaluation.jobs:
        evaluation_rule(evaluation, jobs)
        if evaluation.local:
            workflow.localrules(jobs.rule or evaluation.name)
