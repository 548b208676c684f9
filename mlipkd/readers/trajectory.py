"""Dynamics of all atoms, read by MDAnalysis and mapped to beads frame by frame.

N. Michaud-Agrawal et al., J. Comput. Chem. 32, 2319 (2011). MDAnalysis gives positions in Å and
forces in kJ/(mol Å), whatever the file's units, and forces are forces. Before atoms are averaged,
each is taken to its image nearest to the first atom of its bead: beads across the boundary become
whole, as long as they are shorter than half the box.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from ase.geometry import wrap_positions

from mlipkd.coarse_graining.mapping import Mapping, mapping
from mlipkd.config.sources import Trajectory, paths_of
from mlipkd.datasets.blocks import Block
from mlipkd.datasets.dataset import Bead
from mlipkd.errors import InputError
from mlipkd.readers.frames import frames, one_system
from mlipkd.units import KJ_MOL

FORCE_UNIT = KJ_MOL  # per Å
#: No atom of a bead may be farther from its first than this part of the box's smallest width. The
#: atoms of a bead that is too long for its nearest images show up between here and the half.
LONGEST = 0.4


def read(source: Trajectory) -> tuple[tuple[Bead, ...], list[Block]]:
    """The beads and a block for each trajectory.

    Raises:
        InputError: MDAnalysis is not installed or cannot read a file; a topology without masses, a
            mapping that does not have every atom once, a trajectory without forces, a bead that is
            too long for the box, or frames of several systems.
    """
    topology, *files = paths_of(source)
    universe = _universe(topology)
    chosen = _mapping(universe, topology, source.beads)
    blocks = []
    for path in files:
        read = list(_frames(universe, path, chosen, source.every))
        if not read:
            raise InputError(f"{path}: expected frames, found none; check the file")
        if len({box is None for *_, box in read}) > 1:
            raise InputError(
                f"{path}: expected a box in all frames or in none, got both; take dynamics of one "
                "box"
            )
        positions, forces, boxes = zip(*read, strict=True)
        blocks.append(
            frames(
                place=path,
                species=chosen.species,
                positions=np.array(positions),
                forces=np.array(forces),
                cells=None if boxes[0] is None else np.array(boxes),
                runs=source.blocks,
            )
        )
    return chosen.beads, one_system(blocks)


def _universe(topology: str) -> Any:
    """What MDAnalysis makes of a topology, nothing guessed."""
    import MDAnalysis  # of an extra

    _refuse_missing(topology, "topology")
    try:
        with warnings.catch_warnings():
            # A topology need not hold coordinates; those of frames come later.
            warnings.filterwarnings("ignore", message="No coordinate reader")
            return MDAnalysis.Universe(topology, to_guess=())
    except Exception as error:
        raise InputError(
            f"{topology}: expected a topology that MDAnalysis reads, got an error from it "
            f"({_reason(error)}); give the .tpr of the run"
        ) from error


def _mapping(universe: Any, topology: str, beads: dict[str, str]) -> Mapping:
    atoms = universe.atoms
    masses = getattr(atoms, "masses", None)  # (atoms,)
    if masses is None or not np.isfinite(masses).all():
        raise InputError(
            f"{topology}: expected the masses of all atoms, got a topology without them, and "
            "guesses from names are wrong for many force fields; give the run's .tpr, not its .gro"
        )
    selected = {}
    for name, selection in beads.items():
        try:
            selected[name] = atoms.select_atoms(selection).indices
        except Exception as error:
            raise InputError(
                f"{topology}: expected a selection of MDAnalysis for the bead {name!r}, got "
                f"{selection!r} ({_reason(error)}); fix it"
            ) from error
    return mapping(topology, selected, atoms.resindices, atoms.resnames, masses)


def _frames(
    universe: Any, path: str, chosen: Mapping, every: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Positions and forces (beads, 3) and the cell (3, 3), or none, of each frame."""
    _refuse_missing(path, "trajectory")
    # MDAnalysis leaves an index beside what it reads; here that is beside a link, and goes with it.
    with TemporaryDirectory() as scratch:
        link = Path(scratch, Path(path).name)
        link.symlink_to(Path(path).resolve())
        try:
            universe.load_new(str(link))
            count = len(universe.trajectory)
        except Exception as error:
            raise _unreadable(path, error) from error
        for index in range(0, count, every):
            try:
                step = universe.trajectory[index]
            except Exception as error:
                raise _unreadable(f"{path}: frame {index}", error) from error
            yield _mapped(f"{path}: frame {index}", step, chosen)
        universe.trajectory.close()


def _mapped(
    place: str, step: Any, chosen: Mapping
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    for what, there in [("positions", step.has_positions), ("forces", step.has_forces)]:
        if not there:
            raise InputError(
                f"{place}: expected {what}, found none; give a .trr that was written with nstfout "
                "= nstxout, or read only frames with both by setting every"
            )
    forces = chosen.forces(step.forces.astype(float)) * FORCE_UNIT
    positions = step.positions.astype(float)  # (atoms, 3)
    if step.dimensions is None or not step.dimensions[:3].all():
        return chosen.centres(positions), forces, None
    cell = step.triclinic_dimensions.astype(float)  # (3, 3)
    whole = _whole(place, positions, step.dimensions, cell, chosen)
    return wrap_positions(chosen.centres(whole), cell), forces, cell


def _whole(
    place: str, positions: np.ndarray, box: np.ndarray, cell: np.ndarray, chosen: Mapping
) -> np.ndarray:
    """Positions with each atom at its image nearest to the first of its bead: (atoms, 3)."""
    from MDAnalysis.lib.distances import minimize_vectors

    anchors = positions[chosen.first]  # (atoms, 3)
    vectors = minimize_vectors(positions - anchors, box)
    width = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0).max()
    lengths = np.linalg.norm(vectors, axis=1)  # (atoms,)
    if lengths.max() > LONGEST * width:
        bead = chosen.beads[chosen.species[chosen.owner[lengths.argmax()]] - 1]
        raise InputError(
            f"{place}: expected beads shorter than half the box, got {bead.name!r} with atoms "
            f"{lengths.max():.1f} Å apart in a box {width:.1f} Å wide; give its parts beads of "
            "their own"
        )
    return anchors + vectors


def _refuse_missing(path: str, what: str) -> None:
    if not Path(path).is_file():
        raise InputError(f"{path}: expected a {what}, found no file; check the path")


def _unreadable(place: str, error: Exception) -> InputError:
    return InputError(
        f"{place}: expected a trajectory of the topology's atoms that MDAnalysis reads, got an "
        f"error from it ({_reason(error)}); give the files of one run"
    )


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
