"""An evaluation of one's own: the equation of state of a crystal of aluminium.

F. Birch, Phys. Rev. 71, 809 (1947), fitted by ASE to energies over the volumes of the test split.
"""

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import BaseCalculator
from ase.eos import EquationOfState
from ase.units import GPa


def equation_of_state(
    calculator: BaseCalculator, test: list[Atoms], points: int = 9
) -> dict[str, tuple[float, str]]:
    """Lattice constant and bulk modulus of fcc aluminium at rest.

    Args:
        calculator: of the member, or of the mean of several.
        test: configurations of the test split with their reference labels.
        points: volumes that are asked for.

    Raises:
        ValueError: the energy has no minimum within the volumes of the test split.
    """
    seen = [atoms.get_volume() / len(atoms) for atoms in test]  # Å³ per atom
    volumes = np.linspace(min(seen), max(seen), points)
    energies = []
    for volume in volumes:
        crystal = bulk("Al", "fcc", a=(4 * volume) ** (1 / 3))
        crystal.calc = calculator
        energies.append(crystal.get_potential_energy())
    rest, _, modulus = EquationOfState(volumes, energies, "birchmurnaghan").fit()
    if not volumes[0] < rest < volumes[-1]:
        raise ValueError(f"no minimum from {volumes[0]:.2f} to {volumes[-1]:.2f} Å³ per atom")
    return {
        "lattice_constant": ((4 * rest) ** (1 / 3), "Å"),
        "bulk_modulus": (modulus / GPa, "GPa"),
    }
