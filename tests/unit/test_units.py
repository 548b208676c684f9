"""Units are those of ASE, to the last bit."""

from ase import units as ase_units

from mlipkd import units


def test_they_are_those_of_ase() -> None:
    assert ase_units.Hartree == units.HARTREE
    assert ase_units.kcal / ase_units.mol == units.KCAL_MOL
    assert ase_units.kJ / ase_units.mol == units.KJ_MOL
    assert ase_units.Bohr == units.BOHR
    assert ase_units.nm == units.NANOMETRE
    assert 1e-3 * ase_units.kg / (1e-2 * ase_units.m) ** 3 == units.GRAM_PER_CM3
    assert ase_units.fs == units.FEMTOSECOND
