"""The built-in references: what they hold, and that a seed fixes every bit of it."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from ase.calculators.emt import EMT
from tblite.ase import TBLite

from mlipkd.checks.check import check
from mlipkd.errors import InputError
from mlipkd.readers import aluminium_emt
from mlipkd.readers.aluminium_emt import AluminiumEMT
from mlipkd.readers.molecules_xtb import MoleculesXTB


def aluminium(seed=0, configurations=40):
    source = AluminiumEMT(reader="aluminium-emt", configurations=configurations, seed=seed)
    return source.read("aluminium")


def molecules(molecules=("H2O", "CH4"), seed=0, configurations=21):
    source = MoleculesXTB(
        reader="molecules-xtb",
        molecules=list(molecules),
        configurations=configurations,
        seed=seed,
    )
    return source.read("molecules")


@pytest.fixture(scope="module")
def emt():
    return aluminium()


@pytest.fixture(scope="module")
def xtb():
    return molecules()


def test_aluminium_has_crystals_and_melts_in_groups_of_their_own(emt) -> None:
    assert len(emt) == 40
    assert np.bincount(emt.groups).tolist() == [16, 16, 8]
    assert set(emt.sizes.tolist()) <= {31, 32}
    assert emt.periodic.all()
    spread = [emt.select(np.flatnonzero(emt.groups == g)).cells.std(0).max() for g in range(3)]
    assert max(spread) < 1e-12  # one box for each state


def test_aluminium_labels_are_those_of_emt(emt) -> None:
    reference = emt.labels["reference"]
    for m in (0, 20):
        atoms = slice(*emt.offsets[m : m + 2])
        box = Atoms("Al" * emt.sizes[m], emt.positions[atoms], cell=emt.cells[m], pbc=True)
        box.calc = EMT()
        assert reference["energy"][m] == pytest.approx(box.get_potential_energy(), abs=1e-10)
        assert np.allclose(reference["forces"][atoms], box.get_forces(), atol=1e-10)
        assert np.allclose(reference["stress"][m], box.get_stress(voigt=False), atol=1e-10)


def test_atomic_energies_of_aluminium_sum_to_the_energy(emt) -> None:
    reference = emt.labels["reference"]
    sums = np.add.reduceat(reference["atomic_energies"], emt.offsets[:-1])
    assert np.allclose(sums, reference["energy"], atol=1e-10)


def test_molecules_are_shared_out_evenly(xtb) -> None:
    assert xtb.sizes.tolist() == [3] * 10 + [5] * 11
    assert not xtb.periodic.any()
    assert xtb.provenance["notes"] == []


def test_a_molecule_has_several_walkers() -> None:
    assert np.bincount(molecules(["H2O"], configurations=130).groups).tolist() == [100, 30]


def test_forces_of_molecules_are_slopes_of_their_energies(xtb) -> None:
    """Central differences of the energy, made anew."""
    atoms = slice(*xtb.offsets[3:5])
    molecule = Atoms(xtb.species[atoms], xtb.positions[atoms])
    molecule.calc = TBLite(method="GFN2-xTB", verbosity=0)
    for atom, axis in [(0, 0), (1, 2)]:
        energies = []
        for step in (-1e-3, 1e-3):
            molecule.set_positions(xtb.positions[atoms])
            molecule.positions[atom, axis] += step
            energies.append(molecule.get_potential_energy())
        slope = (energies[1] - energies[0]) / 2e-3
        force = xtb.labels["reference"]["forces"][atoms][atom, axis]
        assert force == pytest.approx(-slope, abs=1e-3)


@pytest.mark.parametrize("make", [aluminium, lambda **seed: molecules(**seed)])
def test_a_seed_fixes_every_bit(make) -> None:
    one, again, other = make(configurations=18), make(configurations=18), make(seed=1)
    assert np.array_equal(one.positions, again.positions)
    for label, values in one.labels["reference"].items():
        assert np.array_equal(values, again.labels["reference"][label])
    assert not np.array_equal(one.positions[:10], other.positions[:10])


def test_more_configurations_leave_the_states_before_them_as_they_are(emt) -> None:
    fewer = aluminium(configurations=16)
    assert np.array_equal(fewer.positions, emt.positions[: len(fewer.positions)])


def test_references_pass_the_checks(emt, xtb) -> None:
    assert check(emt).faults == []
    assert check(xtb).faults == []


def test_an_unknown_molecule_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"expected CHNO molecules .* got 'SiH4'; choose from .*CH4"
    ):
        molecules(["SiH4"])


def diverging_at(calls, monkeypatch) -> None:
    """Let xTB's SCF fail at these calls, counted over all walkers."""
    made = iter(range(10**6))

    class Diverging(TBLite):
        def calculate(self, *args, **kwargs):
            if next(made) in calls:
                raise CalculationFailed("SCF not converged in 250 cycles")
            super().calculate(*args, **kwargs)

    monkeypatch.setattr("tblite.ase.TBLite", Diverging)


def test_a_walker_whose_scf_fails_starts_anew_and_says_so(monkeypatch) -> None:
    diverging_at({150}, monkeypatch)
    dataset = molecules(["H2O"], configurations=8)
    assert len(dataset) == 8
    assert np.isfinite(dataset.labels["reference"]["forces"]).all()
    assert dataset.provenance["notes"] == [
        "H2O walker 0: started anew 1 times as the SCF did not converge"
    ]


def test_a_molecule_whose_scf_never_converges_is_refused(monkeypatch) -> None:
    diverging_at(range(10**6), monkeypatch)
    with pytest.raises(InputError, match="lower the temperature"):
        molecules(["H2O"], configurations=8)


def test_lattice_constant_is_that_of_emt() -> None:
    energies = []
    for a in aluminium_emt.LATTICE_CONSTANT + np.array([-0.01, 0, 0.01]):
        box = aluminium_emt._box()
        box.set_cell(2 * a * np.eye(3), scale_atoms=True)
        energies.append(box.get_potential_energy())
    assert energies[1] == min(energies)
