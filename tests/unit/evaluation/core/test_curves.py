"""Curves: what is written is read, and what cannot be put together is refused."""

import numpy as np
import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.core.curves import UNITS, Curve, read_curves, stacked, write_curves
from mlipkd.evaluation.core.rows import ENSEMBLE, Source
from mlipkd.jobs import artefacts


def curve(
    values=(1.0, 2.0), width: float = 0.1, replica: int = 0, kind="rdf", species="a-b", cutoff=None
) -> Curve:
    bin_unit, unit = UNITS[kind]
    return Curve(
        "des", "f", "m", 3, replica, kind, species, cutoff, None, unit, width, bin_unit,
        np.array(values),
    )  # fmt: skip


def test_what_is_written_is_read(tmp_path) -> None:
    path = tmp_path / "curves.csv"
    written = curve((0.0, 1 / 3), 0.7, 2, "adf", "a-b-a", 6.5)
    write_curves(path, [written], [Source("frames.h5", "0", ["mlipkd 0.1"])], ["a note"])
    (read,), source = read_curves(path)
    assert read[:-1] == written[:-1] == (
        "des", "f", "m", 3, 2, "adf", "a-b-a", 6.5, None, "1/degree", 0.7, "degree",
    )  # fmt: skip
    np.testing.assert_allclose(read.values, written.values, rtol=1e-5)
    assert source.sha256 == artefacts.sha256(path)
    assert "mlipkd 0.1" in source.made_by


def test_an_ensemble_has_curves(tmp_path) -> None:
    write_curves(tmp_path / "curves.csv", [curve()._replace(seed=ENSEMBLE)], [], [])
    ((read,), _) = read_curves(tmp_path / "curves.csv")
    assert read.seed == ENSEMBLE


@pytest.mark.parametrize("bad", ["1 nan", "1 two", "1 2,3"])
def test_damaged_lines(tmp_path, bad) -> None:
    path = tmp_path / "curves.csv"
    write_curves(path, [curve(), curve()], [], [])
    artefacts.write_text(path, path.read_text().replace("1 2\n", f"{bad}\n", 1))
    with pytest.raises(InputError, match=r"line 2: .*; evaluate again"):
        read_curves(path)


@pytest.mark.parametrize("other", [curve(values=(1, 2, 3)), curve(width=0.2)])
def test_differently_binned(other) -> None:
    with pytest.raises(InputError, match=r"expected 2 bins of 0.1 Å as of f/m, got \d of 0"):
        stacked([curve(), other])


def test_merge_distances_go_on_with_zeros() -> None:
    both = stacked([curve((1, 2), kind="cdf"), curve((1, 2, 3), kind="cdf")])
    assert both.tolist() == [[1, 2, 0], [1, 2, 3]]
    with pytest.raises(InputError, match="evaluate both with the same settings"):
        stacked([curve(kind="cdf"), curve(width=0.05, kind="cdf")])


def test_windows_are_read(tmp_path) -> None:
    write_curves(
        tmp_path / "curves.csv", [curve(kind="cdf", species="a")._replace(window=2)], [], []
    )
    ((read,), _) = read_curves(tmp_path / "curves.csv")
    assert (read.window, read.cutoff, read.name) == (2, None, "cdf/a/window2")
