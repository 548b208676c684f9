"""A simulation from packed molecules to frames, in stages that are resumed.

Everything lies in a folder next to the trajectory until that is there: ``<stage>.gro`` for each
stage that is done, and GROMACS's checkpoint of the one that is not. The run parameters (.mdp) are
those of A. Olowookere et al., arXiv 2510.26650: steepest descent, then dynamics at constant volume
and temperature. GROMACS counts in nm, ps, K and kJ/mol.
"""

import shutil
import sys
from pathlib import Path

from mlipkd.config.simulation import CUTOFF, Simulation
from mlipkd.errors import InputError
from mlipkd.jobs import artefacts, provenance
from mlipkd.jobs.resumable import Stop, never
from mlipkd.simulations import gromacs
from mlipkd.simulations.system import (
    FORCE_FIELD,
    mass,
    packed,
    piled,
    read_structure,
    system_topology,
    write_box,
)
from mlipkd.units import GRAM_PER_CM3, NANOMETRE

#: The side of the box for which GROMACS writes masses, Å.
WIDE = 100.0
#: How far the mean temperature of an equilibrated system may be off, relative to it.
TOLERANCE = 0.1
#: The time constant of the thermostats, ps.
RELAXATION = 0.5
#: The largest force on an atom at which minimisation ends, kJ/mol/nm: 0.1 eV/Å.
STEEP = 1000

Parameters = dict[str, str | int | float]


def simulate(
    simulation: Simulation,
    topology: Path,
    trajectory: Path,
    threads: int = 1,
    stop: Stop = never,
) -> None:
    """Run a simulation, or resume it.

    Args:
        simulation: what is simulated.
        topology: the .tpr to write.
        trajectory: the .trr to write, with positions and forces.
        threads: of mdrun.
        stop: called every second, to ask whether to stop.

    Raises:
        TryAgainError: it is time to stop.
        InputError: a program that is missing or fails, a file that does not fit, or dynamics that
            were not at the simulation's temperature.
    """
    folder = trajectory.with_name(trajectory.name + ".checkpoint")
    _prepare(folder, simulation)
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


def _prepare(folder: Path, simulation: Simulation) -> None:
    """Make the folder with all that stages begin with, unless it is there from before.

    A folder of a simulation that differs is removed.
    """
    mark = folder / "identity"
    identity = _identity(simulation)
    if mark.is_file() and mark.read_text() == identity:
        print(f"resuming in {folder}", file=sys.stderr)
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
    """Everything that frames depend on, as text."""
    for path in simulation.files:
        if not Path(path).is_file():
            raise InputError(
                f"{path}: expected a file of the simulation, found none; check the path"
            )
    hashes = [artefacts.sha256(Path(path)) for path in simulation.files]
    facts = [simulation.model_dump_json(), *hashes, gromacs.version(), provenance.code()]
    return "\n".join(facts)


def _pack(folder: Path, simulation: Simulation) -> None:
    """Write ``packed.gro``."""
    structures = {
        name: read_structure(name, molecule) for name, molecule in simulation.molecules.items()
    }
    counts = {name: molecule.number for name, molecule in simulation.molecules.items()}

    def piled_up(side: float) -> Path:
        """The .tpr of all molecules in one place: errors show before packing takes minutes."""
        write_box(folder / "piled.gro", structures, counts, piled(structures, counts), side)
        return gromacs.grompp(folder, "equilibration", "piled.gro")

    total_mass = mass(piled_up(WIDE))  # u
    side = simulation.box or (total_mass / ((simulation.density or 0) * GRAM_PER_CM3)) ** (1 / 3)
    piled_up(side).unlink()
    positions, how = packed(structures, counts, side, simulation.seed)
    density = total_mass / side**3 / GRAM_PER_CM3
    print(
        f"{sum(counts.values())} molecules in {side:.2f} Å, {density:.3f} g/cm³: {how}",
        file=sys.stderr,
        flush=True,
    )
    write_box(folder / "packed.gro", structures, counts, positions, side)


def _check(simulation: Simulation, temperature: float) -> None:
    """Print the mean temperature in K, and refuse one that is far off."""
    expected = simulation.temperature
    print(f"mean temperature {temperature:.1f} K, expected {expected:g} K", file=sys.stderr)
    if abs(temperature - expected) > TOLERANCE * expected:
        raise InputError(
            f"expected dynamics at {expected:g} K, got {temperature:.1f} K on average; equilibrate "
            "longer"
        )


def stages(simulation: Simulation) -> dict[str, Parameters]:
    """The parameters of each stage by its name, in their order; the last one takes the frames."""
    hot, seed = simulation.annealing, simulation.seed + 1  # 0 is a random one to GROMACS
    parameters = {
        "minimisation": _interactions()
        # Atoms that are packed too close pull so hard at constraints that LINCS warns of them.
        | {"integrator": "steep", "nsteps": 5000, "emtol": STEEP, "constraints": "none"}
    }
    if hot:
        parameters["annealing"] = (
            _dynamics(simulation, hot.duration, hot.temperature)
            | _velocities(hot.temperature, seed)
            # G. Bussi et al., J. Chem. Phys. 126, 014101 (2007) keep the temperature where the
            # packed box has energy to give away; Nosé–Hoover would oscillate.
            | {"tcoupl": "v-rescale", "ld-seed": seed}
        )
    temperature = simulation.temperature
    parameters["equilibration"] = _dynamics(
        simulation, simulation.equilibration, temperature
    ) | _velocities(temperature, seed)
    every = simulation.steps(simulation.frame_every)
    frames = round(simulation.sampling / simulation.frame_every)
    parameters["sampling"] = _dynamics(simulation, simulation.sampling, temperature) | {
        "nsteps": every * frames,
        "nstxout": every,
        "nstfout": every,
        "continuation": "yes",
    }
    return parameters


def mdp(parameters: Parameters) -> str:
    """Parameters as the text of a file."""
    return "".join(f"{name} = {value}\n" for name, value in parameters.items())


def _interactions() -> Parameters:
    return {
        "include": f"-I{FORCE_FIELD}",
        "cutoff-scheme": "Verlet",
        "coulombtype": "PME",
        "fourierspacing": 0.12,
        "rcoulomb": CUTOFF / NANOMETRE,
        "rvdw": CUTOFF / NANOMETRE,
        "DispCorr": "EnerPres",
        "constraints": "h-bonds",
        "constraint-algorithm": "lincs",
    }


def _dynamics(simulation: Simulation, duration: float, temperature: float) -> Parameters:
    """Dynamics of a duration in ps at a temperature in K; no frames."""
    return _interactions() | {
        "integrator": "md",
        "dt": simulation.timestep * 1e-3,
        "nsteps": simulation.steps(duration),
        "nstenergy": 100,
        "tcoupl": "nose-hoover",
        "nh-chain-length": 1,
        "tc-grps": "System",
        "tau-t": RELAXATION,
        "ref-t": temperature,
    }


def _velocities(temperature: float, seed: int) -> Parameters:
    """New velocities, at a temperature in K."""
    return {"gen-vel": "yes", "gen-temp": temperature, "gen-seed": seed}
