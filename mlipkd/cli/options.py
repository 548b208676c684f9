"""Options that several verbs have."""

from typing import Annotated

from typer import Option

Runtime = Annotated[
    float | None, Option(help="Minutes that SLURM gives the job; it stops in time.")
]
