"""Rearrangements of small molecules: rough geometries of both sides, atom by atom the same.

They are relaxed before use; what matters is that each lies in the basin of its side.
"""

from typing import NamedTuple

from ase import Atoms


class Reaction(NamedTuple):
    """Both sides of a rearrangement, in Å."""

    symbols: str
    reactant: list[tuple[float, float, float]]
    product: list[tuple[float, float, float]]

    def sides(self) -> tuple[Atoms, Atoms]:
        """Reactant and product."""
        return Atoms(self.symbols, self.reactant), Atoms(self.symbols, self.product)


# fmt: off
REACTIONS = {
    # CH2=CH-OH from CH3-CH=O
    "acetaldehyde": Reaction(
        "CCOHHHH",
        [(0, 0, 0), (1.5, 0, 0), (2.1, 1.04, 0), (2.06, -0.95, 0), (-0.37, 1.02, 0),
         (-0.37, -0.5, 0.88), (-0.37, -0.5, -0.88)],
        [(0, 0, 0), (1.33, 0, 0), (2.05, 1.14, 0), (1.9, -0.92, 0), (1.5, 1.95, 0),
         (-0.56, 0.92, 0), (-0.5, -0.95, 0)],
    ),
    # inversion of NH3
    "ammonia": Reaction(
        "NHHH",
        [(0, 0, 0.3), (0.94, 0, 0), (-0.47, 0.81, 0), (-0.47, -0.81, 0)],
        [(0, 0, -0.3), (0.94, 0, 0), (-0.47, 0.81, 0), (-0.47, -0.81, 0)],
    ),
    # trans-HCOH from H2C=O
    "formaldehyde": Reaction(
        "COHH",
        [(0, 0, 0), (1.2, 0, 0), (-0.58, 0.94, 0), (-0.58, -0.94, 0)],
        [(0, 0, 0), (1.31, 0, 0), (1.6, 0.91, 0), (-0.4, -1.04, 0)],
    ),
    # HC(OH)=NH from HC(=O)-NH2
    "formamide": Reaction(
        "CONHHH",
        [(0, 0, 0), (1.07, 0.6, 0), (-1.17, 0.68, 0), (0.05, -1.1, 0), (-1.2, 1.68, 0),
         (-2.03, 0.18, 0)],
        [(0, 0, 0), (1.17, 0.65, 0), (-1.05, 0.7, 0), (0.05, -1.1, 0), (0.95, 1.6, 0),
         (-1.9, 0.15, 0)],
    ),
    # rotation of the hydroxyl group of HC(=O)-OH
    "formic-acid": Reaction(
        "COOHH",
        [(0, 0, 0), (1.2, 0.1, 0), (-0.7, 1.15, 0), (-0.6, -0.95, 0), (-0.02, 1.85, 0.05)],
        [(0, 0, 0), (1.2, 0.1, 0), (-0.7, 1.15, 0), (-0.6, -0.95, 0), (-1.65, 1.0, 0)],
    ),
    # HNC from HCN
    "hydrogen-cyanide": Reaction(
        "CNH",
        [(0, 0, 0), (1.16, 0, 0), (-1.07, 0, 0)],
        [(0, 0, 0), (1.17, 0, 0), (2.17, 0, 0)],
    ),
    # transfer of the proton of the enol
    "malonaldehyde": Reaction(
        "OCCCOHHHH",
        [(-1.27, 1.1, 0), (-1.2, -0.2, 0), (0, -0.95, 0), (1.23, -0.3, 0), (1.3, 0.95, 0),
         (-0.35, 1.45, 0), (-2.1, -0.8, 0), (0, -2.03, 0), (2.15, -0.9, 0)],
        [(-1.3, 0.95, 0), (-1.23, -0.3, 0), (0, -0.95, 0), (1.2, -0.2, 0), (1.27, 1.1, 0),
         (0.35, 1.45, 0), (-2.15, -0.9, 0), (0, -2.03, 0), (2.1, -0.8, 0)],
    ),
    # cis-HONO from trans-HONO
    "nitrous-acid": Reaction(
        "NOOH",
        [(0, 0, 0), (1.17, 0.1, 0), (-0.7, 1.2, 0), (-1.65, 1.05, 0)],
        [(0, 0, 0), (1.17, 0.1, 0), (-0.7, 1.2, 0), (0, 1.85, 0.05)],
    ),
}
# fmt: on
