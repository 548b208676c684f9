"""Evaluations of one's own: a function that asks an ASE calculator whatever it likes."""

import math
import re
from collections.abc import Iterator, Sequence

from mlipkd.campaign.settings import OwnSettings
from mlipkd.config.section import NAME_PATTERN
from mlipkd.datasets.atoms import labelled_atoms
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError
from mlipkd.evaluation.core.ensembles import Ensemble
from mlipkd.evaluation.core.rows import Row
from mlipkd.evaluation.errors import whole_test_split
from mlipkd.imports import blamed, find_function
from mlipkd.jobs.device import subnormal_numbers


def evaluate_own(
    dataset: DatasetFile, ensembles: Sequence[Ensemble], settings: OwnSettings
) -> list[Row]:
    """What the function finds of each member and, of several, of their mean, as ``name/metric``.

    It is called as ``f(calculator, test, **options)``: ``test`` is the test split, a list of
    ``ase.Atoms`` with their reference labels, made anew for each call.

    Raises:
        InputError: the function cannot be imported, fails for a member, or returns something else
            than finite numbers with their units.
    """
    function = find_function("function", settings.function)
    configurations = dataset.read(whole_test_split(dataset, ensembles))
    rows = []
    for ensemble in ensembles:
        for seed, calculator in ensemble.calculators():
            test = [labelled_atoms(configurations, m) for m in range(len(configurations))]
            who = f"{ensemble.family}/{ensemble.model} seed {seed}"
            with blamed(settings.function, f"{settings.name} of {who}"), subnormal_numbers():
                found = function(calculator, test, **settings.options)
            for metric, value, unit in _answers(f"{settings.function} of {who}", found):
                rows.append(
                    Row(
                        ensemble.dataset, ensemble.family, ensemble.model, seed,
                        f"{settings.name}/{metric}", value, unit,
                    )
                )  # fmt: skip
    return rows


def _answers(where: str, found: object) -> Iterator[tuple[str, float, str]]:
    """Metric, value and unit of each answer."""
    wanted = "expected {metric: (value, unit)}, where values are finite and metrics are names"
    if not isinstance(found, dict) or not found:
        raise InputError(f"{where}: {wanted}, got {found!r}; return at least one")
    for metric, answer in found.items():
        try:
            value, unit = answer
            number = float(value)
        except (TypeError, ValueError):
            number, unit = math.nan, None
        named = isinstance(metric, str) and re.fullmatch(NAME_PATTERN, metric)
        if not (named and isinstance(unit, str) and math.isfinite(number)):
            raise InputError(f"{where}: {wanted}, got {metric!r}: {answer!r}; fix the function")
        yield metric, number, unit
