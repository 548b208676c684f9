"""The fit: what each unit of work takes, by non-negative least squares of relative residuals.

    minimise Σ_b (1 − Σ_u c_u w_bu / y_b)²,  c_u ≥ c⁰_u

over benchmarks b, with w the units of work and y what was observed. Short jobs do not show what
many of a small thing take, and it must not count for nothing where there are very many: c⁰ is the
least that a unit can take. (C. L. Lawson, R. J. Hanson, Solving Least Squares Problems (1974),
chapter 23; by SciPy.)
"""

import platform
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from mlipkd.errors import InputError
from mlipkd.sizing.benchmarks import Benchmark
from mlipkd.sizing.estimate import SAFETY, Fit, KindOfJob, Sizing

#: The least that a unit of memory takes: arrays take their own bytes. ``start`` is what every job
#: of a kind takes, whatever it has to do.
BYTES = {"start": 0.0, "file": 0.5, "kept": 1.0, "batch": 1.0, "side_by_side": 1.0}
#: The least that a unit of time takes on one core, s: in a second 10¹⁰ multiplications, ten million
#: neighbours or distances, and the labels of five million atoms; a millisecond for a batch or call.
TIME = {
    "start": 0.0, "file": 0.0, "aluminium-emt": 0.0, "molecules-xtb": 0.0, "batches": 1e-3,
    "calls": 1e-3, "gathered": 1e-8, "listed": 1e-7, "pairs": 1e-7, "multiplied": 1e-10,
    "labelled": 2e-7, "atoms": 2e-7,
}  # fmt: skip


def fit_sizing(benchmarks: Sequence[Benchmark]) -> Sizing:
    """Fit each kind of job for itself.

    Raises:
        InputError: a unit of work occurs in no benchmark of its kind.
    """
    return Sizing(
        processor=_processor(),
        campaigns=list(dict.fromkeys(benchmark.campaign for benchmark in benchmarks)),
        kinds={
            kind: KindOfJob(
                benchmarks=len(found),
                seconds=_fit(kind, [(b.work.seconds, b.seconds) for b in found], TIME),
                megabytes=_fit(kind, [(b.work.megabytes, b.megabytes) for b in found], BYTES),
            )
            for kind, found in by_kind(benchmarks).items()
        },
    )


def by_kind(benchmarks: Sequence[Benchmark]) -> dict[str, list[Benchmark]]:
    """The benchmarks of each kind of job."""
    kinds = defaultdict(list)
    for benchmark in benchmarks:
        kinds[benchmark.work.kind].append(benchmark)
    return dict(sorted(kinds.items()))


def _fit(kind: str, found: list[tuple[dict[str, float], float]], least: dict[str, float]) -> Fit:
    names = list(found[0][0])
    units = np.array([[work[name] for name in names] for work, _ in found])  # (benchmarks, units)
    observed = np.array([value for _, value in found])  # (benchmarks,)
    scales = units.max(axis=0)  # (units,)
    if missing := [name for name, scale in zip(names, scales, strict=True) if scale == 0]:
        raise InputError(
            f"{kind}: expected benchmarks that show what {', '.join(missing)} takes, found none; "
            "run campaigns/sizing.yaml and give its folder, too"
        )
    known = np.array([least[name] for name in names])  # (units,)
    relative = units / scales / observed[:, None]  # (benchmarks, units)
    excess, _ = nnls(relative, 1 - relative @ (known * scales))  # (units,)
    fitted = known + excess / scales
    costs = {name: float(f"{cost:.4g}") for name, cost in zip(names, fitted, strict=True)}
    largest = max(value / Fit(costs=costs).estimate(work) for work, value in found)
    return Fit(costs=costs, factor=max(SAFETY, float(np.ceil(largest * 100) / 100)))


def _processor() -> str:
    """The processor's name, as far as the system tells."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
