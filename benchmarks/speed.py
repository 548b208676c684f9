"""Speed and memory beside hippynn.

    python -m benchmarks.speed --quick    ratios, as a JSON object in the last line
    python -m benchmarks.speed            docs/performance.md, its figure and its numbers

On the CPU everything runs on one thread. Where there is a GPU, all cases run on it, too.
"""

import json
import time
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks import limits, memory
from benchmarks.cases import CASES, Case
from benchmarks.compare import FULL, QUICK, compare
from benchmarks.dynamics import step_over_force_call
from benchmarks.findings import (
    AL_MEMORY,
    CHNO_MEMORY,
    DYNAMICS,
    PACKED,
    Dynamics,
    Findings,
    Installed,
    Memory,
)
from benchmarks.installed import as_installed
from benchmarks.packed import LARGE, SMALL, packed
from benchmarks.profile import profile
from benchmarks.sides import Side
from benchmarks.timing import prepare
from mlipkd.config.model import Architecture

#: What the full run measures beyond the quick one.
MORE_MEMORY = ("al_teacher_train", "al_student_train")
MORE_DYNAMICS = ("al_teacher_inference_18634",)
MEMBERS = (1, 4, PACKED)
INSTALLED = ("al_teacher_inference_2048", "al_teacher_train", "chno_inference_128")
INSTALLED_TURNS = 2


def gather(device: torch.device, quick: bool, found: Findings, cases: dict[str, Case]) -> None:
    """Measure on one device, and add it to what was found."""
    effort = QUICK if quick else FULL
    machine = found.machines[device.type] = limits.measure(device)
    _say(f"{device}: {machine.flops / 1e9:.0f} GFLOP/s, {machine.bandwidth / 1e9:.0f} GB/s")
    fastest: dict[Architecture, list[str]] = {}
    for case in cases.values():
        if (quick and not case.quick) or case.alone:
            continue
        row = compare(case, device, machine, effort, fastest.get(case.shape))
        found.rows.append(row)
        if quick:  # the kernel that is the fastest in a model's first case stands for its others
            fastest[case.shape] = [row.kernel]
        _say(
            f"{case.key} on {device}: {row.ours.median / row.atoms * 1e6:.3g} µs/atom, hippynn "
            f"({row.kernel}) {row.hippynn[row.kernel].median / row.atoms * 1e6:.3g}, "
            f"ratio {row.ratio:.2f}"
        )
    for boxes in (SMALL, LARGE):
        for members in (PACKED,) if quick else MEMBERS:
            one = packed(members, boxes, device, effort)
            found.packed.append(one)
            _say(f"{members} students at once, {one.atoms} atoms, on {device}: {one.ratio}")
    for key in (DYNAMICS,) if quick else (DYNAMICS, *MORE_DYNAMICS):
        if key in cases:
            seconds = step_over_force_call(cases[key], device)
            found.dynamics.append(Dynamics(key, device.type, *seconds))
            _say(f"dynamics, {key} on {device}: {seconds[0] / seconds[1]:.3f} force calls a step")
    compared = (AL_MEMORY, CHNO_MEMORY) if quick else (AL_MEMORY, CHNO_MEMORY, *MORE_MEMORY)
    chosen = [cases[key] for key in compared if key in cases]
    found.memory += _memory(chosen, ("ours", "hippynn"), device)
    if quick:
        return
    for case in cases.values():
        if case.alone:
            found.memory += _memory([case], ("ours",), device)
        elif case.key in INSTALLED and device.type == "cpu":
            times = as_installed(case.key, INSTALLED_TURNS)
            found.installed.append(Installed(case.key, *times))
            _say(f"{case.key} as installed: ratio {found.installed[-1].ratio:.2f}")
    for row in found.rows:
        if row.missed and row.device == device.type:
            name = row.key if row.device == "cpu" else f"gpu_{row.key}"
            found.profiles[name] = profile(cases[row.key], device)


def _memory(cases: list[Case], sides: tuple[Side, ...], device: torch.device) -> list[Memory]:
    usages = memory.usages(sides, [case.key for case in cases], device) if cases else {}
    measured = []
    for case in cases:
        atoms = sum(len(system) for system in case.systems())
        both = [usages.get((side, case.key)) for side in ("ours", "hippynn")]
        measured.append(Memory(case.key, device.type, atoms, *both))
        kib = [f"{usage.bytes / atoms / 1024:.3g}" if usage else "none" for usage in both]
        _say(f"memory, {case.key} on {device}: {kib[0]} KiB/atom, hippynn {kib[1]}")
    return measured


def quick_report(found: Findings) -> str:
    """The last line of a quick run."""
    ratios = {key: ratio and round(ratio, 3) for key, ratio in found.ratios().items()}
    return json.dumps({**ratios, "notes": found.notes()})


def _say(line: str) -> None:
    print(f"{time.perf_counter() - BEGAN:5.0f} s  {line}", flush=True)


def main(
    quick: Annotated[bool, typer.Option(help="Print ratios only.")] = False,
    output: Annotated[Path, typer.Option(help="Folder of performance.md.")] = Path("docs"),
) -> None:
    """Measure, and report."""
    found = Findings()
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for name in devices:
        gather(prepare(name), quick, found, CASES)
    if quick:
        print(quick_report(found))
    else:
        from benchmarks.report import write  # needs matplotlib

        write(found, output)


BEGAN = time.perf_counter()

if __name__ == "__main__":
    typer.run(main)
