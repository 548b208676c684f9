"""Where the time goes: the operations of one of our steps that take most of it."""

from dataclasses import dataclass

import torch
from torch.profiler import ProfilerActivity

from benchmarks.cases import Case
from benchmarks.sides import step

CALLS, SHOWN = 3, 10


@dataclass(frozen=True)
class Share:
    """One kind of operation."""

    name: str
    part: float
    """Of the time of all operations, without the operations that it calls."""
    calls: float
    """In a step."""


def profile(case: Case, device: torch.device) -> list[Share]:
    """The operations that take most time, first the largest."""
    called = step("ours", case, case.systems(), device)
    called()
    gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if gpu else [])
    with torch.profiler.profile(activities=activities) as profiler:
        for _ in range(CALLS):
            called()
    name = "self_device_time_total" if gpu else "self_cpu_time_total"
    events = [(getattr(one, name), one) for one in profiler.key_averages()]
    total = sum(seconds for seconds, _ in events)
    events.sort(key=lambda pair: -pair[0])
    return [Share(one.key, seconds / total, one.count / CALLS) for seconds, one in events[:SHOWN]]
