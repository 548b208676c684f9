"""Speed and memory, compared with hippynn.

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
from benchmarks.compare import (
    FEW_BOXES,
    FULL,
    MANY_BOXES,
    QUICK,
    compare,
    dynamics,
    packed,
    profile,
)
from benchmarks.contenders import Contender
from benchmarks.installed import as_installed
from benchmarks.results import (
    AL_MEMORY,
    CHNO_MEMORY,
    DYNAMICS_CASE,
    PACKED,
    Installed,
    Memory,
    Results,
)
from benchmarks.timing import prepare
from mlipkd.config.model import Architecture

#: What the full run measures beyond the quick one.
MORE_MEMORY = ("al_teacher_train", "al_student_train")
MORE_DYNAMICS = ("al_teacher_inference_18634",)
MEMBERS = (1, 4, PACKED)
INSTALLED = ("al_teacher_inference_2048", "al_teacher_train", "chno_inference_128")
INSTALLED_TURNS = 2


def gather(device: torch.device, quick: bool, results: Results, cases: dict[str, Case]) -> None:
    """Measure on one device, and add it to the results."""
    effort = QUICK if quick else FULL
    machine = results.machines[device.type] = limits.measure(device)
    _say(f"{device}: {machine.flops / 1e9:.0f} GFLOP/s, {machine.bandwidth / 1e9:.0f} GB/s")
    fastest: dict[Architecture, list[str]] = {}
    for case in cases.values():
        if (quick and not case.quick) or case.ours_only:
            continue
        row = compare(case, device, machine, effort, fastest.get(case.shape))
        results.rows.append(row)
        if quick:  # the kernel that is the fastest in a model's first case stands for its others
            fastest[case.shape] = [row.kernel]
        _say(
            f"{case.key} on {device}: {row.ours.median / row.atoms * 1e6:.3g} µs/atom, hippynn "
            f"({row.kernel}) {row.hippynn[row.kernel].median / row.atoms * 1e6:.3g}, "
            f"ratio {row.ratio:.2f}"
        )
    for boxes in (FEW_BOXES, MANY_BOXES):
        for members in (PACKED,) if quick else MEMBERS:
            students = packed(members, boxes, device, effort)
            results.packed.append(students)
            _say(
                f"{members} students at once, {students.atoms} atoms, on {device}: {students.ratio}"
            )
    for key in (DYNAMICS_CASE,) if quick else (DYNAMICS_CASE, *MORE_DYNAMICS):
        if key in cases:
            seconds = dynamics(cases[key], device)
            results.dynamics.append(seconds)
            _say(
                f"dynamics, {key} on {device}: {seconds.step / seconds.call:.3f} force calls a step"
            )
    compared = (AL_MEMORY, CHNO_MEMORY) if quick else (AL_MEMORY, CHNO_MEMORY, *MORE_MEMORY)
    chosen = [cases[key] for key in compared if key in cases]
    results.memory += _memory(chosen, ("ours", "hippynn"), device)
    if quick:
        return
    for case in cases.values():
        if case.ours_only:
            results.memory += _memory([case], ("ours",), device)
        elif case.key in INSTALLED and device.type == "cpu":
            times = as_installed(case.key, INSTALLED_TURNS)
            results.installed.append(Installed(case.key, *times))
            _say(f"{case.key} as installed: ratio {results.installed[-1].ratio:.2f}")
    for row in results.rows:
        if row.missed and row.device == device.type:
            name = row.key if row.device == "cpu" else f"gpu_{row.key}"
            results.profiles[name] = profile(cases[row.key], device)


def _memory(
    cases: list[Case], contenders: tuple[Contender, ...], device: torch.device
) -> list[Memory]:
    usages = memory.usages(contenders, [case.key for case in cases], device) if cases else {}
    measured = []
    for case in cases:
        atoms = sum(len(system) for system in case.systems())
        ours, hippynn = usages.get(("ours", case.key)), usages.get(("hippynn", case.key))
        measured.append(Memory(case.key, device.type, atoms, ours, hippynn))
        kib = [f"{use.bytes / atoms / 1024:.3g}" if use else "none" for use in (ours, hippynn)]
        _say(f"memory, {case.key} on {device}: {kib[0]} KiB/atom, hippynn {kib[1]}")
    return measured


def quick_report(results: Results) -> str:
    """The last line of a quick run."""
    ratios = {key: ratio and round(ratio, 3) for key, ratio in results.ratios().items()}
    return json.dumps({**ratios, "notes": results.notes()})


def _say(line: str) -> None:
    print(f"{time.perf_counter() - BEGAN:5.0f} s  {line}", flush=True)


def main(
    quick: Annotated[bool, typer.Option(help="Print ratios only.")] = False,
    output: Annotated[Path, typer.Option(help="Folder of performance.md.")] = Path("docs"),
) -> None:
    """Measure, and report."""
    results = Results()
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for name in devices:
        gather(prepare(name), quick, results, CASES)
    if quick:
        print(quick_report(results))
    else:
        from benchmarks.report import write  # needs matplotlib

        write(results, output)


BEGAN = time.perf_counter()

if __name__ == "__main__":
    typer.run(main)
