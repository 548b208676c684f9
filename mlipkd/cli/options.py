"""Options that several verbs have."""

from typing import Annotated

from typer import Option

Threads = Annotated[int, Option(min=1, help="CPU threads.")]
Device = Annotated[str, Option(help="cpu, cuda, or auto: CUDA where there is one.")]
Runtime = Annotated[
    float | None, Option(help="Minutes that SLURM gives the job; it stops in time.")
]
