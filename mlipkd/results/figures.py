"""Figures: the tables as pictures, each of one dataset.

A family has the same colour in all of them. Dots are members, a bar their mean, a diamond the
ensemble, the mean of the members' predictions (compare Matin et al., arXiv 2503.14293, Figs. 2-6).
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mlipkd.config.calculator import CALCULATOR
from mlipkd.errors import InputError
from mlipkd.evaluation.rows import ENSEMBLE, POOLED, Row

#: Distinct for all kinds of colour vision (Paul Tol's muted scheme, https://sronpersonalpages.nl/~pault/).
COLOURS = (
    *("#332288", "#cc6677", "#117733", "#ddcc77", "#88ccee"),
    *("#882255", "#44aa99", "#999933", "#aa4499", "#000000"),
)
PANEL = 3.2  # inches
SUBJECTS = {
    "energy": "E",
    "energy_per_atom": "E per atom",
    "conformer_energy": "ΔE",
    "forces": "F",
}


def errors(rows: Sequence[Row]) -> Figure:
    """Errors on the test split: energy per atom and forces of each family and model."""
    metrics = [m for m in ("energy_per_atom_rmse", "forces_rmse") if _has(rows, m)]
    figure, panels = _panels(1, len(metrics))
    for axes, metric in zip(panels[0], metrics, strict=True):
        _compare(axes, rows, metric)
        axes.set_title("test split")
    return figure


def comp6(rows: Sequence[Row]) -> Figure:
    """Errors on COMP6: a column for each subset, a row for each of E, ΔE and F."""
    subsets = list(dict.fromkeys(row.metric.partition("/")[0] for row in rows))
    subjects = [
        subject
        for subject in ("energy", "conformer_energy", "forces")
        if any(_has(rows, f"{subset}/{subject}_rmse") for subset in subsets)
    ]
    figure, panels = _panels(len(subjects), len(subsets))
    for subject, line in zip(subjects, panels, strict=True):
        for subset, axes in zip(subsets, line, strict=True):
            if _has(rows, f"{subset}/{subject}_rmse"):
                _compare(axes, rows, f"{subset}/{subject}_rmse")
                axes.set_title(subset)
            else:
                axes.set_axis_off()
    return figure


def capacity(rows: Sequence[Row]) -> Figure:
    """Errors against the architecture, of the families that have several; lines join the means."""
    wanted = ("all/energy_rmse", "all/conformer_energy_rmse", "energy_per_atom_rmse", "forces_rmse")
    metrics = [metric for metric in wanted if _has(rows, metric)]
    colours = _colours(rows)
    grids = [family for family in colours if len(_models(rows, family)) > 1]
    shapes = sorted({model for family in grids for model in _models(rows, family)}, key=_natural)
    figure, panels = _panels(1, len(metrics))
    for axes, metric in zip(panels[0], metrics, strict=True):
        for family in grids:
            found = [(n, _values(rows, metric, family, own)) for n, own in enumerate(shapes)]
            _line(axes, found, colours[family], family)
        _name(axes, rows, metric)
        axes.set_xticks(range(len(shapes)), _differences(shapes), rotation=45, ha="right")
        axes.legend(frameon=False)
    return figure


def stability(rows: Sequence[Row]) -> Figure:
    """Trajectories against the time step: the fraction that failed, and how long those lasted.

    Fractions are of all seeds together, with the binomial interval of 95 %; times are means and
    standard deviations over members.
    """
    pooled = {(row.family, row.model, row.metric): row.value for row in rows if row.seed == POOLED}
    steps = sorted({float(m.removeprefix("dt").partition("/")[0]) for _, _, m in pooled})
    figure, ((fractions, times),) = _panels(1, 2)
    for family, colour in _colours(rows).items():
        for model in _models(rows, family):
            name = family if len(_models(rows, family)) == 1 else f"{family} {model}"
            low, failed, high = (
                np.array([pooled[family, model, f"dt{step}/{what}"] for step in steps])
                for what in ("failed_low", "failed", "failed_high")
            )
            fractions.errorbar(
                steps,
                failed,
                yerr=[failed - low, high - failed],
                color=colour,
                marker="o",
                capsize=3,
                label=name,
            )
            lasted = [
                (step, _values(rows, f"dt{step}/time_to_failure", family, model)) for step in steps
            ]
            _line(times, lasted, colour, name)
    fractions.set_ylabel("fraction of trajectories failed")
    fractions.set_ylim(-0.03, 1.03)
    fractions.legend(frameon=False)
    times.set_ylabel("time to failure, ps")
    times.set_ylim(bottom=0)
    for axes in (fractions, times):
        axes.set_xlabel("time step, fs")
    return figure


def pareto(rows: Sequence[Row]) -> Figure:
    """Errors of forces, or of energies where there are none, against what a model costs.

    Means over seeds; bars are standard deviations. Below and to the left is better.
    """
    error = "forces_rmse" if _has(rows, "forces_rmse") else "energy_per_atom_rmse"
    costs = ("time", "memory", "weights")
    figure, panels = _panels(1, len(costs))
    for axes, cost in zip(panels[0], costs, strict=True):
        for family, colour in _colours(rows).items():
            found = [
                (at, _values(rows, error, family, model))
                for model in _models(rows, family)
                for at in _values(rows, cost, family, model)[:1]
            ]
            _line(axes, sorted(found), colour, family)
        _name(axes, rows, error)
        unit = next(row.unit for row in rows if row.metric == cost)
        axes.set_xlabel(f"{cost}, {unit}" if unit != "1" else f"number of {cost}")
        axes.set_xscale("log")
    panels[0][0].legend(frameon=False)
    return figure


FIGURES: dict[str, Callable[[Sequence[Row]], Figure]] = {
    "errors": errors,
    "comp6": comp6,
    "capacity": capacity,
    "stability": stability,
    "pareto": pareto,
}


def draw(kind: str, rows: Sequence[Row], dataset: str) -> Figure:
    """A figure of one dataset.

    Args:
        kind: one of FIGURES.
        rows: of a table; those of other datasets are left out.
        dataset: its name.

    Raises:
        InputError: the table has no rows of the dataset.
    """
    own = [row for row in rows if row.dataset == dataset]
    if not own:
        known = ", ".join(dict.fromkeys(row.dataset for row in rows)) or "nothing"
        raise InputError(f"wanted rows of the dataset {dataset!r}, got {known}; name one of these")
    return FIGURES[kind](own)


def _compare(axes: Axes, rows: Sequence[Row], metric: str) -> None:
    """One metric of every family and model, side by side.

    But for total energies of calculators, which are those of another method and off by a constant.
    """
    labels: list[str] = []
    for family, colour in _colours(rows).items():
        models = [model for model in _models(rows, family) if _values(rows, metric, family, model)]
        if metric.rpartition("/")[2].startswith("energy"):
            models = [model for model in models if model != CALCULATOR]
        for model in models:
            values, place = _values(rows, metric, family, model), len(labels)
            labels.append(family if len(models) == 1 else f"{family} {model}")
            axes.bar(place, np.mean(values), color=colour, alpha=0.35, width=0.7)
            spots = place + np.linspace(-0.2, 0.2, len(values))
            axes.plot(spots, values, "o", color=colour, markersize=3)
            for ensemble in _values(rows, metric, family, model, ENSEMBLE):
                axes.plot(place, ensemble, "D", color=colour, mfc="white", markersize=6)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    _name(axes, rows, metric)


def _line(
    axes: Axes, points: Sequence[tuple[float, list[float]]], colour: str, family: str
) -> None:
    """The mean and, as a bar, the standard deviation of the values at each place."""
    points = [(at, values) for at, values in points if values]
    axes.errorbar(
        [at for at, _ in points],
        [np.mean(values) for _, values in points],
        yerr=[float(np.std(values, ddof=1)) if len(values) > 1 else 0 for _, values in points],
        color=colour,
        marker="o",
        capsize=3,
        label=family,
    )


def _panels(lines: int, columns: int) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(PANEL * columns + 0.6, PANEL * lines), layout="constrained")
    return figure, figure.subplots(lines, columns, squeeze=False)


def _name(axes: Axes, rows: Sequence[Row], metric: str) -> None:
    """What the ordinate is."""
    subset, _, name = metric.rpartition("/")
    subject, _, error = name.rpartition("_")
    unit = next(row.unit for row in rows if row.metric == metric)
    of = f" ({subset})" if subset == "all" else ""
    axes.set_ylabel(f"{SUBJECTS[subject]} {error.upper()}{of}, {unit}")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(6))


def _colours(rows: Sequence[Row]) -> dict[str, str]:
    """Families in the table's order, and their colours."""
    families = list(dict.fromkeys(row.family for row in rows))
    return {family: COLOURS[place % len(COLOURS)] for place, family in enumerate(families)}


def _models(rows: Sequence[Row], family: str) -> list[str]:
    return list(dict.fromkeys(row.model for row in rows if row.family == family))


def _values(
    rows: Sequence[Row], metric: str, family: str, model: str, seed: str | None = None
) -> list[float]:
    """Those of the members, or of one other seed: ``ensemble``."""
    return [
        row.value
        for row in rows
        if (row.metric, row.family, row.model) == (metric, family, model)
        and (row.seed == seed if seed else isinstance(row.seed, int))
    ]


def _has(rows: Sequence[Row], metric: str) -> bool:
    return any(row.metric == metric for row in rows)


def _natural(name: str) -> list[int | str]:
    """A key that sorts the numbers in names as numbers."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _differences(shapes: Sequence[str]) -> list[str]:
    """Names of architectures without the parts that all have in common."""
    parts = [shape.split("-") for shape in shapes]
    told = [column for column in zip(*parts, strict=True) if len(set(column)) > 1]
    return [" ".join(names) for names in zip(*told, strict=True)]
