"""A simulation from packed molecules to frames, in stages that are gone on with.

Everything lies in a folder beside the trajectory until that is there: ``<stage>.gro`` for each
stage that is done, and GROMACS's checkpoint of the one that is not.
"""

import shutil
import sys
from pathlib import Path

from mlipkd import artefacts, provenance
from mlipkd.config.simulation import Simulation
from mlipkd.errors import InputError
from mlipkd.interruption import Stop, never
from mlipkd.simulations import gromacs
from mlipkd.simulations.box import mass, packed, piled, read_structure, write_box
from mlipkd.simulations.parameters import mdp, stages
from mlipkd.simulations.topology import FORCE_FIELD, system_topology
from mlipkd.units import GRAM_PER_CM3

#: The box in which masses are asked for, Å.
WIDE = 100.0
#: Relative to the temperature wanted: what the mean of an equilibrated system is not off by.
OFF = 0.1


def simulate(
    simulation: Simulation,
    topology: Path,
    trajectory: Path,
    threads: int = 1,
    stop: Stop = never,
) -> None:
    """Run a simulation, or go on with it.

    Args:
        simulation: what is simulated.
        topology: the .tpr to write.
        trajectory: the .trr to write, with positions and forces.
        threads: of mdrun.
        stop: asked every second.

    Raises:
        TryAgainError: it is time to stop.
        InputError: a program that is missing or fails, a file that does not fit, or dynamics that
            were not at the temperature wanted.
    """
    folder = trajectory.with_name(trajectory.name + ".checkpoint")
    _enter(folder, simulation)
    start = "packed"
    for stage in stages(simulation):
        if not (folder / f"{stage}.gro").exists():
            if not (folder / f"{stage}.tpr").exists():
                state = f"{start}.cpt" if stage == "sampling" else None
                gromacs.grompp(folder, stage, f"{start}.gro", state)
            gromacs.mdrun(folder, stage, threads, stop)
        start = stage
    _check(simulation, gromacs.mean_temperature(folder, start))
    for source, output in ((".tpr", topology), (".trr", trajectory)):
        with artefacts.writing(output) as temporary:
            shutil.copyfile(folder / f"{start}{source}", temporary)
    shutil.rmtree(folder)


def _enter(folder: Path, simulation: Simulation) -> None:
    """Make the folder with all that stages begin with, or find it; one of other work is removed."""
    mark = folder / "identity"
    identity = _identity(simulation)
    if mark.is_file() and mark.read_text() == identity:
        print(f"going on in {folder}", file=sys.stderr)
        return
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / FORCE_FIELD).symlink_to(Path(simulation.topology).resolve().parent)
    (folder / "system.top").write_text(system_topology(simulation))
    for stage, parameters in stages(simulation).items():
        (folder / f"{stage}.mdp").write_text(mdp(parameters))
    _pack(folder, simulation)
    mark.write_text(identity)


def _identity(simulation: Simulation) -> str:
    """All that frames depend on."""
    for path in simulation.files:
        if not Path(path).is_file():
            raise InputError(f"{path}: wanted a file of the simulation, found none; check the path")
    hashes = [artefacts.sha256(Path(path)) for path in simulation.files]
    known = [simulation.model_dump_json(), *hashes, gromacs.version(), provenance.code()]
    return "\n".join(known)


def _pack(folder: Path, simulation: Simulation) -> None:
    """Write ``packed.gro``."""
    structures = {
        name: read_structure(name, molecule) for name, molecule in simulation.molecules.items()
    }
    counts = {name: molecule.number for name, molecule in simulation.molecules.items()}

    def tried(side: float) -> Path:
        """The .tpr of a box in which all is piled up, to be asked before packing takes minutes."""
        write_box(folder / "piled.gro", structures, counts, piled(structures, counts), side)
        return gromacs.grompp(folder, "equilibration", "piled.gro")

    whole = mass(tried(WIDE))  # u
    side = simulation.box or (whole / ((simulation.density or 0) * GRAM_PER_CM3)) ** (1 / 3)
    tried(side).unlink()
    positions, how = packed(structures, counts, side, simulation.seed)
    density = whole / side**3 / GRAM_PER_CM3
    print(
        f"{sum(counts.values())} molecules in {side:.2f} Å, {density:.3f} g/cm³: {how}",
        file=sys.stderr,
        flush=True,
    )
    write_box(folder / "packed.gro", structures, counts, positions, side)


def _check(simulation: Simulation, temperature: float) -> None:
    """Say the mean temperature in K, and refuse one that is far off."""
    wanted = simulation.temperature
    print(f"mean temperature {temperature:.1f} K, wanted {wanted:g} K", file=sys.stderr)
    if abs(temperature - wanted) > OFF * wanted:
        raise InputError(
            f"wanted dynamics at {wanted:g} K, got {temperature:.1f} K on average; equilibrate "
            "longer"
        )
