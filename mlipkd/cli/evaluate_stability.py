"""``mlipkd evaluate-stability``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from mlipkd.cli.options import Device, Runtime, Threads


def evaluate_stability(
    models: Annotated[list[Path], Argument(help="Model files of the members.")],
    settings: Annotated[Path, Option(help="Settings with the section stability, YAML.")],
    output: Annotated[Path, Option(help="Rows to write, CSV.")],
    threads: Threads = 1,
    device: Device = "auto",
    runtime: Runtime = None,
) -> None:
    """Failures, times to failure and energy drift of NVE dynamics of a liquid, for each time step.

    After any member and time step it stops, if its time is nearly over or SIGTERM or SIGUSR1 came,
    with exit status 75; the same command goes on with the others.

    Example: mlipkd evaluate-stability --settings stability.yaml --output stability.csv
    teachers/seed*/model.safetensors
    """
    from mlipkd.campaign.settings import read_evaluation
    from mlipkd.config.evaluation import StabilityEvaluation
    from mlipkd.dynamics.packing import liquid
    from mlipkd.dynamics.trajectories import choose_integrator
    from mlipkd.evaluation.core.ensembles import load_ensembles
    from mlipkd.evaluation.core.rows import write_rows
    from mlipkd.evaluation.stability import evaluate_stability
    from mlipkd.jobs.device import choose_device
    from mlipkd.jobs.resumable import Resumable, listen

    section = read_evaluation(settings, StabilityEvaluation)
    engine = choose_integrator(section.engine, "torch-sim", "stability")
    ensembles, sources = load_ensembles(models, choose_device(device, threads))
    box = liquid(section.molecule, section.molecules, section.density, section.seed)
    identity = " ".join([section.model_dump_json(), engine, *(one.sha256 for one in sources)])
    resumable = Resumable(output, identity, listen(runtime))
    rows = evaluate_stability(box, section, engine, ensembles, resumable)
    how = f"{len(box)} atoms, packed by {box.info['packed']}; dynamics by {engine}"
    write_rows(output, rows, sources, [how])
    resumable.finish()
