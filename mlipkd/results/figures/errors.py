"""Errors, on the test split, on COMP6 and of curvature: families and models side by side."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mlipkd.config.calculator import CALCULATOR
from mlipkd.evaluation.rows import ENSEMBLE, Row
from mlipkd.results.figures.axes import colours_of, name_ordinate, panels_of
from mlipkd.results.figures.selection import has, models_of, values_of


def errors(rows: Sequence[Row]) -> Figure:
    """Errors on the test split: energy per atom and forces of each family and model."""
    metrics = [m for m in ("energy_per_atom_rmse", "forces_rmse") if has(rows, m)]
    figure, panels = panels_of(1, len(metrics))
    for axes, metric in zip(panels[0], metrics, strict=True):
        compare(axes, rows, metric)
        axes.set_title("test split")
    return figure


def comp6(rows: Sequence[Row]) -> Figure:
    """Errors on COMP6: a column for each subset, a row for each of E, ΔE and F."""
    subsets = list(dict.fromkeys(row.metric.partition("/")[0] for row in rows))
    subjects = [
        subject
        for subject in ("energy", "conformer_energy", "forces")
        if any(has(rows, f"{subset}/{subject}_rmse") for subset in subsets)
    ]
    figure, panels = panels_of(len(subjects), len(subsets))
    for subject, across in zip(subjects, panels, strict=True):
        for subset, axes in zip(subsets, across, strict=True):
            if has(rows, f"{subset}/{subject}_rmse"):
                compare(axes, rows, f"{subset}/{subject}_rmse")
                axes.set_title(subset)
            else:
                axes.set_axis_off()
    return figure


def curvature(rows: Sequence[Row]) -> Figure:
    """Errors of Hessians on each kind of configurations, and of frequencies on the test split."""
    metrics = [
        metric
        for metric in dict.fromkeys(row.metric for row in rows)
        if metric.endswith(("/hessian_rmse", "/frequencies_mae"))
        and not metric.startswith("trained/")
    ]
    figure, panels = panels_of(1, max(1, len(metrics)))
    for axes, metric in zip(panels[0], metrics, strict=False):
        compare(axes, rows, metric)
        axes.set_title(metric.partition("/")[0])
    return figure


def compare(axes: Axes, rows: Sequence[Row], metric: str) -> None:
    """One metric of every family and model, side by side.

    But for total energies of calculators, which are those of another method and off by a constant.
    """
    labels: list[str] = []
    for family, colour in colours_of(rows).items():
        models = [
            model for model in models_of(rows, family) if values_of(rows, metric, family, model)
        ]
        if metric.rpartition("/")[2].startswith("energy"):
            models = [model for model in models if model != CALCULATOR]
        for model in models:
            values, place = values_of(rows, metric, family, model), len(labels)
            labels.append(family if len(models) == 1 else f"{family} {model}")
            axes.bar(place, np.mean(values), color=colour, alpha=0.35, width=0.7)
            spots = place + np.linspace(-0.2, 0.2, len(values))
            axes.plot(spots, values, "o", color=colour, markersize=3)
            for ensemble in values_of(rows, metric, family, model, ENSEMBLE):
                axes.plot(place, ensemble, "D", color=colour, mfc="white", markersize=6)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    name_ordinate(axes, rows, metric)
