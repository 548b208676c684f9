"""Trajectories at constant energy: what is known of one, and when it has failed."""

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from vesin import NeighborList

#: Reach of the watch beyond the closest approach, Å; its list is made anew when atoms have moved by
#: half of it. A list of so few pairs costs next to nothing to keep.
SKIN = 1.0


@dataclass(frozen=True)
class Trajectory:
    """One run, as far as it went."""

    timestep: float
    """fs"""
    energies: np.ndarray
    """(steps + 1,) potential and kinetic energy together, at the start and after each step, eV."""
    failed: bool
    """Whether it failed; its last energy may then be anything."""
    end: Atoms
    """The structure after the last step, with its momenta."""

    @property
    def duration(self) -> float:
        """How long it lasted, fs."""
        return (len(self.energies) - 1) * self.timestep

    @property
    def drift(self) -> float:
        """Slope of the total energy by least squares, eV/atom/fs; NaN without a step."""
        if len(self.energies) < 2:
            return np.nan
        times = np.arange(len(self.energies)) * self.timestep  # (steps + 1,)
        return np.polyfit(times, self.energies, deg=1)[0] / len(self.end)


class Watch:
    """Tells whether a run has failed, step after step.

    It has when its energy is not finite; when two atoms are closer than they may be; or when an
    atom flies by half the cell or more in one step, and nobody can tell any longer which of its
    images it is.
    """

    def __init__(self, start: Atoms, closest: float) -> None:
        """A watch for the run that begins with this periodic structure; ``closest`` in Å."""
        self.cell, self.inverse = start.cell.array, np.linalg.inv(start.cell.array)
        self.before = start.positions
        heights = 1 / np.linalg.norm(self.inverse, axis=0)  # (3,)
        self.farthest = heights.min() / 2
        self.search = NeighborList(cutoff=closest, full_list=False, skin=SKIN, n_threads=1)

    def has_failed(self, positions: np.ndarray, moves: np.ndarray, energy: float) -> bool:
        """Whether it has failed by now.

        Args:
            positions: (atoms, 3), Å.
            moves: (atoms, 3), velocities times the time step, Å.
            energy: potential and kinetic, eV.
        """
        if not np.isfinite(energy) or not np.abs(moves).max(initial=0) < self.farthest:
            return True
        # Integrators put atoms back into the cell, which the search would take for a long way.
        crossed = np.rint((positions - self.before) @ self.inverse)  # (atoms, 3)
        self.before = positions - crossed @ self.cell
        (contacts,) = self.search.compute(self.before, self.cell, True, quantities="i")
        return len(contacts) > 0
