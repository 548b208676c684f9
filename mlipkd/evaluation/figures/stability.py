"""Stability: which trajectories fail, and when."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from mlipkd.evaluation.core.axes import Colours, line, models_of, panels_of, values_of
from mlipkd.evaluation.core.rows import POOLED, Row


def stability(rows: Sequence[Row], colours: Colours) -> Figure:
    """Trajectories against the time step: the fraction that failed, and how long those lasted.

    Fractions are of all seeds together, with the binomial interval of 95 %; times are means and
    standard deviations over members.
    """
    pooled = {(row.family, row.model, row.metric): row.value for row in rows if row.seed == POOLED}
    steps = sorted({float(m.removeprefix("dt").partition("/")[0]) for _, _, m in pooled})
    figure, ((fractions, times),) = panels_of(1, 2)
    for family, colour in colours.items():
        for model in models_of(rows, family):
            name = family if len(models_of(rows, family)) == 1 else f"{family} {model}"
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
                (step, values_of(rows, f"dt{step}/time_to_failure", family, model))
                for step in steps
            ]
            line(times, lasted, colour, name)
    fractions.set_ylabel("fraction of trajectories failed")
    fractions.set_ylim(-0.03, 1.03)
    fractions.legend(frameon=False)
    times.set_ylabel("time to failure, ps")
    times.set_ylim(bottom=0)
    for axes in (fractions, times):
        axes.set_xlabel("time step, fs")
    return figure
