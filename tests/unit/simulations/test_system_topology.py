"""The topology of a box: all of the user's but for what was in its box."""

import pytest

from mlipkd.errors import InputError
from mlipkd.simulations.system import system_topology


def test_molecules_are_those_of_the_simulation(simulation) -> None:
    assert system_topology(simulation()).splitlines() == [
        '#include "types.itp"',
        "#include <oplsaa.ff/forcefield.itp>",
        "[ moleculetype ]",
        "DIM 1",
        "[ moleculetype ]",
        "ION 1",
        "",
        "[ system ]",
        "packed by mlipkd",
        "[ molecules ]",
        "DIM 2",
        "anion 3",
    ]


def test_a_topology_of_molecules_alone_will_do(simulation, tmp_path) -> None:
    (tmp_path / "ff/system.top").write_text("[moleculetype]\nDIM 1\n")
    assert system_topology(simulation()).startswith("[moleculetype]\nDIM 1\n\n[ system ]\n")


def test_includes_that_are_not_named_are_refused(simulation, tmp_path) -> None:
    with pytest.raises(InputError, match=r"system.top: .* found .*/types.itp besides; add it"):
        system_topology(simulation(includes=[]))
    (tmp_path / "ff/types.itp").write_text('  # include "more.itp"\n')
    system_topology(simulation())  # one that GROMACS may have
    (tmp_path / "ff/more.itp").write_text("[ bondtypes ]\n")
    with pytest.raises(InputError, match=r"types.itp: .* found .*/more.itp besides"):
        system_topology(simulation())


def test_nothing_after_the_molecules_is_lost(simulation, tmp_path) -> None:
    with open(tmp_path / "ff/system.top", "a") as file:
        file.write("[ intermolecular_interactions ]\n")
    with pytest.raises(InputError, match="got intermolecular_interactions; move it before"):
        system_topology(simulation())


def test_a_file_that_is_not_there_is_named(simulation, tmp_path) -> None:
    with pytest.raises(InputError, match=r"none.top: expected a GROMACS topology"):
        system_topology(simulation(topology=str(tmp_path / "none.top")))
