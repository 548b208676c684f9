# The campaign, the settings of each of its jobs, and what the rules ask about them.

import os
import re
import sys
from pathlib import Path

from mlipkd.jobs import provenance
from mlipkd.campaign import load_campaign

from mlipkd.config.section import NAME_PATTERN
from mlipkd.campaign.settings import (
    calculator_settings,
    dataset_settings,
    evaluation_settings,
    own_settings,
    simulation_settings,
    train_settings,
)
from mlipkd.errors import InputError
from mlipkd.imports import module_file
from mlipkd.results.report.sections import TITLES

NAME = NAME_PATTERN.strip("^$")

#: For the script that installs mlipkd into environments, which runs in the campaign's folder.
os.environ.update(MLIPKD_CHECKOUT=str(workflow.basedir))

#: The campaign's file, of --configfile or config.yaml.
CAMPAIGN = str((workflow.overwrite_configfiles or ["config.yaml"])[0])
#: A text for each kind of figure.
CAPTIONS = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent / "report"


def modules_of(campaign):
    """The files of functions of one's own, by the campaign's sections that name them."""
    functions = {}
    for dataset, section in campaign.datasets.items():
        if section.source.user_function:
            functions[f"datasets.{dataset}.source"] = section.source.user_function
        for evaluation, own in section.evaluations.own.items():
            functions[f"datasets.{dataset}.evaluations.own.{evaluation}"] = own.function
    return {
        place: module_file(f"{CAMPAIGN}: {place}.function", function)
        for place, function in functions.items()
    }


def read_campaign():
    """The campaign and the modules of one's own. Faults end the run, one line for each."""
    try:
        if len(workflow.overwrite_configfiles or []) > 1 or workflow.config_settings.config:
            raise InputError(
                "command line: a campaign is one file; write all of it into one --configfile, "
                "and use no --config"
            )
        campaign = load_campaign(CAMPAIGN)
        return campaign, modules_of(campaign)
    except InputError as error:
        refuse(error)


def refuse(error):
    """End the run."""
    print(error, file=sys.stderr)
    sys.exit(2)


campaign, MODULES = read_campaign()

#: (dataset, family, model) of every model, and those that are trained here.
MODELS = [
    (dataset, family, model)
    for dataset, section in campaign.datasets.items()
    for family in section.families
    for model in section.models(family)
]
TRAINED = [(d, f, m) for d, f, m in MODELS if campaign.datasets[d].families[f].recipe]
#: Those that are trained on another dataset, and all that have model files.
TRANSFERRED = [
    (d, f, m) for d, f, m in MODELS if campaign.datasets[d].families[f].transferred_from
]
POTENTIALS = TRAINED + TRANSFERRED
#: The seeds of every family; the folder of every member that is trained, with its settings, and
#: of every calculator.
SEEDS = {(d, f): campaign.datasets[d].seeds(f) for d, f, _ in MODELS}
MEMBERS = {
    f"{d}/{f}/{m}/seed{seed}": train_settings(campaign, d, f, m, seed)
    for d, f, m in TRAINED
    for seed in SEEDS[d, f]
}
CALCULATORS = {
    f"{d}/{f}/{m}/seed{seed}": calculator_settings(campaign, d, f)
    for d, f, m in MODELS
    if (d, f, m) not in POTENTIALS
    for seed in SEEDS[d, f]
}
#: The folders of all members that have model files.
FILED = [f"{d}/{f}/{m}/seed{seed}" for d, f, m in POTENTIALS for seed in SEEDS[d, f]]
#: The models whose seeds train together.
TOGETHER = [(d, f, m) for d, f, m in TRAINED if campaign.datasets[d].families[f].together]
# What a profile says of `train` holds for their rules. Snakemake reads it when it makes a rule, so it
# is said before the first.
for given in (
    workflow.resource_settings.overwrite_threads,
    workflow.resource_settings.overwrite_resources,
):
    if "train" in given:
        for d, f, m in TOGETHER:
            given.setdefault(f"train_{d}_{f}_{m}", given["train"])


