"""Timing in turns, so that a machine that is busy for a while slows all contenders alike."""

import ctypes
import gc
import resource
import statistics
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import torch

from mlipkd.jobs.device import choose_device

#: Codes of glibc's mallopt.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
#: Calls that take less are repeated within a turn, s.
TURN = 0.1
#: Calls to warm up at most, and the new pages of memory in a call after which it is warm.
WARM_UP, SETTLED = 4, 2**12
#: A rival slower than the fastest by this factor, in its first timed call, gets no more turns.
HOPELESS = 1.3

Step = Callable[[], object]


@dataclass(frozen=True)
class Times:
    """Seconds of a call, one value for each turn."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and the third."""
        if len(self.seconds) == 1:
            return self.seconds[0], self.seconds[0]
        first, _, third = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return first, third


def prepare(device: str) -> torch.device:
    """One thread, and an allocator that gives nothing back: what suits hippynn best, and us.

    glibc would otherwise return large blocks to the system after each use and have them zeroed
    anew; thresholds as large as its largest blocks need cannot be set, but turned off.
    """
    chosen = choose_device(device, threads=1)
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)
    return chosen


def give_back() -> None:
    """Return what is free to the system, so that its use counts as growth."""
    gc.collect()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def call_time(step: Step, calls: int, device: torch.device) -> float:
    """Seconds of a call, the mean over ``calls``."""
    _synchronise(device)
    began = time.perf_counter()
    for _ in range(calls):
        step()
    _synchronise(device)
    return (time.perf_counter() - began) / calls


def warm_up(step: Step) -> object:
    """Call until the process grows no more; what the first call gave."""
    result = step()
    for _ in range(WARM_UP - 1):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        step()
        if resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < SETTLED:
            break
    return result


def take_turns(
    steps: Mapping[str, Step],
    device: torch.device,
    budget: float,
    least: int,
    most: int,
    rivals: Collection[str] = (),
) -> dict[str, Times]:
    """Time all steps in turns. Each was called before, to warm up.

    Args:
        steps: what to time, by name.
        device: where they compute.
        budget: seconds after which no further turn begins.
        least: turns at least.
        most: turns at most.
        rivals: those of which only the fastest matters: one that is hopeless gets one turn.
    """
    began = time.perf_counter()
    first = {name: call_time(step, 1, device) for name, step in steps.items()}
    limit = HOPELESS * min((first[name] for name in rivals), default=0)
    calls = {
        name: max(1, round(TURN / seconds))
        for name, seconds in first.items()
        if name not in rivals or seconds <= limit
    }
    # A call that takes a turn by itself is the first turn.
    seconds = {name: [once] if calls.get(name, 1) == 1 else [] for name, once in first.items()}
    for turn in range(1, most):
        if turn >= least and time.perf_counter() - began > budget:
            break
        for name, number in calls.items():
            seconds[name].append(call_time(steps[name], number, device))
    return {name: Times(tuple(values or [first[name]])) for name, values in seconds.items()}


def agree(
    ours: tuple[torch.Tensor, ...], hippynn: tuple[torch.Tensor, ...], tolerance: float = 1e-4
) -> None:
    """Raise unless the same quantities are the same numbers, relative to the largest of each.

    Raises:
        RuntimeError: they are not.
    """
    for a, b in zip(ours, hippynn, strict=True):
        scale = b.detach().abs().max()
        difference = float((a.detach() - b.detach()).abs().max() / scale)
        if not difference < tolerance:
            raise RuntimeError(
                f"expected the same energies and forces from both to {tolerance:g}, got a relative "
                f"difference of {difference:.1e}: what follows would compare different things"
            )


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
