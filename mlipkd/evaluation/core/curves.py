"""Curves: the form in which distributions are stored, a line of a table for each.

As rows they would be hundreds of thousands for each model. Next to a file of curves lies
``<name>.json``, as next to a file of rows.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import ENSEMBLE, Source, read_table, write_table

#: The units of bins and of values, by kind.
UNITS = {"rdf": ("Å", "1"), "adf": ("degree", "1/degree"), "cdf": ("Å", "1/Å")}
#: The family, model and seed of a dataset that no member made.
REFERENCE = "reference", "dataset", 0


class Curve(NamedTuple):
    """A distribution in one replica, a run of a member or a trajectory of the reference."""

    dataset: str
    family: str
    model: str
    seed: int | str
    """The member's seed, or ``ensemble``."""
    replica: int
    kind: str
    """``rdf``, ``adf`` or ``cdf``."""
    species: str
    """``<a>-<b>`` of an RDF, ``<a>-<middle>-<b>`` of an ADF, ``<a>`` of a CDF."""
    cutoff: float | None
    """How far neighbours are at most in an ADF, Å."""
    window: int | None
    """Which part of the replica a CDF is of, from 1; none if of the whole replica."""
    unit: str
    """Of the values."""
    bin: float
    """Width of the bins, of which the first begins at zero."""
    bin_unit: str
    values: np.ndarray
    """(bins,)"""

    @property
    def distribution(self) -> tuple[str, str, float | None]:
        """What is compared with each other: kind, species and cut-off."""
        return self.kind, self.species, self.cutoff

    @property
    def name(self) -> str:
        """The distribution and the window, for messages."""
        cutoff = [] if self.cutoff is None else [f"{self.cutoff:g}"]
        window = [] if self.window is None else [f"window{self.window}"]
        return "/".join([self.kind, self.species, *cutoff, *window])


def stacked(curves: Sequence[Curve]) -> np.ndarray:
    """The values of one distribution in several replicas: (curves, bins).

    Merge distances are counted as far as there are any, so that shorter curves of them go on with
    zeros.

    Raises:
        InputError: they are binned differently.
    """
    first = curves[0]
    longest = max(len(curve.values) for curve in curves)
    for curve in curves:
        same_end = curve.kind == "cdf" or len(curve.values) == len(first.values)
        if curve.bin != first.bin or not same_end:
            raise InputError(
                f"{curve.name} of {curve.dataset}/{curve.family}/{curve.model} seed "
                f"{curve.seed}: expected {len(first.values)} bins of {first.bin:g} "
                f"{first.bin_unit} as of {first.family}/{first.model}, got {len(curve.values)} of "
                f"{curve.bin:g}; evaluate both with the same settings"
            )
    return np.array([np.pad(c.values, (0, longest - len(c.values))) for c in curves])


def write_curves(
    path: Path, curves: Iterable[Curve], sources: Iterable[Source], notes: Iterable[str]
) -> None:
    """Write curves as CSV, values with spaces between, and next to them what they are made from."""
    lines = ((*c[:-1], " ".join(f"{value:.6g}" for value in c.values)) for c in curves)
    write_table(path, Curve._fields, lines, sources, notes)


def read_curves(path: Path) -> tuple[list[Curve], Source]:
    """Read a file of curves, and what it says of itself.

    Raises:
        InputError: the file is damaged, its columns are others, or a value is not a finite number.
    """
    lines, source = read_table(path, Curve._fields)
    return [_curve(path, number, fields) for number, fields in enumerate(lines, start=2)], source


def _curve(path: Path, number: int, fields: list[str]) -> Curve:
    (
        dataset, family, model, seed, replica, kind, species, cutoff, window, unit, width, bin_unit,
        values,
    ) = fields  # fmt: skip
    try:
        numbers = np.array(values.split(), float)
        if not np.isfinite(numbers).all():
            raise ValueError("expected finite values")
        return Curve(
            dataset, family, model, seed if seed == ENSEMBLE else int(seed), int(replica), kind,
            species, float(cutoff) if cutoff else None, int(window) if window else None, unit,
            float(width), bin_unit, numbers,
        )  # fmt: skip
    except ValueError as error:
        raise InputError(f"{path}: line {number}: {error}; evaluate again") from None
