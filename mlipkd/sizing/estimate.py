"""Estimates: what to ask for a job, by the costs that ``workflow/sizing.yaml`` holds.

Machines differ and so do days: what is asked for is the estimate times ``factor``, which is the
largest ratio of what was observed to the estimate among the benchmarks, and not below 1.5.
"""

import math
from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveInt

from mlipkd.config.section import Section
from mlipkd.config.settings import Settings
from mlipkd.sizing.work import Work

#: Never less than this factor, however well benchmarks were met.
SAFETY = 1.5
#: Two Snakemakes that a job on a cluster runs in take 250 MB together, and count against it.
SNAKEMAKES = 250
#: Beside them PyTorch takes 400 MB before there is any data, and there is to be some room.
LEAST_MEGABYTES = 1000
#: On a GPU PyTorch and CUDA's libraries take 2 to 3 GB of the machine's memory besides. Whether
#: there is one is known where the job runs, not where it is submitted; these kinds may have one.
CUDA_MEGABYTES, ON_GPUS = 3000, ("dynamics", "inference", "training")
#: Starting takes a minute where a network file system is busy, and a place in a queue is lost for
#: a job that is ended too early.
LEAST_MINUTES = 10
#: Most partitions give a day. What takes longer on a CPU is for a GPU, or goes on at the next
#: attempt, which asks for more.
MOST_MINUTES = 1440

Costs = dict[str, NonNegativeFloat]


class Fit(Section):
    """Time or memory of one kind of job."""

    costs: Costs
    """What each unit of work takes, s or MB."""
    factor: Annotated[float, Field(ge=SAFETY)] = SAFETY
    """The largest ratio of observed to estimated; at least 1.5."""

    def estimate(self, work: dict[str, float]) -> float:
        """What some work takes, s or MB, without the factor."""
        return sum(amount * self.costs[name] for name, amount in work.items())


class KindOfJob(Section):
    """All that is known of one kind of job."""

    benchmarks: PositiveInt
    """How many it was fitted to."""
    seconds: Fit
    megabytes: Fit


class Sizing(Settings):
    """What jobs take on a machine, by benchmarks."""

    processor: str
    """The machine's. GPUs take less time: what is asked for is then more than they need."""
    campaigns: list[str]
    """Whose benchmarks they are."""
    kinds: dict[str, KindOfJob]
    """By kind of job."""

    def memory(self, work: Work) -> int:
        """What to ask for, MB."""
        fit = self.kinds[work.kind].megabytes
        wanted = SNAKEMAKES + fit.factor * fit.estimate(work.megabytes)
        wanted += CUDA_MEGABYTES * (work.kind in ON_GPUS)
        return max(LEAST_MEGABYTES, math.ceil(wanted))

    def minutes(self, work: Work) -> int:
        """What to ask for, minutes."""
        fit = self.kinds[work.kind].seconds
        wanted = math.ceil(fit.factor * fit.estimate(work.seconds) / 60)
        return min(MOST_MINUTES, max(LEAST_MINUTES, wanted))
