"""Run parameters (.mdp) of the stages of a simulation.

Those of A. Olowookere et al., arXiv 2510.26650: steepest descent, then dynamics at constant volume
and temperature. GROMACS counts in nm, ps, K and kJ/mol.
"""

from mlipkd.config.simulation import CUTOFF, Simulation
from mlipkd.simulations.topology import FORCE_FIELD
from mlipkd.units import NANOMETRE

#: The thermostats' time, ps.
RELAXATION = 0.5
#: The force on any atom that minimisation ends at, kJ/mol/nm: 0.1 eV/Å.
STEEP = 1000

Parameters = dict[str, str | int | float]


def stages(simulation: Simulation) -> dict[str, Parameters]:
    """The parameters of each stage by its name, in their order; the last one takes the frames."""
    hot, seed = simulation.annealing, simulation.seed + 1  # 0 is a random one to GROMACS
    found = {
        "minimisation": _interactions()
        # Atoms that are packed too close pull so hard at constraints that LINCS warns of them.
        | {"integrator": "steep", "nsteps": 5000, "emtol": STEEP, "constraints": "none"}
    }
    if hot:
        found["annealing"] = (
            _dynamics(simulation, hot.duration, hot.temperature)
            | _velocities(hot.temperature, seed)
            # Keeps its temperature where the packed box has energy to give away, as G. Bussi et
            # al., J. Chem. Phys. 126, 014101 (2007) does; Nosé–Hoover would swing.
            | {"tcoupl": "v-rescale", "ld-seed": seed}
        )
    temperature = simulation.temperature
    found["equilibration"] = _dynamics(
        simulation, simulation.equilibration, temperature
    ) | _velocities(temperature, seed)
    every = simulation.steps(simulation.frame_every)
    frames = round(simulation.sampling / simulation.frame_every)
    found["sampling"] = _dynamics(simulation, simulation.sampling, temperature) | {
        "nsteps": every * frames,
        "nstxout": every,
        "nstfout": every,
        "continuation": "yes",
    }
    return found


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
    """So many ps at a temperature in K; no frames."""
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