def compared(dataset):
    """The architectures that are trained with a teacher and without one."""
    families = campaign.datasets[dataset].families
    own = [(m, families[f].learns_from is not None) for d, f, m in TRAINED if d == dataset]
    return {m for m, taught in own if taught} & {m for m, taught in own if not taught}


COMPARED = {dataset: compared(dataset) for dataset in campaign.datasets}

#: The models whose members sample replicas together, too: ensembles that others learn from.
SAMPLED_TOGETHER = [
    (d, f, m)
    for d, f, m in TRAINED
    if campaign.datasets[d].evaluations.replicas
    and len(SEEDS[d, f]) > 1
    and any(family.learns_from == f for family in campaign.datasets[d].families.values())
]

#: Of each model whose members teach together, who they are.
MANIFESTS = [
    f"results/{d}/{f}/{m}/manifest.json"
    for d, section in campaign.datasets.items()
    for f, m in dict.fromkeys(
        section.teacher_of(name, model)
        for name, family in section.families.items()
        if family.learns_from and family.supervision == "ensemble"
        for model in section.models(name)
    )
]

#: The same as options of verbs that read them.
MANIFEST_OPTIONS = [word for path in MANIFESTS for word in ("--manifest", path)]

#: The rows that each table is made of.
ROWS = {
    "errors": [f"results/{d}/{f}/{m}/errors.csv" for d, f, m in MODELS],
    "comp6": [
        f"results/{d}/{f}/{m}/comp6.csv"
        for d, f, m in MODELS
        if campaign.datasets[d].evaluations.comp6
    ],
    "curvature": [
        f"results/{d}/{f}/{m}/curvature.csv"
        for d, f, m in MODELS
        if campaign.datasets[d].evaluations.curvature
    ],
    "stability": [
        f"results/{d}/{f}/{m}/stability.csv"
        for d, f, m in POTENTIALS
        if campaign.datasets[d].evaluations.stability
    ],
    "liquid": [
        f"results/{member}/liquid.csv"
        for member in FILED
        if campaign.datasets[member.partition("/")[0]].evaluations.liquid
    ],
    "rdf": [
        f"results/{d}/{f}/{m}/rdf.csv"
        for d, f, m in POTENTIALS
        if campaign.datasets[d].evaluations.rdf
    ],
    "structure": [
        f"results/{d}/{f}/{m}/structure.csv"
        for d, f, m in POTENTIALS
        if campaign.datasets[d].evaluations.rdf
    ],
    "replicas": [
        f"results/{member}/replicas.csv"
        for member in FILED
        if campaign.datasets[member.partition("/")[0]].evaluations.replicas
    ]
    + [f"results/{d}/{f}/{m}/ensemble/replicas.csv" for d, f, m in SAMPLED_TOGETHER],
    "deviations": [
        f"results/{d}/deviations.csv"
        for d, section in campaign.datasets.items()
        if section.evaluations.distributions
    ]
    + [
        f"results/{d}/{f}/{m}/deviations.csv"
        for d, f, m in POTENTIALS
        if campaign.datasets[d].evaluations.distributions
    ],
    "own": [
        f"results/{d}/{f}/{m}/own.{evaluation}.csv"
        for d, f, m in MODELS
        for evaluation in campaign.datasets[d].evaluations.own
    ],
    "cost": [
        f"results/{d}/cost.csv"
        for d, section in campaign.datasets.items()
        if section.evaluations.cost and any(dataset == d for dataset, _, _ in TRAINED)
    ],
    "learning": [f"results/{d}/{f}/{m}/learning.csv" for d, f, m in TRAINED if m in COMPARED[d]],
    "recommended": [
        f"results/{d}/recommended.csv"
        for d, section in campaign.datasets.items()
        if section.evaluations.recommended
    ],
}
#: Tables of curves: thousands of rows, which are drawn and of which no summary is made.
CURVES = {"learning", "rdf"}


