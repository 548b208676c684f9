"""``mlipkd fit-sizing``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, echo


def fit_sizing(
    campaigns: Annotated[list[Path], Argument(help="Folders in which campaigns ran.")],
    output: Annotated[Path, Option(help="What jobs take, YAML: workflow/sizing.yaml.")],
) -> None:
    """Fit what jobs take on this machine to the benchmarks of campaigns that ran on it.

    Prints how well the benchmarks of each campaign are met by a fit to the others.

    Example: mlipkd fit-sizing --output workflow/sizing.yaml runs/sizing runs/chno
    """
    from mlipkd import artefacts
    from mlipkd.errors import InputError
    from mlipkd.sizing.benchmarks import read_benchmarks
    from mlipkd.sizing.fit import fit_sizing
    from mlipkd.sizing.report import report
    from mlipkd.sizing.work import KINDS

    found = [benchmark for folder in campaigns for benchmark in read_benchmarks(folder)]
    sizing = fit_sizing(found)
    if missing := [kind for kind in KINDS if kind not in sizing.kinds]:
        raise InputError(
            f"{', '.join(map(str, campaigns))}: wanted benchmarks of all kinds of jobs, found none "
            f"of {', '.join(missing)}; run campaigns/sizing.yaml and give its folder, too"
        )
    artefacts.write_text(output, sizing.to_yaml())
    echo(report(sizing, found))
