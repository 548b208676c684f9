"""Estimates: what to ask for a job, by what benchmarks of others took. Machines differ and so do
days: it is the estimate times ``factor``, the largest ratio among the benchmarks, 1.5 at least."""

import math
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, NonNegativeFloat, PositiveInt

from mlipkd.config.section import Section
from mlipkd.config.settings import Settings
from mlipkd.sizing.work import Work

SAFETY = 1.5  # of every factor, at least
#: MB: of the two Snakemakes that a job on a cluster runs in; of PyTorch's CUDA, for jobs that may
#: have a GPU, which shows where they run; and what is asked for at least, as PyTorch takes 400.
SNAKEMAKES, CUDA, LEAST_MEGABYTES = 250, 3000, 1000
ON_GPUS = ("dynamics", "inference", "training")
#: Starting takes a minute where a network file system is busy. Most partitions give a day; what
#: takes longer on a CPU is for a GPU, or resumed at the next attempt, which asks for more.
LEAST_MINUTES, MOST_MINUTES = 10, 1440


class Fit(Section):
    """Time or memory of one kind of job."""

    costs: dict[str, NonNegativeFloat]
    """What each unit of work takes, s or MB."""
    factor: Annotated[float, Field(ge=SAFETY)] = SAFETY

    def estimate(self, work: dict[str, float]) -> float:
        """What some work takes, s or MB, without the factor."""
        return sum(amount * self.costs[name] for name, amount in work.items())


class KindOfJob(Section):
    """What is known of one kind of job."""

    benchmarks: PositiveInt
    seconds: Fit
    megabytes: Fit


class Sizing(Settings):
    """What jobs take on a machine."""

    processor: str
    campaigns: list[str]
    kinds: dict[str, KindOfJob]

    @classmethod
    def of(cls, checkout: Path = Path()) -> Self:
        """What was fitted to the user's machine, in a checkout, or else what ships."""
        fitted = checkout / "workflow" / "sizing.yaml"
        return cls.read(fitted if fitted.is_file() else Path(__file__).with_name("sizing.yaml"))

    def memory(self, work: Work) -> int:
        """What to ask for, MB."""
        fit = self.kinds[work.kind].megabytes
        base = SNAKEMAKES + CUDA * (work.kind in ON_GPUS)
        return max(LEAST_MEGABYTES, math.ceil(base + fit.factor * fit.estimate(work.megabytes)))

    def minutes(self, work: Work) -> int:
        """What to ask for, minutes."""
        fit = self.kinds[work.kind].seconds
        minutes = math.ceil(fit.factor * fit.estimate(work.seconds) / 60)
        return min(MOST_MINUTES, max(LEAST_MINUTES, minutes))
