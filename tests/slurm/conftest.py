"""A SLURM cluster for the duration of the tests."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.slurm.checkout import Checkout

CLUSTER = Path(__file__).parent / "cluster"
CANNOT_BE_HERE = 3


@pytest.fixture(scope="session", autouse=True)
def cluster() -> Iterator[None]:
    """A cluster that was up before stays up."""
    started = subprocess.run([CLUSTER, "up"], capture_output=True, text=True, timeout=600)
    if started.returncode == CANNOT_BE_HERE:
        pytest.skip(started.stderr.splitlines()[-1])
    assert started.returncode == 0, started.stderr
    yield
    if "was up" not in started.stdout:
        subprocess.run([CLUSTER, "down"], check=True, timeout=120)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Checkout]]:
    """A function that makes a checkout with a separate campaign; none leaves jobs behind."""

    def make(campaign: dict) -> Checkout:
        made.append(Checkout(tmp_path_factory.mktemp("checkout"), campaign))
        return made[-1]

    made: list[Checkout] = []
    yield make
    for one in made:
        one.end()
