"""A simulation of two kinds of molecules, whose files are there."""

import pytest

from mlipkd.config.simulation import Simulation

TOPOLOGY = """\
#include "types.itp"
#include <oplsaa.ff/forcefield.itp>
[ moleculetype ]
DIM 1
[ moleculetype ]
ION 1
[ system ]
of the tutorial
[ molecules ]
DIM 7
"""
#: Of a dimer that the boundary at 3 nm cuts, and an ion.
STRUCTURE = """\
two residues
3
    1DIM     HA    1   2.950   1.000   1.000
    1DIM     HB    2   0.050   1.000   1.000
    2ION     IO    3   1.500   1.500   1.500
   3.00000   3.00000   3.00000
"""


@pytest.fixture
def simulation(tmp_path):
    """A function that makes the simulation, changed as said."""
    (tmp_path / "ff").mkdir()
    (tmp_path / "ff/system.top").write_text(TOPOLOGY)
    (tmp_path / "ff/types.itp").write_text("[ atomtypes ]\n")
    (tmp_path / "two.gro").write_text(STRUCTURE)

    def make(**changed) -> Simulation:
        structure = str(tmp_path / "two.gro")
        content = {
            "molecules": {
                "DIM": {"number": 2, "structure": structure},
                "anion": {"number": 3, "structure": structure, "residue": "ION"},
            },
            "topology": str(tmp_path / "ff/system.top"),
            "includes": [str(tmp_path / "ff/types.itp")],
            "box": 30,
            "temperature": 298.1,
        }
        return Simulation.model_validate({**content, **changed})

    return make
