"""The report of a full run: performance.json, performance.md and its figure."""

import dataclasses
import json
import platform
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

import matplotlib
import torch

from benchmarks.cases import CASES
from benchmarks.compare import Row
from benchmarks.results import AT_MOST, Results
from benchmarks.timing import Times
from mlipkd.jobs import provenance

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes

PACKAGES = ("hippynn", "numba", "triton", "ase", "vesin", "numpy")
NONE = "–"


def write(results: Results, folder: Path) -> None:
    """Write the three files."""
    record = provenance.record(
        machine=machine(),
        ratios=results.ratios(),
        notes=results.notes(),
        **dataclasses.asdict(results),
    )
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (folder / "performance.json").write_text(text + "\n")
    (folder / "performance.md").write_text(markdown(results, record))
    figure(results, folder / "performance.svg")


def machine() -> dict[str, object]:
    """What was measured on, and with which versions."""
    information = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(": ")[2] for line in information.splitlines() if "model name" in line]
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "processor": f"{names[0] if names else platform.processor()}, {len(names)} cores seen",
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "none at hand",
        **versions,
    }


def markdown(results: Results, record: dict) -> str:
    """The page."""
    parts = [
        "# Performance",
        "`make bench` measures all of this, and writes this page, its figure and "
        "[performance.json](performance.json). Ours and hippynn have the same weights; energies "
        "and forces were found equal to 10⁻⁴ before anything was timed. All ran in turns in one "
        "process, on the CPU with one thread, in float32; the times are medians, with quartiles "
        "in brackets.",
        _table(
            ("", ""),
            [
                *record["machine"].items(),
                *((name, record[name]) for name in ("python", "torch", "mlipkd", "commit", "time")),
                *(
                    (
                        f"{name} at best",
                        f"{_number(limits.flops / 1e9)} GFLOP/s (matrix product), "
                        f"{_number(limits.bandwidth / 1e9)} GB/s (copy)",
                    )
                    for name, limits in results.machines.items()
                ),
            ],
        ),
        "![Time of an atom against the number of atoms and of models](performance.svg)",
        "## Bars",
        "hippynn divided by ours, where the name does not say otherwise. hippynn at its best: its "
        "modules called directly with precomputed pairs, the fastest of its kernels, and an "
        "allocator that keeps freed memory, which helps hippynn more than us. Memory is compared "
        "with hippynn as installed.",
        _table(("ratio", "measured", "bar", ""), _bars(results)),
        "## Time",
        "As installed: each in its own process, hippynn with the allocator of the system and "
        "the kernel that it chooses by itself. Reference: our engine in plain PyTorch divided "
        "by our compiled kernels. Limit: operations counted from the architecture at the speed of "
        "the fastest matrix product, and the transfer of the pairs at the bandwidth of a copy "
        "([limits.py](../benchmarks/limits.py)); the last column says how much of our time that "
        "would be.",
        _table(
            (
                "case",
                "atoms",
                "ours, µs/atom",
                "hippynn at its best, µs/atom",
                "ratio",
                "bar",
                "as installed",
                "reference",
                "limit, µs/atom",
                "of the limit",
            ),
            (_time_row(results, row) for row in results.rows),
        ),
        "## Memory",
        "Growth of a process from a small calculation to the peak of the one that is measured, "
        "list of neighbours included; hippynn as installed, but with its pairs found as leanly as "
        "ours.",
        _table(
            ("case", "device", "ours, KiB/atom", "hippynn, KiB/atom", "ratio"),
            (
                (
                    row.key,
                    row.device,
                    *(
                        _number(usage.bytes / row.atoms / 1024) if usage else NONE
                        for usage in (row.ours, row.hippynn)
                    ),
                    _number(row.ratio),
                )
                for row in results.memory
            ),
        ),
        "A dash: not measured, or more than the memory of this machine.",
        "## Large systems",
        "Only ours, in its own process: time of energy and forces with a known list, and "
        "peak memory, list included.",
        _table(
            ("case", "device", "ours, µs/atom", "ours, KiB/atom"),
            (
                (
                    row.key,
                    row.device,
                    _number(row.ours.seconds and row.ours.seconds / row.atoms * 1e6)
                    if row.ours
                    else "more memory than there is",
                    _number(row.ours.bytes / row.atoms / 1024) if row.ours else NONE,
                )
                for row in results.memory
                if CASES[row.key].ours_only
            ),
        ),
        "## Several students at once",
        "Against the same students trained one after the other, by our engine.",
        _table(
            (
                "students",
                "atoms in a step",
                "device",
                "separate, µs/atom/student",
                "at once, µs/atom/student",
                "ratio",
            ),
            (
                (
                    row.members,
                    row.atoms,
                    row.device,
                    _per_atom(row.separate, row.atoms * row.members),
                    _per_atom(row.packed, row.atoms * row.members)
                    if row.packed
                    else "not available",
                    _number(row.ratio),
                )
                for row in results.packed
            ),
        ),
        "## Molecular dynamics",
        "A step through the ASE calculator, its share of the Verlet list included, divided by a "
        "call for energy and forces with a known list. The atoms fly freely at 300 K, so that the "
        "list is made anew about as often as in a solid.",
        _table(
            ("case", "device", "step, ms", "force call, ms", "ratio"),
            (
                (
                    row.key,
                    row.device,
                    _number(1e3 * row.step),
                    _number(1e3 * row.call),
                    _number(row.step / row.call),
                )
                for row in results.dynamics
            ),
        ),
    ]
    if "cuda" not in results.machines:
        parts += ["## GPU", "No GPU was at hand: there are no rows for row."]
    if results.profiles:
        parts += [
            "## Where the time goes",
            "The cases that missed their bar: operations of our step by the time that they take "
            "themselves, without that of the operations that they call.",
        ]
    for key, shares in results.profiles.items():
        rows = ((share.name, f"{100 * share.part:.1f} %", _number(share.calls)) for share in shares)
        parts += [f"### {key}", _table(("operation", "of the time", "calls a step"), rows)]
    return "\n\n".join(parts) + "\n"


