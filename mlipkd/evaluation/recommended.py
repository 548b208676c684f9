"""Recommendation: the students that cost least among those that are about as good as their teacher.

Models are measured by the validation error of the saved weights, as a mean over seeds: the
test split has no part in the choice, so errors on it stay what the chosen will show elsewhere. Of
the model that is chosen, the member of the lowest validation loss is handed out.
"""

import shutil
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveFloat

from mlipkd.config.section import Name, Section
from mlipkd.errors import InputError
from mlipkd.evaluation.core.evaluation import Evaluation, Input, Job, Jobs, Output, Plan
from mlipkd.evaluation.core.grid import by_subset
from mlipkd.evaluation.core.rows import Row, read_rows, write_rows
from mlipkd.jobs import artefacts
from mlipkd.paths import DatasetPaths

if TYPE_CHECKING:
    from mlipkd.hipnn.file import Potential

#: What is recommended for which cost.
LEAST = {"smallest": "weights", "fastest": "time", "leanest": "memory"}

METRICS = {
    "weights": "1",
    "time": "µs/atom/step",
    "memory": "kB/atom",
    "energy_validation_rmse_mean": "eV",
    "forces_validation_rmse_mean": "eV/Å",
    "energy_validation_rmse_member": "eV",
    "forces_validation_rmse_member": "eV/Å",
    "of_teacher": "1",
}

Model = tuple[str, str]
"""Family and name of the architecture."""


class Recommendation(Section):
    """Which student to use: the smallest, fastest and leanest about as good as its teacher."""

    teacher: Name
    """The trained family that others are measured by; of these, all that learn are candidates."""
    by: Literal["energy", "forces"] = "forces"
    """The reference label whose validation error counts; all their recipes have a term of it."""
    within: PositiveFloat = 0.2
    """How much larger than the teacher's a candidate's error may be, as a fraction."""


def run(job: Job) -> None:
    """Find the smallest, fastest and leanest student that is about as good as its teacher.

    Example: mlipkd evaluate recommended --settings recommended.yaml --cost cost.csv
    --folder recommended --output recommended.csv teachers/seed0/model.safetensors
    students/seed0/model.safetensors
    """
    from mlipkd.evaluation.core.ensembles import source_of
    from mlipkd.hipnn.file import load_potential

    costs, source = read_rows(job.file("cost"))
    potentials = {path: load_potential(path) for path in job.files["models"]}
    rows, notes = recommend(job.section, potentials, costs, job.file("folder"))
    sources = [source, *(source_of(path, potential) for path, potential in potentials.items())]
    write_rows(job.output, rows, sources, notes)


