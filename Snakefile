# Knowledge distillation, from a configuration file to tables:
#
#   datasets     downloads/{download}
#                results/simulations/{simulation}/topology.tpr, trajectory.trr
#                results/{dataset}/dataset.h5, size.json
#   training     results/{dataset}/{family}/{model}/seed{seed}/model.safetensors
#   labels       results/{dataset}/{family}/{model}/seed{seed}/predictions.h5, augmented.h5
#                results/{dataset}/{family}/{model}/augmented.h5, which students train on
#   evaluation   results/{dataset}/{family}/{model}/errors.csv, parity.csv, parity.points.csv,
#                comp6.csv, curvature.csv, learning.csv, stability.csv, rdf.csv,
#                structure.csv, own.{evaluation}.csv
#                results/{dataset}/{family}/{model}/seed{seed}/liquid.h5, liquid.csv
#                results/{dataset}/{family}/{model}/seed{seed}/replicas.h5, replicas.csv
#                results/{dataset}/{family}/{model}/distributions.csv, deviations.csv
#                results/{dataset}/cost.csv, recommended.csv
#   results      results/tables/{table}.csv
#                results/recommended/{dataset}/
#                results/summary.md
#                results/figures/{dataset}/{figure}.svg
#                results/report.html
#
# Next to what a job makes lies the settings.yaml that it reads: the part of the campaign that
# concerns this job. Logs and benchmarks have the same paths below logs/. mlipkd/paths.py gives all
# paths, mlipkd/campaign/plan.py what each job reads.


include: "workflow/rules/common.smk"
include: "workflow/rules/sizing.smk"


wildcard_constraints:
    dataset="|".join(map(re.escape, campaign.datasets)),
    family="|".join(dict.fromkeys(re.escape(model.family) for model in plan.models)),
    model=NAME,
    seed=r"\d+",
    table="|".join(plan.rows),
    figure=r"\w+",
    evaluation=NAME,
    download="|".join(map(re.escape, campaign.downloads)) or "(?!)",
    simulation="|".join(map(re.escape, campaign.simulations)) or "(?!)",


# Where the network is, which compute nodes often are not on.
localrules:
    all,
    fetch,
    collect,
    summary,
    figure,
    report,


rule all:
    input:
        summary=paths.SUMMARY,
        models=[member.weights for member in plan.members],
        figures=plan.drawn,
        report=paths.REPORT,


include: "workflow/rules/simulations.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/results.smk"
