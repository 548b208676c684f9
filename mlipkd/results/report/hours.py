"""Hours: what the jobs of a campaign took, from the benchmarks that Snakemake writes."""

import csv
from collections import defaultdict
from pathlib import Path

from mlipkd.evaluation.core.grid import Grid
from mlipkd.paths import BENCHMARK, rule_of

HEADER = ["jobs", "number", "hours", "hours of CPU cores", "largest memory, GB"]


def hours(logs: Path) -> Grid:
    """A line for each kind of job, those that took longest first, and one for all together.

    A job that was stopped and went on counts with its last run alone.
    """
    took: dict[str, list[dict[str, str]]] = defaultdict(list)
    for file in sorted(logs.rglob(f"*{BENCHMARK}")):
        took[rule_of(file.relative_to(logs.parent))] += csv.DictReader(
            file.read_text().splitlines(), delimiter="\t"
        )
    by_time = sorted(took, key=lambda rule: -_total(took[rule], "s"))
    lines = [_line(rule, took[rule]) for rule in by_time]
    return Grid(HEADER, [*lines, _line("all", [row for rule in took for row in took[rule]])])


def _line(name: str, rows: list[dict[str, str]]) -> list[str]:
    memory = max((_number(row["max_pss"]) for row in rows), default=0.0)
    spent = [f"{_total(rows, what) / 3600:.3f}" for what in ("s", "cpu_time")]
    return [name, str(len(rows)), *spent, f"{memory / 1e3:.1f}"]


def _total(rows: list[dict[str, str]], what: str) -> float:
    return sum(_number(row[what]) for row in rows)


def _number(text: str) -> float:
    """A measured number; jobs may be too short for Snakemake to measure."""
    return 0.0 if text in ("NA", "-") else float(text)
