"""g(r) of systems whose g(r) is known without the code."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mlipkd.config.evaluation import RdfEvaluation
from mlipkd.datasets.dataset import UNUSED, Dataset, offsets_from
from mlipkd.datasets.file import DatasetFile, write
from mlipkd.errors import InputError
from mlipkd.evaluation.rdf import evaluate_rdf, radial_distribution
from mlipkd.jobs import provenance


@pytest.fixture
def trajectory(tmp_path):
    """A function that writes frames as those of a member's liquid and opens them."""

    def made(frames: list[Atoms], seed: int = 0, failed: str | None = None) -> DatasetFile:
        by = {"family": "students", "model": "m", "seed": seed, "mlipkd": "0.1", "commit": "c"}
        size = len(frames[0])
        path = tmp_path / f"{seed}.h5"
        write(
            Dataset(
                name="al",
                species=np.concatenate([frame.numbers for frame in frames]).astype(np.uint8),
                positions=np.concatenate([frame.positions for frame in frames]),
                offsets=offsets_from(np.full(len(frames), size)),
                cells=np.array([frame.cell.array for frame in frames]),
                periodic=np.ones((len(frames), 3), bool),
                groups=np.zeros(len(frames), np.int64),
                splits=np.full(len(frames), UNUSED, np.uint8),
                labels={"reference": {"energy": np.zeros(len(frames))}},
                provenance=provenance.record(sampled_by=by, failed=failed),
            ),
            path,
        )
        return DatasetFile(path)

    return made


def gas(seed: int) -> Atoms:
    positions = np.random.default_rng(seed).random((600, 3)) * 20
    return Atoms("Al600", positions, cell=[20, 20, 20], pbc=True)


def test_ideal_gas(trajectory) -> None:
    g = np.array(list(radial_distribution(trajectory([gas(0), gas(1)]), 10, 0.5).values()))
    # Some 10,000 pairs in the outer shells: 1 % of noise.
    np.testing.assert_allclose(g[10:], 1, atol=0.04)
    assert g.mean() == pytest.approx(1, abs=0.05)


def test_shells_of_a_crystal(trajectory) -> None:
    """12, 6, 24 neighbours at a/√2, a, a√(3/2), and none in between."""
    crystal = bulk("Al", cubic=True) * (4, 4, 4)
    width, a = 0.1, 4.05
    found = radial_distribution(trajectory([crystal]), 5.0, width)
    r, g = np.array(list(found)), np.array(list(found.values()))
    shells = 4 / 3 * np.pi * ((r + width / 2) ** 3 - (r - width / 2) ** 3)
    neighbours = g * shells * (len(crystal) - 1) / crystal.get_volume()
    full = np.flatnonzero(neighbours)
    np.testing.assert_allclose(neighbours[full], [12, 6, 24])
    np.testing.assert_allclose(r[full], [a / 2**0.5, a, a * 1.5**0.5], atol=width / 2)


def test_a_triclinic_cell_is_the_same_crystal(trajectory) -> None:
    cubic = radial_distribution(trajectory([bulk("Al", cubic=True) * (3, 3, 3)]), 4.5, 0.1)
    primitive = bulk("Al") * (5, 5, 5)
    found = radial_distribution(trajectory([primitive]), 4.5, 0.1)
    # g stands over N - 1 atoms.
    np.testing.assert_allclose(
        np.array([*found.values()]) * 124 / 125, np.array([*cubic.values()]) * 107 / 108
    )


def test_cutoff_beyond_half_of_the_box(trajectory) -> None:
    with pytest.raises(InputError, match=r"at most half of the box, 10.00 Å, got 10.5"):
        radial_distribution(trajectory([gas(0)]), 10.5, 0.1)


def test_rows_of_a_member(trajectory) -> None:
    frames = trajectory([gas(0)], seed=3)
    rows, notes, source = evaluate_rdf(frames, RdfEvaluation(teacher="t", cutoff=5, bin=0.5))
    assert [row.metric for row in rows] == [f"g{0.25 + 0.5 * n:.3f}" for n in range(10)]
    assert {row[:4] for row in rows} == {("al", "students", "m", 3)}
    assert not notes
    assert source.sha256 == frames.sha256
    assert "mlipkd 0.1, commit c" in source.made_by


def test_a_failed_run_has_no_rows_but_a_note(trajectory) -> None:
    frames = trajectory([gas(0)], seed=3, failed="melting")
    rows, notes, _ = evaluate_rdf(frames, RdfEvaluation(teacher="t"))
    assert rows == []
    assert notes == ["students/m seed 3: no g(r), its run failed in the melting"]