def figures_of(dataset):
    """The figures of a dataset, and the tables that they are drawn from; none, if from curves."""
    section = campaign.datasets[dataset]
    figures = {"errors": ["errors"]}
    if section.evaluations.comp6:
        figures["comp6"] = ["comp6"]
    if section.evaluations.curvature:
        figures["curvature"] = ["curvature"]
    if section.evaluations.stability:
        figures["stability"] = ["stability"]
    if COMPARED[dataset]:
        figures["learning"] = ["learning"]
    if any(len(section.models(family)) > 1 for family in section.families):
        figures["capacity"] = ["comp6" if section.evaluations.comp6 else "errors"]
    models = {model for d, _, model in TRAINED if d == dataset}
    if f"results/{dataset}/cost.csv" in ROWS["cost"] and len(models) > 1:
        figures["pareto"] = figures["weights"] = ["errors", "cost"]
    if f"results/{dataset}/cost.csv" in ROWS["cost"] and section.evaluations.cost.growth:
        figures["growth"] = ["cost"]
    if section.evaluations.distributions:
        figures |= {"deviations": ["deviations"], "pairs": [], "adf": [], "cdf": []}
    if section.evaluations.rdf:
        figures["rdf"] = ["rdf", *(["recommended"] if section.evaluations.recommended else [])]
        if "weights" in figures:
            figures["weights"] = ["errors", "cost", "structure"]
    return figures


def may_be_recommended(dataset):
    """The families of a dataset that a recommendation chooses from, and their teacher."""
    section = campaign.datasets[dataset]
    return [section.evaluations.recommended.teacher, *section.candidates()]


FIGURES = {dataset: figures_of(dataset) for dataset in campaign.datasets}
DRAWN = [
    f"results/figures/{dataset}/{figure}.svg"
    for dataset, figures in FIGURES.items()
    for figure in figures
]


def settings_of_jobs():
    """The part of the campaign that concerns each job, by the path that the job reads it from."""
    found = {}
    for dataset, section in campaign.datasets.items():
        found[f"results/{dataset}/settings.yaml"] = dataset_settings(campaign, dataset)
        for evaluation in type(section.evaluations).model_fields.keys() - {"own"}:
            if getattr(section.evaluations, evaluation):
                settings = evaluation_settings(campaign, dataset, evaluation)
                found[f"results/{dataset}/{evaluation}.settings.yaml"] = settings
        for evaluation in section.evaluations.own:
            settings = own_settings(campaign, dataset, evaluation)
            found[f"results/{dataset}/own.{evaluation}.settings.yaml"] = settings
    for simulation in campaign.simulations:
        settings = simulation_settings(campaign, simulation)
        found[f"results/simulations/{simulation}/settings.yaml"] = settings
    for member, settings in (MEMBERS | CALCULATORS).items():
        found[f"results/{member}/settings.yaml"] = settings
    return found


def write_settings():
    """Write the settings that differ from what is there, so that only a change reruns jobs.

    Raises:
        InputError: jobs may be reading what is there, as Snakemake holds the folder.
    """
    changed = []
    for path, settings in settings_of_jobs().items():
        path, text = Path(path), settings.to_yaml()
        if not path.is_file():
            changed.append((path, text))
        elif path.read_text() != text:
            # Snakemake looks at its own locks later, and in a dry run not at all.
            if any(Path(".snakemake/locks").glob("*")):
                raise InputError(
                    f"{path}: expected the settings that Snakemake runs with in this folder, or ran "
                    f"with when it was killed, got others in {CAMPAIGN}; wait for it to end, give "
                    "this campaign another --directory or, if nothing runs there, snakemake --unlock"
                )
            changed.append((path, text))
    for path, text in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.write_text(text)
        os.replace(temporary, path)


