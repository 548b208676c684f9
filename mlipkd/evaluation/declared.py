"""Declarations of evaluations whose files do not declare them yet; each moves into its file."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from mlipkd import paths
from mlipkd.config.evaluation import (
    CostEvaluation,
    DistributionsEvaluation,
    LiquidEvaluation,
    RdfEvaluation,
    Recommendation,
    ReplicasEvaluation,
    StabilityEvaluation,
)
from mlipkd.evaluation.core.curves import read_curves
from mlipkd.evaluation.core.evaluation import (
    DATASET,
    MODELS,
    Evaluation,
    Figure,
    Input,
    Job,
    Jobs,
    Output,
    members_of,
)
from mlipkd.evaluation.core.grid import by_subset
from mlipkd.evaluation.core.rows import UNITS, read_rows, write_rows
from mlipkd.paths import DatasetPaths, EnsemblePaths, MemberPaths, ModelPaths


def _figure(module: str, function: str) -> Callable[..., Any]:
    """A function of mlipkd.evaluation that is imported when it is called."""

    def draw(*args: Any, **options: Any) -> Any:
        return getattr(import_module(f"mlipkd.evaluation.{module}"), function)(*args, **options)

    return draw


def _members(plan: Any) -> list[MemberPaths]:
    return [member for model in plan.potentials for member in plan.members_of(model)]


def _cost(job: Job) -> None:
    """Weights, time per step of molecular dynamics and memory per atom, models taking turns; with
    growth in the settings, at several sizes of the system, too.

    Example: mlipkd evaluate cost --settings cost.yaml --dataset dataset.h5 --output cost.csv
    teachers/seed0/model.safetensors students/seed0/model.safetensors
    """
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.ensembles import dataset_source, source_of
    from mlipkd.evaluation.cost.cost import evaluate_cost
    from mlipkd.evaluation.cost.measurement import example_of
    from mlipkd.hipnn.file import load_potential
    from mlipkd.jobs.device import choose_device

    with DatasetFile(job.file("dataset")) as file:
        example = example_of(file)
        sources = [dataset_source(file)]
    device = choose_device(job.device, job.threads)
    potentials = {model: load_potential(model, device) for model in job.files["models"]}
    rows, notes = evaluate_cost(example, potentials, job.section, job.threads, device)
    sources += [source_of(model, potential) for model, potential in potentials.items()]
    write_rows(job.output, rows, sources, notes)


COST = Evaluation(
    name="cost",
    title="Cost",
    run=_cost,
    jobs=[Jobs(DatasetPaths(), lambda plan: [d for d in plan.datasets if plan.first_members(d)])],
    inputs=[
        DATASET,
        Input(
            "models",
            lambda plan, about: [member.weights for member in plan.first_members(about)],
            "Model files, one for each family and model.",
            several=True,
        ),
    ],
    metrics=UNITS["cost"],
    section=CostEvaluation,
    threads=0,
    device=True,
    work="timing",
    figures=[
        Figure(
            "pareto",
            title="Errors against time and memory",
            caption="Errors on the test split against what a step of molecular dynamics takes, "
            "time and memory for each atom; below and to the left is better. Points are means over "
            "members with their standard deviations, squares models that are alone in their "
            "family. A line joins the models that no other of their family beats in both; filled "
            "are those that no model at all beats in both.",
            draw=_figure("cost.figures", "pareto"),
            files=lambda plan, dataset: (
                [paths.table("errors"), paths.table("cost")]
                if len({member.model for member in plan.first_members(dataset)}) > 1
                else []
            ),
        ),
        Figure(
            "weights",
            title="Errors against the number of weights",
            caption="Errors against the number of weights; below and to the left is better. Points "
            "are means over members with their standard deviations, squares models that are alone "
            "in their family. A line joins the models that no other of their family beats in both; "
            "filled are those that no model at all beats in both.",
            draw=_figure("cost.figures", "weights"),
            files=lambda plan, dataset: (
                [
                    paths.table("errors"),
                    paths.table("cost"),
                    *([paths.table("structure")] if plan.section(dataset).evaluations.rdf else []),
                ]
                if len({member.model for member in plan.first_members(dataset)}) > 1
                else []
            ),
        ),
        Figure(
            "growth",
            title="Cost against the size of the system",
            caption="Time for a step of molecular dynamics, and memory, both for each atom, as the "
            "system grows. Of each family at most three models are shown; models of the same shape "
            "cost the same and are shown once.",
            draw=_figure("cost.figures", "growth"),
            files=lambda plan, dataset: (
                [paths.table("cost")] if plan.section(dataset).evaluations.cost.growth else []
            ),
        ),
    ],
)


def _stability(job: Job) -> None:
    """Failures, times to failure and energy drift of NVE dynamics of a liquid, for each time step.

    After any member and time step it stops, if its time is nearly over or SIGTERM or SIGUSR1 came,
    with exit status 75; the same command goes on with the others.

    Example: mlipkd evaluate stability --settings stability.yaml --output stability.csv
    teachers/seed*/model.safetensors
    """
    from mlipkd.dynamics.packing import liquid
    from mlipkd.dynamics.trajectories import choose_integrator
    from mlipkd.evaluation.core.ensembles import load_ensembles
    from mlipkd.evaluation.stability import evaluate_stability
    from mlipkd.jobs.device import choose_device
    from mlipkd.jobs.resumable import Resumable, listen

    section = job.section
    engine = choose_integrator(section.engine, "torch-sim", "stability")
    ensembles, sources = load_ensembles(job.files["models"], choose_device(job.device, job.threads))
    box = liquid(section.molecule, section.molecules, section.density, section.seed)
    identity = " ".join([section.model_dump_json(), engine, *(one.sha256 for one in sources)])
    resumable = Resumable(job.output, identity, listen(job.runtime))
    rows = evaluate_stability(box, section, engine, ensembles, resumable)
    how = f"{len(box)} atoms, packed by {box.info['packed']}; dynamics by {engine}"
    write_rows(job.output, rows, sources, [how])
    resumable.finish()


STABILITY = Evaluation(
    name="stability",
    title="Stability",
    run=_stability,
    jobs=[Jobs(ModelPaths(), lambda plan: plan.potentials)],
    inputs=[MODELS],
    metrics=UNITS["stability"],
    section=StabilityEvaluation,
    threads=4,
    device=True,
    resumable=True,
    work="moving_liquid",
    figures=[
        Figure(
            "stability",
            title="Stability of dynamics",
            caption="Trajectories of a liquid at constant energy, against the time step. On the "
            "left the fraction that ended in a collision of atoms, of all members together, with "
            "its binomial interval of 95 %; on the right how long these trajectories lasted, means "
            "over members with standard deviations.",
            draw=_figure("figures.stability", "stability"),
        )
    ],
)


def _liquid(job: Job) -> None:
    """Melt a crystal, equilibrate and sample the liquid; then measure the drift of its energy.

    Before its time is over, and on SIGTERM or SIGUSR1, it stops with exit status 75; the same
    command goes on from there to the same bits.

    Example: mlipkd evaluate liquid --settings liquid.yaml --trajectory teachers/seed0/liquid.h5
    --output liquid.csv teachers/seed0/model.safetensors
    """
    from mlipkd.datasets.file import write
    from mlipkd.dynamics.trajectories import choose_integrator
    from mlipkd.evaluation.core.ensembles import source_of
    from mlipkd.evaluation.liquid import evaluate_liquid
    from mlipkd.hipnn.file import load_potential
    from mlipkd.jobs.device import choose_device
    from mlipkd.jobs.resumable import Resumable, listen

    trajectory, model = job.file("trajectory"), job.file("models")
    engine = choose_integrator(job.section.engine, "lammps", "liquid")
    potential = load_potential(model, choose_device(job.device, job.threads))
    source = source_of(model, potential)
    identity = f"{job.section.model_dump_json()} {source.sha256} {engine}"
    resumable = Resumable(trajectory, identity, listen(job.runtime))
    frames, rows, notes = evaluate_liquid(potential, job.section, engine, resumable)
    write(frames, trajectory)
    how = f"{frames.sizes[0]} atoms; dynamics by {engine}"
    write_rows(job.output, rows, [source], [how, *notes])
    resumable.finish()


LIQUID = Evaluation(
    name="liquid",
    title="The liquid",
    run=_liquid,
    jobs=[Jobs(MemberPaths(), _members)],
    inputs=[MODELS],
    outputs=[Output("trajectory", lambda about: about.frames("liquid"), "Frames to write, HDF5.")],
    metrics=UNITS["liquid"],
    section=LiquidEvaluation,
    threads=4,
    device=True,
    resumable=True,
    work="sampling_liquid",
)


def _structure(job: Job) -> None:
    """How far each member's radial distribution function is from the teacher's.

    Example: mlipkd evaluate structure --rdf rdf.csv --teacher rdf.csv --output structure.csv
    """
    from mlipkd.evaluation.structure import evaluate_structure

    rows, source = read_rows(job.file("rdf"))
    reference, teacher = read_rows(job.file("teacher"))
    write_rows(job.output, evaluate_structure(rows, reference), [source, teacher])


STRUCTURE = Evaluation(
    name="structure",
    title="The liquid",
    run=_structure,
    jobs=[Jobs(ModelPaths(), lambda plan: plan.potentials)],
    inputs=[
        Input("rdf", lambda plan, about: about.rows("rdf"), "Rows of the evaluation rdf, CSV."),
        Input(
            "teacher",
            lambda plan, about: plan.teachers_rdf(about.dataset),
            "The same of the teacher's model.",
        ),
    ],
    metrics=UNITS["structure"],
    asked_by="rdf",
    local=True,
)


def _rdf(job: Job) -> None:
    """Radial distribution function of each member's liquid.

    Example: mlipkd evaluate rdf --settings rdf.yaml --output rdf.csv teachers/seed*/liquid.h5
    """
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.rdf import evaluate_rdf

    rows, notes, sources = [], [], []
    for path in job.files["trajectories"]:
        with DatasetFile(path) as trajectory:
            found, told, source = evaluate_rdf(trajectory, job.section)
        rows += found
        notes += told
        sources.append(source)
    write_rows(job.output, rows, sources, notes)


RDF = Evaluation(
    name="rdf",
    title="The liquid",
    run=_rdf,
    jobs=[Jobs(ModelPaths(), lambda plan: plan.potentials)],
    inputs=[
        Input(
            "trajectories",
            lambda plan, about: [m.frames("liquid") for m in members_of(plan, about)],
            "Frames of the members of a model, HDF5.",
            several=True,
        )
    ],
    metrics=UNITS["rdf"],
    section=RdfEvaluation,
    curves=True,
    work="counting_distances",
    figures=[
        Figure(
            "rdf",
            title="Radial distribution functions",
            caption="Radial distribution functions g(r) of the liquid, and on the right their "
            "difference from the mean of the teachers', unless none of these has one. Lines are "
            "means over members, bands their standard deviations. Shown are the teachers and the "
            "recommended models, or else some others.",
            draw=_figure("figures.rdf", "rdf"),
            files=lambda plan, dataset: [
                paths.table("rdf"),
                *(
                    [paths.table("recommended")]
                    if plan.section(dataset).evaluations.recommended
                    else []
                ),
            ],
            options=lambda plan, dataset: {
                "teacher": plan.section(dataset).evaluations.rdf.teacher
            },
        )
    ],
)


def _replicas(job: Job) -> None:
    """Sample a liquid at constant temperature, in replicas side by side.

    Of several models the forces are averaged at every step. Before its time is over, and on SIGTERM
    or SIGUSR1, it stops with exit status 75; the same command goes on from there to the same bits.

    Example: mlipkd evaluate replicas --settings replicas.yaml --dataset dataset.h5 --trajectory
    replicas.h5 --output replicas.csv teachers/seed0/model.safetensors
    """
    from mlipkd.datasets.file import DatasetFile, write
    from mlipkd.evaluation.core.ensembles import dataset_source, source_of
    from mlipkd.evaluation.replicas import evaluate_replicas
    from mlipkd.hipnn.file import load_members
    from mlipkd.jobs.device import choose_device
    from mlipkd.jobs.resumable import Resumable, listen

    device, models, section = (
        choose_device(job.device, job.threads),
        job.files["models"],
        job.section,
    )
    members = load_members(models, device)
    sources = [source_of(path, member) for path, member in zip(models, members, strict=True)]
    with DatasetFile(job.file("dataset")) as dataset:
        sources.append(dataset_source(dataset))
        identity = " ".join([section.model_dump_json(), *(source.sha256 for source in sources)])
        resumable = Resumable(job.file("trajectory"), identity, listen(job.runtime))
        frames, rows, notes = evaluate_replicas(members, dataset, section, device, resumable)
    write(frames, job.file("trajectory"))
    write_rows(job.output, rows, sources, notes)
    resumable.finish()


REPLICAS = Evaluation(
    name="replicas",
    title="Distributions in the liquid",
    run=_replicas,
    jobs=[
        Jobs(MemberPaths(), _members),
        Jobs(
            EnsemblePaths(),
            lambda plan: [model.ensemble for model in plan.sampled_together],
            rule="replicas_together",
        ),
    ],
    inputs=[DATASET, MODELS],
    outputs=[
        Output("trajectory", lambda about: about.frames("replicas"), "Frames to write, HDF5.")
    ],
    metrics=UNITS["replicas"],
    section=ReplicasEvaluation,
    threads=4,
    device=True,
    resumable=True,
    work="sampling_replicas",
)


def _distributions(job: Job) -> None:
    """Distributions of distances, angles and clusters of each species in trajectories.

    Example: mlipkd evaluate distributions --settings distributions.yaml --output reference.csv
    dataset.h5
    """
    from mlipkd.evaluation.core.curves import write_curves
    from mlipkd.evaluation.distributions import evaluate_distributions

    write_curves(job.output, *evaluate_distributions(job.files["trajectories"], job.section))


def _curves(plan: Any, dataset: DatasetPaths) -> list[str]:
    models = [model for model in plan.potentials if model.dataset == dataset.dataset]
    return [about.rows("distributions") for about in (dataset, *models)]


DISTRIBUTIONS = Evaluation(
    name="distributions",
    title="Distributions in the liquid",
    run=_distributions,
    jobs=[
        Jobs(DatasetPaths(), lambda plan: plan.datasets, rule="reference_distributions"),
        Jobs(ModelPaths(), lambda plan: plan.potentials),
    ],
    inputs=[
        Input(
            "trajectories",
            lambda plan, about: (
                plan.replicas(about) if isinstance(about, ModelPaths) else [about.data]
            ),
            "Frames of the members of a model, or of a reference, HDF5.",
            several=True,
        )
    ],
    section=DistributionsEvaluation,
    table=False,
    megabytes=4000,
    minutes=240,
)


def _deviations(job: Job) -> None:
    """How far each member's distributions are from the reference's.

    Example: mlipkd evaluate deviations --distributions distributions.csv --reference reference.csv
    --output deviations.csv
    """
    from mlipkd.evaluation.deviations import evaluate_deviations

    curves, source = read_curves(job.file("distributions"))
    references, reference = read_curves(job.file("reference"))
    write_rows(job.output, evaluate_deviations(curves, references), [source, reference])


DEVIATIONS = Evaluation(
    name="deviations",
    title="Distributions in the liquid",
    run=_deviations,
    jobs=[
        Jobs(DatasetPaths(), lambda plan: plan.datasets, rule="reference_deviations"),
        Jobs(ModelPaths(), lambda plan: plan.potentials),
    ],
    inputs=[
        Input(
            "distributions",
            lambda plan, about: about.rows("distributions"),
            "Curves of the evaluation distributions, CSV.",
        ),
        Input(
            "reference",
            lambda plan, about: DatasetPaths(about.dataset).rows("distributions"),
            "The same of the reference.",
        ),
    ],
    metrics=UNITS["distributions"],
    asked_by="distributions",
    local=True,
    figures=[
        Figure(
            "deviations",
            title="Deviations from the reference liquid",
            caption="Total absolute errors (TAE) of the distributions in the liquid, means over "
            "all pairs, triplets or species: the integral of the distance from the reference's "
            "distribution. A dot is a member, a bar the mean over members, a diamond the ensemble. "
            "The reference's own bar is the noise of the reference alone; how much noise of short "
            "trajectories makes, the table has as tae_noise.",
            draw=_figure("figures.deviations", "deviations"),
        ),
        Figure(
            "pairs",
            title="Radial distribution functions of pairs",
            caption="Radial distribution functions g(r) of each pair of species. Lines are means "
            "over the trajectories of all members, bands their standard deviations; trajectories "
            "that an ensemble's mean forces drove have a line of their own, and the reference is "
            "black.",
            draw=_figure("figures.distributions", "pairs"),
            files=_curves,
            read=read_curves,
        ),
        Figure(
            "adf",
            title="Angular distribution functions",
            caption="Distributions of the angle that two neighbours make at a third, at the "
            "largest cut-off; titles name a neighbour, the one in the middle and the other "
            "neighbour. Lines are means over the trajectories of all members, bands their standard "
            "deviations; trajectories that an ensemble's mean forces drove have a line of their "
            "own, and the reference is black.",
            draw=_figure("figures.distributions", "adf"),
            files=_curves,
            read=read_curves,
        ),
        Figure(
            "cdf",
            title="Clusters",
            caption="Distances at which the clusters of each species merge by single linkage. "
            "Above, over whole trajectories: lines are means over those of all members, bands "
            "their standard deviations, trajectories that an ensemble's mean forces drove have a "
            "line of their own, and the reference is black. Below, windows of the trajectories of "
            "each line from dark to bright: where clusters grow, the peak shrinks and distances "
            "get longer.",
            draw=_figure("figures.distributions", "cdf"),
            files=_curves,
            read=read_curves,
        ),
    ],
)


def _recommended(job: Job) -> None:
    """Find the smallest, fastest and leanest student that is about as good as its teacher.

    Example: mlipkd evaluate recommended --settings recommended.yaml --cost cost.csv
    --folder recommended --output recommended.csv teachers/seed0/model.safetensors
    students/seed0/model.safetensors
    """
    from mlipkd.evaluation.core.ensembles import source_of
    from mlipkd.evaluation.recommended import recommend
    from mlipkd.hipnn.file import load_potential

    costs, source = read_rows(job.file("cost"))
    potentials = {path: load_potential(path) for path in job.files["models"]}
    rows, notes = recommend(job.section, potentials, costs, job.file("folder"))
    sources = [source, *(source_of(path, one) for path, one in potentials.items())]
    write_rows(job.output, rows, sources, notes)


RECOMMENDED = Evaluation(
    name="recommended",
    title="Recommendation",
    run=_recommended,
    jobs=[Jobs(DatasetPaths(), lambda plan: plan.datasets)],
    inputs=[
        Input(
            "cost", lambda plan, about: about.rows("cost"), "Rows of the cost of all models, CSV."
        ),
        Input(
            "models",
            lambda plan, about: [m.weights for m in plan.recommendable(about.dataset)],
            "Model files of teachers and candidates.",
            several=True,
        ),
    ],
    outputs=[
        Output(
            "folder",
            lambda about: about.recommended,
            "Folder to copy the recommended model files into.",
            folder=True,
        )
    ],
    metrics=UNITS["recommended"],
    section=Recommendation,
    layout=by_subset,
    introduction=lambda section: (
        "The smallest, the fastest and the leanest student whose validation error of "
        f"{section.by} is at most {1 + section.within:g} times that of {section.teacher}, both as "
        "means over seeds; the test split had no part in the choice. What is handed out is one "
        "member, of the seed that is named; its own error stands next to the mean."
    ),
    missing="No student is recommended: none was good enough.",
    local=True,
)
