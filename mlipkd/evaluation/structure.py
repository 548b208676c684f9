"""Structure: how far the radial distribution functions of members are from a teacher's.

By the total absolute error TAE = Σ |g(r) − g_ref(r)| Δr (Matin et al., Digital Discovery 4, 2502
(2025)).
"""

from collections.abc import Sequence

import numpy as np

from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import UNITS, Row

#: How much of the far end of g(r) is asked whether it has come to 1, Å.
TAIL = 1.0

Member = tuple[str, str, str, int | str]
"""Dataset, family, model and seed."""


def evaluate_structure(rows: Sequence[Row], reference: Sequence[Row]) -> list[Row]:
    """How far each member's g(r) is from a reference family's.

    - ``tae``: the total absolute error against the mean over the reference's members. A member
      of the reference itself is measured by the others: what seeds and time alone make.
    - ``peak``: where the first and highest maximum is.
    - ``tail``: mean of |g − 1| over the last Å.

    Args:
        rows: of ``evaluate_rdf``, of members of one model.
        reference: the same, of the teacher's model.

    Raises:
        InputError: they are binned differently.
    """
    curves, references = _curves(rows), _curves(reference)
    found = []
    for who, (r, g) in curves.items():
        for name, (other, _) in references.items():
            if not np.array_equal(r, other):
                raise InputError(
                    f"{_bins(name, other)}, but {_bins(who, r)}: expected the same bins of both; "
                    "evaluate both g(r) with the same settings"
                )
        # The same member may have been run again, by another engine say: that is no comparison
        # with itself.
        others = [
            curve
            for name, (_, curve) in references.items()
            if name != who or not np.array_equal(curve, g)
        ]
        values = {
            "peak": r[g.argmax()],
            "tail": np.abs(g - 1)[r > r[-1] - TAIL].mean(),
        }
        if others:
            width = r[1] - r[0]
            values = {"tae": np.abs(g - np.mean(others, axis=0)).sum() * width, **values}
        found += [
            Row(*who, metric, float(value), UNITS["structure"][metric])
            for metric, value in values.items()
        ]
    return found


def _bins(who: Member, r: np.ndarray) -> str:
    """How the g(r) of a member is binned, by the middles of the bins (bins,), Å."""
    _, family, model, seed = who
    return f"{family}/{model} seed {seed} has {len(r)} bins from {r[0]:g} to {r[-1]:g} Å"


def _curves(rows: Sequence[Row]) -> dict[Member, tuple[np.ndarray, np.ndarray]]:
    """r and g of each member: (bins,) each."""
    points: dict[Member, list[tuple[float, float]]] = {}
    for row in rows:
        points.setdefault(row[:4], []).append((float(row.metric.removeprefix("g")), row.value))
    return {who: tuple(np.array(sorted(curve)).T) for who, curve in points.items()}
