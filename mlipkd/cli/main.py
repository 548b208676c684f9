"""``mlipkd``: the verbs, what all of them do, and what becomes of errors meant to be read."""

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

# Read once, when the first library with OpenMP is loaded: none of them takes threads by itself.
# Verbs with --threads give that many to PyTorch and to our kernels.
os.environ.setdefault("OMP_NUM_THREADS", "1")

app = typer.Typer(
    help="Knowledge distillation campaigns for interatomic potentials.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
VERBS = (
    init,
    check,
    status,
    slurm_check,
    host,
    fetch,
    simulate,
    dataset,
    train,
    transfer,
    predict,
    merge,
    collect,
    summary,
    figure,
    report,
    fit_sizing,
)


def _alone(verb: Callable) -> Callable:
    """The verb, which holds the lock of its output while it runs."""

    @functools.wraps(verb)
    def run(**options) -> None:
        output: Path | list[Path] = options.get("output", [])
        with locked([output] if isinstance(output, Path) else output):
            verb(**options)

    return run


for verb in VERBS:
    app.command(verb.__name__.replace("_", "-"))(_alone(verb))
app.add_typer(evaluate, name="evaluate")


def main() -> None:
    """Run a verb; what the user can fix is printed as one line a fault, with exit status 2."""
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
