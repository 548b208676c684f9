"""Memory: what a calculation takes at its peak, in a process as a user starts it.

``python -m benchmarks.memory SIDE DEVICE CASE ...`` prints a JSON object for each case: by how many
bytes the process grew for inference, its neighbour list included, or for a step of training, from a
small calculation that had already loaded all there is to load; and, of a case that is ours alone,
the seconds of a call with known list.

Ours sets what our command line sets; hippynn has the allocator and the kernel that it starts with,
and finds its pairs as fast and lean as we do. On the CPU the process is held to the memory that is
free, so that what needs more fails by itself.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import torch

from benchmarks.cases import CASES, Case
from benchmarks.sides import Side, step
from benchmarks.timing import call_time, give_back
from mlipkd.evaluation.memory import forget_peak, peak
from mlipkd.jobs.device import choose_device

#: The part of the free memory that a process may take.
SHARE = 0.85


@dataclass(frozen=True)
class Usage:
    """What a case takes."""

    bytes: float
    seconds: float | None


def usages(
    sides: Sequence[Side], keys: Sequence[str], device: torch.device
) -> dict[tuple[Side, str], Usage]:
    """Measure in a process for each side; what fails, as it does if memory is short, is missing."""
    processes = {
        side: subprocess.Popen(
            [sys.executable, "-m", "benchmarks.memory", side, str(device), *keys],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for side in sides
    }
    found: dict[tuple[Side, str], Usage] = {}
    for side, process in processes.items():
        output, errors = process.communicate()
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        for key, line in zip(keys, lines, strict=False):
            found[side, key] = Usage(**line)
        if process.returncode != 0:
            last = errors.strip().splitlines()[-1:]
            print(f"memory of {side}, {keys[len(lines)]}: {last}", file=sys.stderr)
    return found


def free_bytes() -> int:
    """Memory that the system could give to a new process."""
    available = Path("/proc/meminfo").read_text().partition("MemAvailable:")[2]
    return 1024 * int(available.split()[0])


def usage(side: Side, case: Case, device: torch.device) -> Usage:
    """Measure in this process."""
    systems = case.systems()
    small = [systems[0][:8]]
    # One system of ours has its neighbours found in the first call, and kept for the second.
    finds = case.kind == "inference" and not case.alone
    step(side, case, small, device, finds_neighbours=finds)()
    measured = step(side, case, systems, device, finds_neighbours=finds)
    give_back()
    forget_peak(device)
    before = peak(device)
    measured()
    grown = peak(device) - before
    return Usage(grown, call_time(measured, 1, device) if case.alone else None)


def main(side: str, name: str, *keys: str) -> None:
    """Measure and print."""
    if side == "ours":
        device = choose_device(name, threads=1)
    else:
        torch.set_num_threads(1)
        device = torch.device(name)
    if device.type == "cpu":
        limit = int(SHARE * free_bytes())
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    for key in keys:
        found = usage(cast(Side, side), CASES[key], device)
        print(json.dumps(asdict(found)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