# Not within a job on a cluster: it keeps to the settings and the code that were there when it was
# submitted. Nor to unlock the folder, which runs nothing.
if workflow.is_main_process and "--unlock" not in sys.argv:
    try:
        write_settings()
    except InputError as error:
        refuse(error)
    os.environ[provenance.SUBMITTED] = provenance.code()


def every_seed(path):
    """For an input: ``path`` for each seed of the family."""

    def inputs(wildcards):
        seeds = campaign.datasets[wildcards.dataset].seeds(wildcards.family)
        return expand(path, seed=seeds, **wildcards)

    return inputs


def standing(wildcards):
    """The name of the file that stands for a member: its model, or its calculator's settings."""
    family = campaign.datasets[wildcards.dataset].families[wildcards.family]
    return "settings.yaml" if family.calculator else "model.safetensors"


def member(wildcards):
    """For an input: the file that stands for a member."""
    return expand(f"results/{MEMBER}/{standing(wildcards)}", **wildcards)


def every_member(wildcards):
    """For an input: the same of each seed of the family."""
    return every_seed(f"results/{MEMBER}/{standing(wildcards)}")(wildcards)


def training_data(wildcards):
    """For an input: what a member trains on."""
    dataset, family, model, seed = wildcards
    if campaign.datasets[dataset].families[family].supervision == "single":
        teacher_family, teacher_model = campaign.datasets[dataset].teacher_of(family, model)
        return f"results/{dataset}/{teacher_family}/{teacher_model}/seed{seed}/augmented.h5"
    return labelled(dataset, family, model)


def labelled(dataset, family, model):
    """What a model trains on: the dataset, or the dataset as its teachers augmented it."""
    teacher = campaign.datasets[dataset].teacher_of(family, model)
    if teacher is None:
        return f"results/{dataset}/dataset.h5"
    teacher_family, teacher_model = teacher
    return f"results/{dataset}/{teacher_family}/{teacher_model}/augmented.h5"


def teaches_hessians(wildcards):
    """Whether a family's labels hold Hessians, because somebody learns from them."""
    return any(
        family.learns_from == wildcards.family
        and campaign.recipes[family.recipe].needs_teachers_hessians
        for family in campaign.datasets[wildcards.dataset].families.values()
    )


def teachers_rdf(wildcards):
    """For an input: the radial distribution functions that those of a model are measured by."""
    section = campaign.datasets[wildcards.dataset]
    teacher = section.evaluations.rdf.teacher
    return f"results/{wildcards.dataset}/{teacher}/{section.models(teacher)[0]}/rdf.csv"


def first_seeds(wildcards):
    """The first member of every model of a dataset; the others cost the same."""
    section = campaign.datasets[wildcards.dataset]
    return [
        f"results/{d}/{f}/{m}/seed{section.seeds(f)[0]}/model.safetensors"
        for d, f, m in TRAINED
        if d == wildcards.dataset
    ]


def trajectories(wildcards):
    """For an input: the replicas of each member and, if there are any, of all together."""
    own = f"results/{MODEL}/ensemble/replicas.h5"
    together = (wildcards.dataset, wildcards.family, wildcards.model) in SAMPLED_TOGETHER
    return [
        *every_seed(f"results/{MEMBER}/replicas.h5")(wildcards),
        *(expand(own, **wildcards) if together else []),
    ]


def drawn(wildcards):
    """For an input: the tables, or the curves, that a figure is drawn from."""
    dataset, figure = wildcards.dataset, wildcards.figure
    if tables := FIGURES[dataset][figure]:
        return expand("results/tables/{table}.csv", table=tables)
    models = [f"results/{d}/{f}/{m}/distributions.csv" for d, f, m in POTENTIALS if d == dataset]
    return [f"results/{dataset}/distributions.csv", *models]


def rising(amount):
    """For a resource: ``amount`` at the first attempt, twice as much at the second, and so on."""
    return lambda wildcards, attempt: amount * attempt
