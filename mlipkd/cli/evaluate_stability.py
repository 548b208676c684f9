"""``mlipkd evaluate-stability``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def evaluate_stability(
    models: Annotated[list[Path], Argument(help="Model files of the members.")],
    settings: Annotated[Path, Option(help="Settings with the section stability, YAML.")],
    output: Annotated[Path, Option(help="Rows to write, CSV.")],
    threads: Annotated[int, Option(help="CPU threads.")] = 1,
    device: Annotated[str, Option(help="cpu, cuda, or auto: CUDA where there is one.")] = "auto",
) -> None:
    """Failures, times to failure and energy drift of NVE dynamics of a liquid, for each time step.

    Example: mlipkd evaluate-stability --settings stability.yaml --output stability.csv
    seed*/model.safetensors
    """
    from mlipkd.config.settings import EvaluationSettings
    from mlipkd.device import choose_device
    from mlipkd.dynamics.engines import choose_engine
    from mlipkd.dynamics.liquid import liquid
    from mlipkd.errors import InputError
    from mlipkd.evaluation.ensembles import load_ensembles
    from mlipkd.evaluation.rows import write_rows
    from mlipkd.evaluation.stability import evaluate_stability

    section = EvaluationSettings.read(str(settings)).stability
    if section is None:
        raise InputError(f"{settings}: wanted the section stability, found none; add it")
    engine = choose_engine(section.engine, "torch-sim", "stability")
    ensembles, sources = load_ensembles(models, choose_device(device, threads))
    box = liquid(section.molecule, section.molecules, section.density, section.seed)
    rows = evaluate_stability(box, section, engine, ensembles)
    how = f"{len(box)} atoms, packed by {box.info['packed']}; dynamics by {engine}"
    write_rows(output, rows, sources, [how])
