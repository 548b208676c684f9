"""Thinning: of tables of curves as many places as a person reads."""

from collections.abc import Sequence

import numpy as np

from mlipkd.evaluation.core.rows import Row

PLACES = 10


def thinned(rows: Sequence[Row]) -> list[Row]:
    """The rows at ten places at most, evenly chosen, the first and the last kept."""
    places = sorted({row.at for row in rows if row.at is not None})
    chosen = np.linspace(0, len(places) - 1, PLACES).round().astype(int).tolist()
    kept = {places[number] for number in chosen} if places else set()
    return [row for row in rows if row.at is None or row.at in kept]
