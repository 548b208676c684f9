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
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.section import Files, Name
from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError
from mlipkd.imports import on_one_line
from mlipkd.paths import SimulationPaths
from mlipkd.readers.mapped import Frames, one_system
from mlipkd.units import KJ_MOL

if TYPE_CHECKING:
    from mlipkd.coarse_graining.mapping import Mapping

#: No atom of a bead may be farther from its first than this part of the box's smallest width. The
#: atoms of a bead that is too long for its nearest images show up between here and the half.
LONGEST = 0.4


class Trajectory(Frames):
    """Dynamics of all atoms with their forces, mapped to beads at their centres of mass."""

    reader: Literal["trajectory"]
    simulation: Name | None = None
    """One of the campaign's simulations, in the place of topology, files and temperature."""
    topology: str | None = None
    """Path of a topology that MDAnalysis reads and that holds masses, as a .tpr does."""
    files: Files | None = None
    """Paths of trajectories with forces, as a .trr holds them, all in one box of constant size."""
    temperature: PositiveFloat | None = None
    """Temperature of the dynamics, K; sign and unit of the forces are checked by it."""
    beads: Annotated[dict[Name, str], Field(min_length=1)]
    """The beads in the order of their species: the atoms of each, as a selection of MDAnalysis.
    What a selection takes of one residue is one bead; every atom belongs to exactly one bead."""
    every: PositiveInt = 1
    """Read each so many-th frame."""

    @model_validator(mode="after")
    def _simulation_or_files(self) -> Self:
        keys = ("topology", "files", "temperature")
        given = [key for key in keys if getattr(self, key) is not None]
        if self.simulation and given:
            raise ValueError(
                f"expected a simulation or files, got {', '.join(given)} with a "
                "simulation, which has its own; remove either"
            )
        if not self.simulation and len(given) < len(keys):
            raise ValueError(
                "expected either a simulation, or topology, files and temperature; give either"
            )
        return self

    @property
    def needs_simulation(self) -> str | None:
        return self.simulation

    def simulated(self, temperature: float) -> Self:
        topology, *files = self.paths
        others = self.model_dump(exclude={"simulation", "topology", "files", "temperature"})
        return type(self)(**others, topology=topology, files=files, temperature=temperature)

    @property
    def paths(self) -> list[str]:
        if self.simulation:
            files = SimulationPaths(self.simulation)
            return [files.topology, files.trajectory]
        return [str(self.topology), *(self.files or ())]

    def read(self, name: str) -> Dataset:
        """One block for each trajectory.

        Raises:
            InputError: MDAnalysis is not installed or cannot read a file; a topology without
                masses, a mapping that does not have every atom once, a trajectory without forces, a
                bead that is too long for the box, or frames of several systems.
        """
        topology, *files = self.paths
        universe = _universe(topology)
        mapping = _mapping(universe, topology, self.beads)
        blocks = []
        for path in files:
            frames = list(_frames(universe, path, mapping, self.every))
            if not frames:
                raise InputError(f"{path}: expected frames, found none; check the file")
            if len({cell is None for *_, cell in frames}) > 1:
                raise InputError(
                    f"{path}: expected a box in all frames or in none, got both; take dynamics of "
                    "one box"
                )
            positions, forces, cells = zip(*frames, strict=True)
            blocks.append(
                self.block(
                    place=path,
                    species=mapping.species,
                    positions=np.array(positions),
                    forces=np.array(forces),
                    cells=None if cells[0] is None else np.array(cells),
                )
            )
        return self._dataset(name, one_system(blocks), beads=mapping.beads)


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
            f"({on_one_line(error)}); give the .tpr of the run"
        ) from error


def _mapping(universe: Any, topology: str, beads: dict[str, str]) -> "Mapping":
    from mlipkd.coarse_graining.mapping import mapping

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
                f"{selection!r} ({on_one_line(error)}); fix it"
            ) from error
    return mapping(topology, selected, atoms.resindices, atoms.resnames, masses)


def _frames(
    universe: Any, path: str, mapping: "Mapping", every: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Positions and forces (beads, 3) and the cell (3, 3), or none, of each frame."""
    _refuse_missing(path, "trajectory")
    # MDAnalysis writes an index next to what it reads: here, next to a link in a folder that goes.
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
            yield _mapped(f"{path}: frame {index}", step, mapping)
        universe.trajectory.close()


def _mapped(
    place: str, step: Any, mapping: "Mapping"
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    from ase.geometry import wrap_positions

    for what, there in [("positions", step.has_positions), ("forces", step.has_forces)]:
        if not there:
            raise InputError(
                f"{place}: expected {what}, found none; give a .trr that was written with nstfout "
                "= nstxout, or read only frames with both by setting every"
            )
    forces = mapping.forces(step.forces.astype(float)) * KJ_MOL  # per Å
    positions = step.positions.astype(float)  # (atoms, 3)
    if step.dimensions is None or not step.dimensions[:3].all():
        return mapping.centres(positions), forces, None
    cell = step.triclinic_dimensions.astype(float)  # (3, 3)
    whole = _whole(place, positions, step.dimensions, cell, mapping)
    return wrap_positions(mapping.centres(whole), cell), forces, cell


def _whole(
    place: str, positions: np.ndarray, box: np.ndarray, cell: np.ndarray, mapping: "Mapping"
) -> np.ndarray:
    """Positions with each atom at its image nearest to the first of its bead: (atoms, 3)."""
    from MDAnalysis.lib.distances import minimize_vectors

    anchors = positions[mapping.first]  # (atoms, 3)
    vectors = minimize_vectors(positions - anchors, box)
    width = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0).max()
    lengths = np.linalg.norm(vectors, axis=1)  # (atoms,)
    if lengths.max() > LONGEST * width:
        bead = mapping.beads[mapping.species[mapping.owner[lengths.argmax()]] - 1]
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
        f"error from it ({on_one_line(error)}); give the files of one run"
    )
