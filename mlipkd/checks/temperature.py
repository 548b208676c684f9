"""Temperature: whether frames of beads and their forces belong together, in sign and unit.

In the canonical ensemble any smooth field of vectors g_i(R) satisfies

    kT ⟨Σ_i ∇_i · g_i⟩ = -⟨Σ_i F_i · g_i⟩

(O. G. Jepps et al., Phys. Rev. E 62, 4757 (2000)), and noise in forces that is 0 on average cancels
from it. Taken here is, over pairs in contact,

    g_i = Σ_j f(r_ij) (R_i - R_j) / r_ij,  f(r) = (r_c/r - 1)²,  ∇_i · g_i = -Σ_j 2 (r_c/r - 1) / r,

so that all terms on the left have the same sign, in periodic boxes and for free molecules alike.
"""

from dataclasses import dataclass

import numpy as np
from ase.units import kB
from vesin import NeighborList

from mlipkd.checks.positions_and_labels import Contacts
from mlipkd.datasets.dataset import Dataset

#: r_c over the median distance of nearest neighbours; nearest pairs say most about forces.
REACH = 1.25
#: Beads looked at, in frames evenly spread; parts of them that the uncertainty is told from.
BEADS, PARTS = 2**20, 10
#: Temperatures that differ by this factor and by so many standard errors are not the same. Right
#: data gave 0.98 to 1.32; Å taken for bohr gives 1.89.
WRONG, SURE = 1.7, 4.0


@dataclass(frozen=True)
class Temperature:
    """The temperature that positions and forces imply, and that of the dynamics."""

    implied: float
    """K."""
    error: float
    """Standard error, K."""
    stated: float
    """K."""

    def fault(self) -> str | None:
        """What is wrong with the forces, or none if nothing is for certain."""
        if self.implied < -SURE * self.error:
            return (
                f"expected forces F = -dU/dR, got gradients: {self}; turn their sign in the source"
            )
        low, high = self.stated / WRONG, self.stated * WRONG
        if self.implied < low - SURE * self.error or self.implied > high + SURE * self.error:
            return (
                f"expected forces that go with {self.stated:g} K: {self}; state the units that "
                "positions and forces are in, and the temperature"
            )
        return None

    def __str__(self) -> str:
        return (
            f"positions and forces of beads in contact imply {self.implied:.0f} ± {self.error:.0f} "
            f"K, the dynamics was at {self.stated:g} K"
        )


def temperature(dataset: Dataset, contacts: Contacts) -> Temperature | None:
    """What frames of beads imply, or none without forces, a stated temperature or enough frames."""
    stated = dataset.provenance.get("source", {}).get("temperature")
    forces = dataset.labels["reference"].get("forces")
    if not dataset.beads or stated is None or forces is None or len(dataset) < PARTS:
        return None
    reach = REACH * float(np.median(contacts.nearest))
    if not np.isfinite(reach):
        return None
    frames = max(PARTS, BEADS // int(dataset.sizes.max()))
    chosen = np.unique(np.linspace(0, len(dataset) - 1, frames).astype(int))
    sums = np.array([_sums(dataset, forces, m, reach) for m in chosen])  # (frames, 2)
    parts = np.array([_kelvin(part) for part in np.array_split(sums, PARTS)])  # (parts,)
    return Temperature(_kelvin(sums), float(parts.std(ddof=1) / np.sqrt(PARTS)), stated)


def _sums(dataset: Dataset, forces: np.ndarray, m: int, reach: float) -> tuple[float, float]:
    """Σ F·g in eV and Σ ∇·g of one frame."""
    beads = slice(*dataset.offsets[m : m + 2])
    search = NeighborList(cutoff=reach, full_list=False, n_threads=1)
    first, second, vectors, distances = search.compute(
        dataset.positions[beads], dataset.cells[m], dataset.periodic[m], quantities="ijDd"
    )
    gap = reach / distances - 1  # (pairs,)
    # The vectors lead from first to second; g pushes them apart.
    difference = forces[beads][second] - forces[beads][first]  # (pairs, 3)
    work = np.sum(gap**2 / distances * np.einsum("pa,pa->p", difference, vectors))
    return float(work), float(-4 * np.sum(gap / distances))


def _kelvin(sums: np.ndarray) -> float:
    """The temperature that some frames imply."""
    work, divergence = sums.sum(0)
    return float(-work / divergence / kB)
