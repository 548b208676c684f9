"""The user's own evaluations: functions that ask an ASE calculator whatever they like."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from mlipkd.config.functions import OwnFunction
from mlipkd.config.section import NAME_PATTERN, Name
from mlipkd.errors import InputError
from mlipkd.evaluation.core.evaluation import DATASET, MODELS, Evaluation, Input, Job, Jobs, Plan
from mlipkd.evaluation.core.rows import Row, Source, write_rows
from mlipkd.imports import errors_in_user_code, find_function, module_file
from mlipkd.paths import ModelPaths

if TYPE_CHECKING:
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.ensembles import Ensemble


def run(job: Job) -> None:
    """An evaluation of your own: a function called for each member, and for their mean.

    Example: mlipkd evaluate own --settings own.yaml --dataset dataset.h5 --output own.csv
    teachers/seed*/model.safetensors
    """
    from mlipkd.datasets.file import DatasetFile
    from mlipkd.evaluation.core.ensembles import dataset_source, load_ensembles
    from mlipkd.jobs import artefacts
    from mlipkd.jobs.device import choose_device

    ensembles, sources = load_ensembles(job.files["models"], choose_device(job.device, job.threads))
    with DatasetFile(job.file("dataset")) as dataset:
        rows = [
            row
            for name, function in job.section.items()
            for row in evaluate_own(dataset, ensembles, name, function)
        ]
        sources.append(dataset_source(dataset))
    modules = [module_file("function", own.function) for own in job.section.values()]
    sources += [
        Source(str(module), artefacts.sha256(module), []) for module in dict.fromkeys(modules)
    ]
    write_rows(job.output, rows, sources)


def evaluate_own(
    dataset: "DatasetFile", ensembles: "Sequence[Ensemble]", name: str, own: OwnFunction
) -> list[Row]:
    """What the function returns for each member and, of several, for their mean.

    It is called as ``f(calculator, test, **options)``: ``test`` is the test split, a list of
    ``ase.Atoms`` with their reference labels, made anew for each call.

    Args:
        dataset: whose test split the function is given.
        ensembles: whose calculators it is given.
        name: of the evaluation, the subset of all its rows.
        own: the function and its options.

    Raises:
        InputError: the function cannot be imported, fails for a member, or returns something else
            than finite numbers with their units.
    """
    from mlipkd.datasets.atoms import labelled_atoms
    from mlipkd.evaluation.core.error_sums import whole_test_split
    from mlipkd.jobs.device import subnormal_numbers

    function = find_function("function", own.function)
    configurations = dataset.read(whole_test_split(dataset, ensembles))
    rows = []
    for ensemble in ensembles:
        for seed, calculator in ensemble.calculators():
            test = [labelled_atoms(configurations, m) for m in range(len(configurations))]
            who = f"{ensemble.family}/{ensemble.model} seed {seed}"
            with errors_in_user_code(own.function, f"{name} of {who}"), subnormal_numbers():
                answer = function(calculator, test, **own.options)
            rows += [
                ensemble.row(seed, metric, value, unit, name)
                for metric, value, unit in _metrics(f"{own.function} of {who}", answer)
            ]
    return rows


def _metrics(where: str, answer: object) -> Iterator[tuple[str, float, str]]:
    """Metric, value and unit of all that a function returned."""
    expected = "expected {metric: (value, unit)}, where values are finite and metrics are names"
    if not isinstance(answer, dict) or not answer:
        raise InputError(f"{where}: {expected}, got {answer!r}; return at least one")
    for metric, pair in answer.items():
        try:
            value, unit = pair
            number = float(value)
        except (TypeError, ValueError):
            number, unit = math.nan, None
        named = isinstance(metric, str) and re.fullmatch(NAME_PATTERN, metric)
        if not (named and isinstance(unit, str) and math.isfinite(number)):
            raise InputError(f"{where}: {expected}, got {metric!r}: {pair!r}; fix the function")
        yield metric, number, unit


@dataclass(frozen=True)
class OwnPaths(ModelPaths):
    """All members of one model, and the name of an evaluation."""

    evaluation: str = "{evaluation}"


def _all(plan: Plan) -> list[OwnPaths]:
    return [
        OwnPaths(model.dataset, model.family, model.model, evaluation)
        for model in plan.models
        for evaluation in plan.section(model).evaluations.own
    ]


def _module(plan: Plan, about: OwnPaths) -> str:
    function = plan.section(about).evaluations.own[about.evaluation].function
    where = f"datasets.{about.dataset}.evaluations.own.{about.evaluation}.function"
    return str(module_file(where, function))


OWN = Evaluation(
    name="own",
    title="Own evaluations",
    run=run,
    jobs=[Jobs(OwnPaths(), _all)],
    inputs=[Input("module", _module), DATASET, MODELS],
    section=dict[Name, OwnFunction],
    default=Field(
        default={},
        description="Functions of one's own, by name: `f(calculator, test, **options)` is called "
        "for each member\nand for several members' mean, and returns "
        "`{metric: (value, unit)}`.",
    ),
    stem="own.{evaluation}",
    threads=4,
    device=True,
    megabytes=8000,
    minutes=240,
)
