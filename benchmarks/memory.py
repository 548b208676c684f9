"""Memory: what a calculation takes at its peak, in a process as a user starts it.

``python -m benchmarks.memory CONTENDER DEVICE CASE ...`` prints a JSON object for each case: by how
many bytes the process grew for inference, its neighbour list included, or for a step of training,
after a small calculation that had already loaded all there is to load; and, of a case that only
ours can compute, the seconds of a call with a known list.

Ours sets what our command line sets; hippynn has the allocator and the kernel that it starts with,
and finds its pairs as fast and with as little memory as we do. On the CPU the process is held to
the memory that is free, so that what needs more fails by itself.
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
from benchmarks.contenders import Contender, step
from benchmarks.timing import call_time, give_back
from mlipkd.evaluation.cost.measurement import peak_memory, reset_peak_memory
from mlipkd.jobs.device import choose_device

#: The part of the free memory that a process may take.
SHARE = 0.85


@dataclass(frozen=True)
class Usage:
    """What a case takes."""

    bytes: float
    seconds: float | None


def usages(
    contenders: Sequence[Contender], keys: Sequence[str], device: torch.device
) -> dict[tuple[Contender, str], Usage]:
    """Measure, one process for each contender; what fails, if memory is short, is missing."""
    processes = {
        contender: subprocess.Popen(
            [sys.executable, "-m", "benchmarks.memory", contender, str(device), *keys],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for contender in contenders
    }
    measured: dict[tuple[Contender, str], Usage] = {}
    for contender, process in processes.items():
        output, errors = process.communicate()
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        for key, line in zip(keys, lines, strict=False):
            measured[contender, key] = Usage(**line)
        if process.returncode != 0:
            last = errors.strip().splitlines()[-1:]
            print(f"memory of {contender}, {keys[len(lines)]}: {last}", file=sys.stderr)
    return measured


def free_bytes() -> int:
    """Memory that the system could give to a new process."""
    available = Path("/proc/meminfo").read_text().partition("MemAvailable:")[2]
    return 1024 * int(available.split()[0])


def usage(contender: Contender, case: Case, device: torch.device) -> Usage:
    """Measure in this process."""
    systems = case.systems()
    small = [systems[0][:8]]
    # Ours finds the neighbours of a single system in the first call and keeps them for the second.
    finds = case.kind == "inference" and not case.ours_only
    step(contender, case, small, device, finds_neighbours=finds)()
    measured = step(contender, case, systems, device, finds_neighbours=finds)
    give_back()
    reset_peak_memory(device)
    before = peak_memory(device)
    measured()
    grown = peak_memory(device) - before
    return Usage(grown, call_time(measured, 1, device) if case.ours_only else None)


def main(contender: str, name: str, *keys: str) -> None:
    """Measure and print."""
    if contender == "ours":
        device = choose_device(name, threads=1)
    else:
        torch.set_num_threads(1)
        device = torch.device(name)
    if device.type == "cpu":
        limit = int(SHARE * free_bytes())
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    for key in keys:
        result = usage(cast(Contender, contender), CASES[key], device)
        print(json.dumps(asdict(result)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
