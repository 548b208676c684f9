"""``mlipkd evaluate-liquid``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mlipkd.cli.options import Device, Runtime, Threads


def evaluate_liquid(
    model: Annotated[Path, Argument(help="Model file.")],
    settings: Annotated[Path, Option(help="Settings with the section liquid, YAML.")],
    trajectory: Annotated[Path, Option(help="Frames to write, a dataset in HDF5.")],
    output: Annotated[Path, Option(help="Rows to write, CSV.")],
    threads: Threads = 1,
    device: Device = "auto",
    runtime: Runtime = None,
) -> None:
    """Melt a crystal, equilibrate and sample the liquid; then measure the drift of its energy.

    Before its time is over, and on SIGTERM or SIGUSR1, it stops with exit status 75; the same
    command goes on from there to the same bits.

    Example: mlipkd evaluate-liquid --settings liquid.yaml --trajectory teachers/seed0/liquid.h5
    --output liquid.csv teachers/seed0/model.safetensors
    """
    from mlipkd.campaign.settings import read_evaluation
    from mlipkd.config.evaluation import LiquidEvaluation
    from mlipkd.datasets.file import write
    from mlipkd.dynamics.trajectories import choose_integrator
    from mlipkd.evaluation.core.ensembles import source_of
    from mlipkd.evaluation.core.rows import write_rows
    from mlipkd.evaluation.liquid import evaluate_liquid
    from mlipkd.hipnn.file import load_potential
    from mlipkd.jobs.device import choose_device
    from mlipkd.jobs.resumable import Resumable, listen

    section = read_evaluation(settings, LiquidEvaluation)
    engine = choose_integrator(section.engine, "lammps", "liquid")
    potential = load_potential(model, choose_device(device, threads))
    source = source_of(model, potential)
    identity = f"{section.model_dump_json()} {source.sha256} {engine}"
    resumable = Resumable(trajectory, identity, listen(runtime))
    frames, rows, notes = evaluate_liquid(potential, section, engine, resumable)
    write(frames, trajectory)
    how = f"{frames.sizes[0]} atoms; dynamics by {engine}"
    write_rows(output, rows, [source], [how, *notes])
    resumable.finish()
