"""The demo on a cluster and on this computer: the same bits in every result."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from safetensors.torch import load_file

from tests.slurm.checkout import LOCAL, ROOT, SLURM, Checkout

#: The bits depend on the number of threads, so that both runs have the same.
THREADS = ("--set-threads", "train=1", "predict=1", "errors=1", "cost=2")


def shrunk(demo: dict) -> dict:
    """The demo with all of its datasets and families, but little of each."""
    for recipe in demo["recipes"].values():
        recipe["optimiser"]["epochs"] = 4
    for dataset in demo["datasets"].values():
        dataset["source"]["configurations"] = 64
        dataset["evaluations"]["cost"] = {"atoms": 108, "steps": 2}
        for name, family in dataset["families"].items():
            family["seeds"] = 2 if name == "teachers" else 1
            family["model"] = {"width": 4, "sensitivities": 6}
    return demo


@pytest.fixture(scope="module")
def folders(checkout) -> tuple[Path, Path]:
    """The campaign by SLURM and the same on this computer."""
    demo = yaml.safe_load((ROOT / "config.yaml").read_text())
    made: list[Checkout] = []
    for profile in (SLURM, LOCAL):
        made.append(checkout(shrunk(demo)))
        made[-1].finish(made[-1].start(*profile, *THREADS))
    return made[0].folder, made[1].folder


def paths_in(folder: Path, pattern: str) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.glob(pattern)}


def test_the_same_files(folders):
    slurm, local = (paths_in(folder, "results/**/*") for folder in folders)
    assert slurm == local
    assert "results/summary.md" in slurm


def test_the_same_weights(folders):
    names = paths_in(folders[0], "results/*/*/*/seed*/model.safetensors")
    assert len(names) == 9
    for name in names:
        slurm, local = (load_file(folder / name) for folder in folders)
        assert slurm.keys() == local.keys()
        assert all(slurm[key].equal(local[key]) for key in slurm), name


@pytest.mark.parametrize("kind", ["dataset", "predictions", "augmented"])
def test_the_same_arrays(folders, kind):
    names = paths_in(folders[0], f"results/**/{kind}.h5")
    assert len(names) == {"dataset": 2, "predictions": 4, "augmented": 2}[kind]
    for name in names:
        slurm, local = (arrays(folder / name) for folder in folders)
        assert slurm.keys() == local.keys()
        for key in slurm:
            np.testing.assert_array_equal(slurm[key], local[key], err_msg=f"{name}: {key}")


def arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an HDF5 file, by its name, except for its provenance."""
    with h5py.File(path) as file:
        names: list[str] = []
        file.visit(names.append)
        stored = (name for name in names if isinstance(file[name], h5py.Dataset))
        return {name: file[name][()] for name in stored if name != "provenance"}


def test_the_same_tables(folders):
    for table in ("errors", "learning"):
        slurm, local = ((folder / f"results/tables/{table}.csv").read_text() for folder in folders)
        assert slurm == local
        assert len(slurm.splitlines()) > 30
