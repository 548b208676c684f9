"""``mlipkd simulate``."""

from pathlib import Path
from typing import Annotated

from typer import Option

from mlipkd.cli.options import Runtime, Threads


def simulate(
    settings: Annotated[Path, Option(help="What is simulated, YAML.")],
    topology: Annotated[Path, Option(help="Topology to write, .tpr.")],
    output: Annotated[Path, Option(help="Trajectory to write, .trr.")],
    threads: Threads = 1,
    runtime: Runtime = None,
) -> None:
    """Pack molecules into a box, and sample their dynamics with GROMACS: positions and forces.

    Before its time is over, and on SIGTERM or SIGUSR1, it stops with exit status 75; the same
    command goes on from there.

    Example: mlipkd simulate --settings settings.yaml --topology topology.tpr --output
    trajectory.trr
    """
    from mlipkd.config.settings import SimulationSettings
    from mlipkd.interruption import listen
    from mlipkd.simulations.simulate import simulate

    section = SimulationSettings.read(settings).simulation
    simulate(section, topology, output, threads, listen(runtime))