def figure(results: Results, path: Path) -> None:
    """Time of an atom against the number of atoms, and of students trained at once."""
    pyplot.rcParams["svg.hashsalt"] = "performance"
    drawing, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for number, model in enumerate(("teacher", "student")):
        curves = _growth(results, f"al_{model}_inference_")
        for (name, points), style in zip(curves.items(), ("o-", "s--"), strict=True):
            label = f"{name}, {model}"
            left.plot(*zip(*sorted(points), strict=True), style, color=f"C{number}", label=label)
    _label(left, "atoms", "energy and forces, µs/atom")
    left.set(xscale="log", yscale="log")
    for axis in (left.yaxis.set_major_formatter, left.yaxis.set_minor_formatter):
        axis("{x:.0f}")
    for number, atoms in enumerate(sorted({row.atoms for row in results.packed})):
        ways = (("separate", "s--"), ("packed", "o-"))
        for name, style in ways:
            points = [
                (row.members, times.median / row.atoms / row.members * 1e6)
                for row in results.packed
                if row.atoms == atoms and row.device == "cpu" and (times := getattr(row, name))
            ]
            if points:
                label = f"{name}, {atoms} atoms"
                right.plot(*zip(*points, strict=True), style, color=f"C{number}", label=label)
    _label(right, "students trained", "a step, µs/atom/student")
    right.set_xscale("log", base=2)
    right.xaxis.set_major_formatter("{x:.0f}")
    right.set_ylim(bottom=0)
    drawing.savefig(path, metadata={"Date": None})
    pyplot.close(drawing)


def _growth(results: Results, prefix: str) -> dict[str, list[tuple[int, float]]]:
    """Points (atoms, µs/atom) of both, on the CPU."""
    curves: dict[str, list[tuple[int, float]]] = {"ours": [], "hippynn": []}
    for row in results.rows:
        if row.key.startswith(prefix) and row.device == "cpu":
            best = row.hippynn[row.kernel]
            curves["ours"].append((row.atoms, row.ours.median / row.atoms * 1e6))
            curves["hippynn"].append((row.atoms, best.median / row.atoms * 1e6))
    for row in results.memory:
        if row.key.startswith(prefix) and row.device == "cpu" and row.ours and row.ours.seconds:
            curves["ours"].append((row.atoms, row.ours.seconds / row.atoms * 1e6))
    return curves


def _label(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)


def _bars(results: Results) -> Iterable[Sequence[object]]:
    notes = results.notes()
    for key, ratio in results.ratios().items():
        bar = results.bar(key)
        if bar is None:
            continue
        text = f"at most {bar}" if key in AT_MOST else f"{bar}"
        verdict = notes.get(key) or ("missed" if results.missed(key) else "met")
        yield key, _number(ratio), text, verdict


def _time_row(results: Results, row: Row) -> Sequence[object]:
    installed = {times.key: times for times in results.installed} if row.device == "cpu" else {}
    times = installed.get(row.key)
    return (
        row.key if row.device == "cpu" else f"gpu_{row.key}",
        row.atoms,
        _per_atom(row.ours, row.atoms),
        f"{_per_atom(row.hippynn[row.kernel], row.atoms)} {row.kernel}",
        _number(row.ratio),
        row.bar or NONE,
        f"{_number(times.ratio)} {times.kernel}" if times else NONE,
        _number(row.reference.median / row.ours.median) if row.reference else NONE,
        _number(row.limit / row.atoms * 1e6),
        f"{100 * row.limit / row.ours.median:.0f} %",
    )


def _per_atom(times: Times, atoms: int) -> str:
    low, high = (_number(1e6 * seconds / atoms) for seconds in times.quartiles)
    return f"{_number(1e6 * times.median / atoms)} ({low}–{high})"


def _number(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
