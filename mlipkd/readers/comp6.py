"""COMP6 v1 (Smith et al., J. Chem. Phys. 148, 241733 (2018)): conformers of larger CHNO molecules.

Layout: subset/molecule groups with `species` (atoms), `coordinates` (conformers, atoms, 3),
`energies`, and `forces`, which are gradients +dE/dR unless the source says that others wrote true
forces in this layout; the CC-COMP6 release has no forces.
"""

from collections.abc import Iterator

from mlipkd.config.sources import Comp6
from mlipkd.datasets.blocks import Block
from mlipkd.readers import pyanitools
from mlipkd.units import HARTREE

ENERGY_UNIT = HARTREE
FORCE_UNIT = HARTREE  # per Å


def read(source: Comp6) -> Iterator[Block]:
    """Blocks of the files' molecules, each a group of its own."""
    for path in source.files:
        for place, group in pyanitools.groups_with(path, "species"):
            energy = pyanitools.array(place, group, "energies").astype(float)
            labels = {"energy": energy * ENERGY_UNIT}
            if "forces" in group:
                forces = pyanitools.array(place, group, "forces").astype(float)
                labels["forces"] = forces * source.force_sign * FORCE_UNIT
            yield Block(
                place=place,
                species=pyanitools.species(place, group),
                positions=pyanitools.array(place, group, "coordinates").astype(float),
                labels=labels,
            )
