"""``mlipkd``: the verbs, their locks, and how errors that a user can fix are printed."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

import typer

from mlipkd.cli.cluster import fit_sizing, host, slurm_check, status
from mlipkd.cli.data import check, dataset, fetch, init, simulate
from mlipkd.cli.evaluate import evaluate
from mlipkd.cli.results import collect, figure, report, summary
from mlipkd.cli.training import merge, predict, train, transfer
from mlipkd.errors import InputError, TryAgainError, remedy
from mlipkd.jobs import provenance
from mlipkd.jobs.lock import locked

# Read once, when the first library with OpenMP is loaded: no library takes threads by itself.
# Verbs with --threads set those of PyTorch and of our kernels.
os.environ.setdefault("OMP_NUM_THREADS", "1")

app = typer.Typer(
    help="Knowledge distillation campaigns for interatomic potentials.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
#: The verbs by what people do with them, in the order of a campaign.
PANELS: dict[str, tuple[Callable, ...]] = {
    "Prepare and watch a campaign": (init, check, status),
    "Data": (fetch, simulate, dataset),
    "Training and labels": (train, transfer, predict, merge),
    "Evaluations and results": (collect, summary, figure, report),
    "Clusters": (slurm_check, host, fit_sizing),
}


def _with_lock(verb: Callable) -> Callable:
    """The verb, holding the lock of its output while it runs."""

    @functools.wraps(verb)
    def run(**options) -> None:
        output: Path | list[Path] = options.get("output", [])
        with locked([output] if isinstance(output, Path) else output):
            verb(**options)

    return run


for panel, verbs in PANELS.items():
    for verb in verbs:
        name = verb.__name__.replace("_", "-")
        app.command(name, rich_help_panel=panel)(_with_lock(verb))
app.add_typer(evaluate, name="evaluate", rich_help_panel="Evaluations and results")


def main() -> None:
    """Run a verb; faults that the user can fix are printed, one a line, with exit status 2."""
    try:
        provenance.refuse_other_code()
        app()
    except InputError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (fix := remedy(error.name or "")) is None:
            raise
        print(f"error: expected {error.name}, which is not installed; {fix}", file=sys.stderr)
        sys.exit(2)
    except TryAgainError as error:
        print(f"not done yet: {error}", file=sys.stderr)
        sys.exit(error.status)
