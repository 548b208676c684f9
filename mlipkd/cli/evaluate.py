"""``mlipkd evaluate``: a verb for each evaluation, whose options follow from what it declares."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option, Typer

from mlipkd.cli.options import Device, Runtime, Threads
from mlipkd.evaluation import EVALUATIONS
from mlipkd.evaluation.core.evaluation import Evaluation, Job
from mlipkd.jobs.lock import locked

evaluate = Typer(help="Evaluate members, models or datasets.", no_args_is_help=True)

#: Of the verbs' parameters.
Parameters = dict[str, tuple[Any, Any]]
REQUIRED = inspect.Parameter.empty


def parameters_of(evaluation: Evaluation) -> Parameters:
    """Type and default of each parameter, by name."""
    parameters: Parameters = {
        file.name: (Annotated[list[Path], Argument(help=file.help)], REQUIRED)
        if file.several
        else (Annotated[Path, Option(help=file.help)], REQUIRED)
        for file in evaluation.inputs
        if file.help
    }
    if evaluation.section is not None:
        help = f"Settings with the section {evaluation.name}, YAML."
        parameters["settings"] = Annotated[Path, Option(help=help)], REQUIRED
    for output in evaluation.outputs:
        parameters[output.name] = Annotated[Path, Option(help=output.help)], REQUIRED
    parameters["output"] = Annotated[Path, Option(help="Rows to write, CSV.")], REQUIRED
    if evaluation.device:
        parameters |= {"threads": (Threads, 1), "device": (Device, "auto")}
    if evaluation.resumable:
        parameters["runtime"] = Runtime, None
    return parameters


def verb_of(evaluation: Evaluation) -> Callable[..., None]:
    """The function that typer makes a verb of."""
    parameters = parameters_of(evaluation)

    def verb(**options: Any) -> None:
        from mlipkd.campaign.settings import read_evaluation

        output = options.pop("output")
        settings = options.pop("settings", None)
        rest = {
            name: options.pop(name) for name in ("threads", "device", "runtime") if name in options
        }
        files = {
            name: list(value) if isinstance(value, list) else [value]
            for name, value in options.items()
        }
        with locked([output]):
            section = read_evaluation(settings, evaluation.name) if settings else None
            evaluation.run(Job(files, output, section, **rest))

    verb.__doc__ = evaluation.help
    verb.__annotations__ = {name: kind for name, (kind, _) in parameters.items()}
    verb.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
            )
            for name, (kind, default) in parameters.items()
        ]
    )
    return verb


for evaluation in EVALUATIONS.values():
    evaluate.command(evaluation.name)(verb_of(evaluation))