def recommend(
    settings: Recommendation,
    models: "Mapping[Path, Potential]",
    costs: Sequence[Row],
    output: Path,
) -> tuple[list[Row], list[str]]:
    """Copy the recommended model files into a folder and say what each costs.

    Where no student is good enough, nothing is recommended, and a note says how good the best is.
    What was recommended before is removed.

    Args:
        settings: the teacher, the label that counts and how much worse a student may be.
        models: those of the teacher's family and all candidates, of one dataset, by file.
        costs: rows of the evaluation ``cost``; those of other datasets are left out.
        output: folder to write ``smallest.safetensors`` and so on into.

    Returns:
        For each recommendation, and for the teacher to compare, its costs, the mean over seeds of
        its validation error, the validation error of the member that is handed out, and the mean as
        a fraction of the teacher's (``of_teacher``); and notes for the reader.

    Raises:
        InputError: models are of several datasets, a recipe has no reference term of the label, or
            a cost is missing.
    """
    dataset = _dataset_of(models)
    members: dict[Model, list[tuple[Path, Potential]]] = defaultdict(list)
    for path, potential in models.items():
        members[potential.metadata["family"], potential.metadata["model"]].append((path, potential))
    errors = {
        model: statistics.fmean(_error(path, member, settings.by) for path, member in of_model)
        for model, of_model in members.items()
    }
    teachers = [model for model in errors if model[0] == settings.teacher]
    candidates = [model for model in errors if model[0] != settings.teacher]
    teacher = min(teachers, key=errors.__getitem__)
    good = [m for m in candidates if errors[m] <= (1 + settings.within) * errors[teacher]]
    if not good:
        _clear(output)
        best = min(errors[model] for model in candidates) / errors[teacher]
        note = (
            f"no student is recommended: expected a validation error of {settings.by} of at most "
            f"{1 + settings.within:g} times the teacher's {errors[teacher]:.4g}, got {best:.2f} "
            "times at best; train larger students, or raise evaluations.recommended.within"
        )
        return [], [note]

    cost = {
        ((row.family, row.model), row.metric): row.value
        for row in costs
        if row.dataset == dataset and row.at is None
    }
    for model in (teacher, *good):
        for metric in LEAST.values():
            if (model, metric) not in cost:
                raise InputError(
                    f"{output}: expected the {metric} of {'/'.join(model)}, got none among the "
                    "rows of cost; evaluate the cost of all models"
                )
    chosen = {"teacher": teacher}
    for name, least in LEAST.items():
        # Of models that cost the same, the better one.
        chosen[name] = min(good, key=lambda model: (cost[model, least], errors[model]))
    rows = []
    _clear(output)
    for name, model in chosen.items():
        path, potential = min(
            members[model], key=lambda member: member[1].metadata["training"]["best_loss"]
        )
        if name in LEAST:
            with artefacts.writing(output / f"{name}.safetensors") as temporary:
                shutil.copyfile(path, temporary)
        metrics = {
            **{metric: cost[model, metric] for metric in LEAST.values()},
            f"{settings.by}_validation_rmse_mean": errors[model],
            f"{settings.by}_validation_rmse_member": _error(path, potential, settings.by),
            "of_teacher": errors[model] / errors[teacher],
        }
        seed = potential.metadata["seed"]
        rows += [
            Row(dataset, *model, seed, metric, value, METRICS[metric], name)
            for metric, value in metrics.items()
        ]
    return rows, []


def _dataset_of(models: "Mapping[Path, Potential]") -> str:
    """The dataset that all models are of."""
    path, first = next(iter(models.items()))
    dataset = first.metadata["dataset"]
    for other, potential in models.items():
        if (different := potential.metadata["dataset"]) != dataset:
            raise InputError(
                f"{other}: expected models of one dataset, got one of {different} and, in {path}, "
                f"one of {dataset}; recommend of each dataset's by itself"
            )
    return dataset


def _clear(output: Path) -> None:
    """Make the folder, without what was recommended before."""
    output.mkdir(parents=True, exist_ok=True)
    for name in LEAST:
        old = output / f"{name}.safetensors"
        for path in (old, artefacts.sidecar(old)):
            path.unlink(missing_ok=True)


def _error(path: Path, potential: "Potential", label: str) -> float:
    """A member's validation RMSE of a reference label, eV or eV/Å."""
    validation = potential.metadata["training"].get("validation", {})
    if f"reference {label}" not in validation:
        raise InputError(
            f"{path}: expected a model with a validation error of reference {label}, got errors of "
            f"{', '.join(validation) or 'nothing'}; set evaluations.recommended.by to a label that "
            "all recipes have a term of"
        )
    return validation[f"reference {label}"]["rmse"]


def _teachers_and_candidates(plan: Plan, dataset: DatasetPaths) -> list[str]:
    """The model files that a recommendation compares."""
    section = plan.section(dataset)
    families = {section.evaluations.recommended.teacher, *section.candidates()}
    return [
        member.weights
        for model in plan.trained
        if model.dataset == dataset.dataset and model.family in families
        for member in plan.members_of(model)
    ]


RECOMMENDED = Evaluation(
    name="recommended",
    title="Recommendation",
    run=run,
    jobs=[Jobs(DatasetPaths(), lambda plan: plan.datasets)],
    inputs=[
        Input(
            "cost", lambda plan, about: about.rows("cost"), "Rows of the cost of all models, CSV."
        ),
        Input(
            "models",
            _teachers_and_candidates,
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
