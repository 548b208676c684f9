"""A small campaign that trains for some seconds, what interrupts it, and its results."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from safetensors.torch import load_file

from tests.slurm.checkout import Checkout, Job, slurm

EPOCHS = 40
TEACHERS = "results/metal/teachers/n1-l0-a2-w8-s8"


def campaign(seeds: int) -> dict:
    """Aluminium, and so many teachers."""
    loss = [
        {"quantity": "energy", "labels": "reference", "weight": 1},
        {"quantity": "forces", "labels": "reference", "weight": 10},
    ]
    recipe = {
        "loss": loss,
        "optimiser": {"epochs": EPOCHS, "stop_after": EPOCHS},
        "batch": {"configurations": 1},
    }
    shape = {"n_interactions": 1, "l_max": 0, "atom_layers": 2, "width": 8, "sensitivities": 8}
    metal = {
        "source": {"reader": "aluminium-emt", "configurations": 48},
        "split": {"test": 0.25, "validation": 0.25},
        "model": {**shape, "soft_min": 1.8, "soft_max": 5.0, "hard_max": 5.5},
        "families": {"teachers": {"recipe": "teaching", "seeds": seeds}},
    }
    return {"recipes": {"teaching": recipe}, "datasets": {"metal": metal}}


def models(seeds: Iterable[int]) -> list[str]:
    """The files for Snakemake to make."""
    return [f"{TEACHERS}/seed{seed}/model.safetensors" for seed in seeds]


def jobs(checkout: Checkout, seed: int) -> list[Job]:
    """The jobs that train a member."""
    return [job for job in checkout.jobs("train") if job.comment.endswith(f"_{seed}")]


def states(checkout: Checkout, seed: int) -> list[str]:
    """The states of these jobs."""
    return [job.state for job in jobs(checkout, seed)]


def underway(checkout: Checkout, seed: int) -> bool:
    """Whether a member has gone through some epochs."""
    history = checkout.folder / TEACHERS / f"seed{seed}" / "history.jsonl.partial"
    return history.exists() and history.read_text().count("\n") >= 3


def wait_until(happened: Callable[[], bool], checkout: Checkout, timeout: float = 600) -> None:
    """Look every now and then, while Snakemake runs.

    Raises:
        AssertionError: it did not happen in time, in seconds; with all output until then.
    """
    end = time.monotonic() + timeout
    while not happened():
        waiting = time.monotonic() < end and checkout.runs[-1].poll() is None
        assert waiting, f"it did not happen\n{checkout.said()}"
        time.sleep(0.2)


def send(signal: str, job: Job) -> None:
    """A signal to all processes of a job."""
    slurm("scancel", f"--signal={signal}", str(job.number))


def restarts(job: Job) -> int:
    """How often SLURM has put a job back into the queue."""
    words = slurm("scontrol", "show", "job", str(job.number)).split()
    (number,) = (word for word in words if word.startswith("Restarts="))
    return int(number.removeprefix("Restarts="))


def assert_the_same(one: Path, other: Path, seed: int) -> None:
    """The weights of a member are the same bits, and so is each epoch of its history."""
    folders = [folder / TEACHERS / f"seed{seed}" for folder in (one, other)]
    weights = [load_file(folder / "model.safetensors") for folder in folders]
    assert weights[0].keys() == weights[1].keys()
    assert all(weights[0][key].equal(weights[1][key]) for key in weights[0])
    lines = [(folder / "history.jsonl").read_text().splitlines() for folder in folders]
    histories = [[json.loads(line) | {"seconds": 0} for line in member] for member in lines]
    assert histories[0] == histories[1]
    assert len(histories[0]) == EPOCHS
