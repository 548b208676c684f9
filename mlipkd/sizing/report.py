"""The report on a fit: how well it meets its benchmarks, and how well it would have met others."""

from collections.abc import Iterator, Sequence

import numpy as np

from mlipkd.errors import InputError
from mlipkd.sizing.benchmarks import Benchmark
from mlipkd.sizing.estimate import Fit, Sizing
from mlipkd.sizing.fit import by_kind, fit_sizing

HEAD = "| {} | jobs | time | of what is asked for | memory | of what is asked for |"
RULE = "| --- | --- | --- | --- | --- | --- |"
INTRODUCTION = """\
# Sizing

Written by `mlipkd fit-sizing` from benchmarks on {processor}, of the campaigns {campaigns}.
Of CPU time and of memory: observed over estimated, smallest, median and largest; and the largest
part that a job took of what the workflow asks for.
"""


def report(sizing: Sizing, benchmarks: Sequence[Benchmark]) -> str:
    """The page, in Markdown."""
    lines = [
        INTRODUCTION.format(processor=sizing.processor, campaigns=", ".join(sizing.campaigns)),
        HEAD.format("kind of job"),
        RULE,
    ]
    lines += [_row(kind, sizing, found) for kind, found in by_kind(benchmarks).items()]
    if len(sizing.campaigns) > 1:
        lines += [
            "",
            "Each campaign estimated from the others, where these show all that it does:",
            "",
            HEAD.format("campaign, kind of job"),
            RULE,
            *_left_out(sizing.campaigns, benchmarks),
        ]
    return "\n".join(lines)


def _left_out(campaigns: Sequence[str], benchmarks: Sequence[Benchmark]) -> Iterator[str]:
    for campaign in campaigns:
        own = by_kind([b for b in benchmarks if b.campaign == campaign])
        others = by_kind([b for b in benchmarks if b.campaign != campaign])
        for kind, found in own.items():
            if kind not in others:
                continue
            try:
                sizing = fit_sizing(others[kind])
            except InputError:
                continue  # what this campaign alone shows
            yield _row(f"{campaign}, {kind}", sizing, found)


def _row(name: str, sizing: Sizing, found: Sequence[Benchmark]) -> str:
    fits = sizing.kinds[found[0].work.kind]
    time = _ratios(fits.seconds, [(b.work.seconds, b.seconds) for b in found])
    memory = _ratios(fits.megabytes, [(b.work.megabytes, b.megabytes) for b in found])
    time_asked = max(b.seconds / 60 / sizing.minutes(b.work) for b in found)
    memory_asked = max(b.megabytes / sizing.memory(b.work) for b in found)
    return f"| {name} | {len(found)} | {time} | {time_asked:.0%} | {memory} | {memory_asked:.0%} |"


def _ratios(fit: Fit, found: Sequence[tuple[dict[str, float], float]]) -> str:
    ratios = [value / fit.estimate(work) for work, value in found]
    return ", ".join(f"{np.quantile(ratios, part):.2f}" for part in (0, 0.5, 1))
