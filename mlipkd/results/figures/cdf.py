"""CDF: at what distances the clusters of each species merge, and how that changes with time."""

from collections.abc import Sequence

from matplotlib import colormaps
from matplotlib.figure import Figure

from mlipkd.evaluation.curves import Curve
from mlipkd.results.figures.axes import Colours, panels_of, styles_of
from mlipkd.results.figures.curves import (
    distributions_of,
    draw_distribution,
    legend,
    line_of,
    lines_of,
)

#: The first window is dark and the last bright, but not so bright that it vanishes.
BRIGHTEST = 0.9


def cdf(curves: Sequence[Curve], colours: Colours) -> Figure:
    """Densities of merge distances, a column for each species.

    Above, of whole trajectories; below, a row of panels for each line above with its windows: where
    clusters grow, the peak shrinks and distances get longer from dark to bright.

    Raises:
        InputError: there is none.
    """
    whole = [name for name in distributions_of(curves, "cdf") if name.count("/") == 1]
    styles = styles_of(lines_of(curves), colours)
    figure, panels = panels_of(1 + len(styles), len(whole))
    for column, name in zip(panels.T, whole, strict=True):
        draw_distribution(column[0], curves, name, styles)
        column[0].set_title(name.partition("/")[2])
        for axes, (who, style) in zip(column[1:], styles.items(), strict=True):
            windows = _windows(curves, name, who)
            for place, window in enumerate(windows):
                colour = colormaps["viridis"](BRIGHTEST * place / max(1, len(windows) - 1))
                draw_distribution(axes, curves, window, {who: {"color": colour}})
            axes.sharex(column[0])
            axes.sharey(column[0])
            axes.set_title(f"{style['label']}, windows", fontsize="small")
        column[-1].set_xlabel("merge distance, Å")
    for axes in panels[:, 0]:
        axes.set_ylabel("p(d), 1/Å")
    legend(figure, styles)
    return figure


def _windows(curves: Sequence[Curve], name: str, who: tuple[str, str]) -> list[str]:
    """The windows of one distribution that a line has, first to last."""
    return list(
        dict.fromkeys(
            curve.distribution
            for curve in curves
            if line_of(curve) == who and curve.distribution.startswith(f"{name}/")
        )
    )
