"""One system in chunks, as a whole, as a batch of a dataset: the same energies and forces."""

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule

from mlipkd.deploy.ase import MLIPKD
from mlipkd.hipnn.file import Potential, save_potential
from mlipkd.hipnn.prediction import predict_members
from mlipkd.neighbours import chunks, rows
from mlipkd.neighbours.chunks import evaluate_system
from mlipkd.neighbours.verlet import VerletList, one_configuration
from tests.unit.dynamics.systems import SPECIES, alloy, model_of

SYSTEMS = {
    "crystal": alloy(3),
    "cell smaller than the cut-off": alloy(1),
    "slab": alloy(2),
    "molecule": molecule("C2H6"),
    "atom": Atoms("H", positions=[[1.0, 2.0, 3.0]]),
}
SYSTEMS["slab"].pbc = [True, True, False]


@pytest.mark.parametrize("compiled", [True, False], ids=["kernels", "torch"])
@pytest.mark.parametrize("n_interactions", [1, 2])
@pytest.mark.parametrize("name", SYSTEMS)
def test_same_as_a_batch(name, n_interactions, compiled, monkeypatch) -> None:
    if not compiled:
        monkeypatch.setattr(rows, "library", lambda: None)
    monkeypatch.setitem(chunks.CHUNK, "cpu", 6 * 2 * 7)  # chunks of seven atoms
    atoms, model = SYSTEMS[name], model_of(n_interactions)
    neighbours = VerletList(SPECIES, 5.0, 0.7, torch.float64)
    start = atoms.copy()
    start.rattle(0.05, seed=1)
    neighbours.update(start)
    neighbours.update(atoms)  # the list is that of other positions, with pairs beyond the cut-off
    assert neighbours.builds == 1
    found = evaluate_system(model, neighbours)
    truth = predict_members(model, one_configuration(atoms))
    for name, own in (("atomic_energies", found["atomic_energies"]), ("forces", found["forces"])):
        np.testing.assert_allclose(own.numpy(), truth[name], atol=1e-10)
    np.testing.assert_allclose(found["energy"].numpy(), truth["energy"][:, 0], atol=1e-9)
    np.testing.assert_allclose(found["stress"].numpy(), truth["stress"][:, 0], atol=1e-10)


@pytest.mark.skipif(rows.library() is None, reason="there was no C++ compiler for the kernels")
def test_rows_of_kernels_and_of_sorting_are_the_same(monkeypatch) -> None:
    results = []
    for compiled in (True, False):
        if not compiled:
            monkeypatch.setattr(rows, "library", lambda: None)
        neighbours = VerletList(SPECIES, 5.0, 0.5, torch.float64)
        neighbours.update(alloy(2))
        results.append((neighbours.rows, rows.reverse_slots(neighbours.rows)))
    (one, back), (other, other_back) = results
    assert torch.equal(one.bounds, other.bounds)
    assert torch.equal(one.senders, other.senders)
    assert torch.equal(one.images, other.images)
    assert torch.equal(back, other_back)
    assert torch.equal(back[back], torch.arange(len(back)))


def test_an_ensemble_of_files_gives_mean_and_spread(tmp_path) -> None:
    ensemble = model_of(1, members=3)
    paths = []
    for number in range(3):
        path = tmp_path / f"{number}.safetensors"
        model = ensemble.member(number)
        record = {"architecture": model.architecture.model_dump(), "species": list(SPECIES)}
        save_potential(Potential(model, record), path)
        paths.append(str(path))
    atoms = alloy(2)
    singles = []
    for path in paths:
        atoms.calc = MLIPKD(path)
        singles.append((atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()))
    atoms.calc = MLIPKD(paths)
    energies, forces, stresses = (np.array(values) for values in zip(*singles, strict=True))
    assert atoms.get_potential_energy() == pytest.approx(energies.mean())
    np.testing.assert_allclose(atoms.get_forces(), forces.mean(0), atol=1e-10)
    np.testing.assert_allclose(atoms.get_stress(), stresses.mean(0), atol=1e-10)
    assert atoms.calc.results["energy_std"] == pytest.approx(energies.std(ddof=1))
    spread = atoms.calc.results["forces_std"]
    np.testing.assert_allclose(spread, forces.std(0, ddof=1), atol=1e-10)
