"""Thinning: of tables of curves as many places as a person reads."""

import re
from collections.abc import Sequence

import numpy as np

from mlipkd.evaluation.core.rows import Row

PLACES = 10
#: Metrics at an epoch or a distance.
PLACED = re.compile(r"(?:epoch|g)(\d+(?:\.\d+)?)(?:/.*)?")


def thinned(rows: Sequence[Row]) -> list[Row]:
    """The rows of at most ten epochs or distances, evenly chosen, the first and the last kept."""
    places = sorted({float(found[1]) for row in rows if (found := PLACED.fullmatch(row.metric))})
    chosen = np.linspace(0, len(places) - 1, PLACES).round().astype(int).tolist()
    kept = {places[number] for number in chosen} if places else set()
    return [
        row
        for row in rows
        if not (found := PLACED.fullmatch(row.metric)) or float(found[1]) in kept
    ]
