"""Comparison: students beside the controls of the same shape, which no teacher taught."""

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence

from mlipkd.campaign.sections import DatasetSection
from mlipkd.evaluation.core.grid import Grid, measured
from mlipkd.evaluation.core.rows import Row

HEADER = ["error", "model", "students", "", "controls", "", "change"]
METRICS = ("energy_per_atom_rmse", "forces_rmse")


def comparison(section: DatasetSection, rows: Sequence[Row]) -> Grid:
    """Errors on the test split of each taught family beside each untaught one, by architecture.

    Args:
        section: the campaign's part that says who was taught.
        rows: of the table ``errors``, of this dataset.

    Returns:
        Means and standard deviations over members, and by how much the students' mean differs, as
        a fraction of the controls' with its standard error: that of the spread of seeds alone, as
        students share an ensemble of teachers.
    """
    errors: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    units = {row.metric: row.unit for row in rows}
    for row in rows:
        if isinstance(row.seed, int):
            errors[row.metric, row.family, row.model].append(row.value)
    trained = [name for name, family in section.families.items() if family.recipe]
    taught = [name for name in trained if section.families[name].learns_from]
    controls = [name for name in trained if name not in taught]
    lines = []
    for metric in METRICS:
        name = f"{metric}, {units.get(metric)}"
        for student in taught:
            for model in section.models(student):
                for control in controls:
                    own, other = errors[metric, student, model], errors[metric, control, model]
                    if own and other:
                        numbers = student, measured(own), control, measured(other)
                        lines.append([name, model, *numbers, change(own, other)])
                        name = ""
    return Grid(HEADER, lines)


def change(values: Sequence[float], others: Sequence[float]) -> str:
    """By how much the mean of values differs from that of others, in percent.

    With its standard error, to first order in those of both means, if both are of several values.
    """
    if not statistics.fmean(others):
        return ""
    ratio = statistics.fmean(values) / statistics.fmean(others)
    found = f"{100 * (ratio - 1):+.0f}".replace("-", "−")
    if min(len(values), len(others)) == 1:
        return f"{found} %"
    error = 100 * ratio * math.hypot(_relative_error(values), _relative_error(others))
    return f"{found} ± {error:.0f} %"


def _relative_error(values: Sequence[float]) -> float:
    """The standard error of a mean, as a fraction of it."""
    mean = statistics.fmean(values)
    return statistics.stdev(values) / math.sqrt(len(values)) / mean if mean else 0.0
