"""Facts of a campaign that no table has: who was trained on what, what a teacher changed, and what
all of it took."""

import csv
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from mlipkd.campaign.campaign import Campaign
from mlipkd.campaign.sections import DatasetSection, Family
from mlipkd.config.recipe import LossTerm, Probes, Recipe
from mlipkd.evaluation.core.grid import Grid, measured
from mlipkd.evaluation.core.rows import Row
from mlipkd.paths import BENCHMARK, rule_of

FAMILIES = ["family", "trained by", "on labels", "taught by", "models", "seeds"]
COMPARISON = ["error", "model", "students", "", "controls", "", "change"]
HOURS = ["jobs", "number", "hours", "hours of CPU cores", "largest memory, GB"]
#: The errors that students are compared by.
COMPARED = ("energy_per_atom_rmse", "forces_rmse")


def families_of(campaign: Campaign, dataset: str) -> Grid:
    """A line for each family of a dataset: its recipe, its labels, its teacher and its members."""
    section = campaign.datasets[dataset]
    lines = []
    for name, family in section.families.items():
        how, labels = _training(campaign, family)
        models = section.models(name)
        lines.append(
            [
                name,
                how,
                labels,
                _teacher(family),
                ", ".join(models) if len(models) <= 2 else f"{len(models)}: {models[0]}, …",
                _ranges(section.seeds(name)),
            ]
        )
    return Grid(FAMILIES, lines)


def _training(campaign: Campaign, family: Family) -> tuple[str, str]:
    """How a family was trained, and on which labels."""
    if family.recipe:
        return family.recipe, _labels(campaign.recipes[family.recipe])
    if family.calculator:
        return f"not here: {family.calculator.type}", ""
    assert family.transferred_from is not None  # one of the three is given
    return f"as {family.transferred_from.dataset}/{family.transferred_from.family}", ""


def _labels(recipe: Recipe) -> str:
    """The terms of a loss, weighted as they are in the end."""
    return "; ".join(
        f"{labels}: {', '.join(_term(term) for term in recipe.loss if term.labels == labels)}"
        for labels in dict.fromkeys(term.labels for term in recipe.loss)
    )


def _term(term: LossTerm) -> str:
    scheduled = isinstance(term.weight, dict)
    weight = f"{term.weight_at(1):g} → {term.final_weight:g}" if scheduled else f"{term.weight:g}"
    probes = term.probes
    quantity = term.quantity if probes is None else f"{term.quantity} ({_probed(probes)})"
    return f"{quantity} × {weight}"


def _probed(probes: Probes) -> str:
    kind = probes.kind.replace("_", "-")
    return kind if probes.fresh else f"{kind}, fixed"


def _teacher(family: Family) -> str:
    if family.learns_from is None:
        return ""
    single = family.supervision == "single"
    return f"{family.learns_from}, each by one" if single else family.learns_from


def _ranges(seeds: Iterable[int]) -> str:
    """Numbers, with those that follow each other as ranges."""
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def comparison(section: DatasetSection, rows: Sequence[Row]) -> Grid:
    """Errors on the test split of each taught family and each untaught one, by architecture.

    Args:
        section: the campaign's part that says who was taught.
        rows: of the table ``errors``, of this dataset.

    Returns:
        Means and standard deviations over members, and by how much the students' mean differs, as
        a fraction of the controls' with its standard error: from the spread of seeds only, as
        students share an ensemble of teachers.
    """
    errors: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    units = {row.metric: row.unit for row in rows}
    for row in rows:
        if isinstance(row.seed, int):
            errors[row.metric, row.family, row.model].append(row.value)
    trained = [name for name, family in section.families.items() if family.recipe]
    taught = [name for name in trained if section.families[name].learns_from]
    controls = [name for name in trained if name not in taught]
    lines = []
    for metric in COMPARED:
        name = f"{metric}, {units.get(metric)}"
        for student in taught:
            for model in section.models(student):
                for control in controls:
                    values, others = errors[metric, student, model], errors[metric, control, model]
                    if values and others:
                        numbers = student, measured(values), control, measured(others)
                        lines.append([name, model, *numbers, change(values, others)])
                        name = ""
    return Grid(COMPARISON, lines)


def change(values: Sequence[float], others: Sequence[float]) -> str:
    """By how much the mean of values differs from that of others, in percent.

    With its standard error, to first order in those of both means, if both are of several values.
    """
    if not statistics.fmean(others):
        return ""
    ratio = statistics.fmean(values) / statistics.fmean(others)
    percent = f"{100 * (ratio - 1):+.0f}".replace("-", "−")
    if min(len(values), len(others)) == 1:
        return f"{percent} %"
    error = 100 * ratio * math.hypot(_relative_error(values), _relative_error(others))
    return f"{percent} ± {error:.0f} %"


def _relative_error(values: Sequence[float]) -> float:
    """The standard error of a mean, as a fraction of it."""
    mean = statistics.fmean(values)
    return statistics.stdev(values) / math.sqrt(len(values)) / mean if mean else 0.0


def hours(logs: Path) -> Grid:
    """A line for each kind of job, those that took longest first, and one for all together.

    Of a job that was stopped and resumed only the last run counts.
    """
    took: dict[str, list[dict[str, str]]] = defaultdict(list)
    for file in sorted(logs.rglob(f"*{BENCHMARK}")):
        took[rule_of(file.relative_to(logs.parent))] += csv.DictReader(
            file.read_text().splitlines(), delimiter="\t"
        )
    by_time = sorted(took, key=lambda rule: -_total(took[rule], "s"))
    lines = [_line(rule, took[rule]) for rule in by_time]
    return Grid(HOURS, [*lines, _line("all", [row for rule in took for row in took[rule]])])


def _line(name: str, rows: list[dict[str, str]]) -> list[str]:
    memory = max((_number(row["max_pss"]) for row in rows), default=0.0)
    spent = [f"{_total(rows, what) / 3600:.3f}" for what in ("s", "cpu_time")]
    return [name, str(len(rows)), *spent, f"{memory / 1e3:.1f}"]


def _total(rows: list[dict[str, str]], what: str) -> float:
    return sum(_number(row[what]) for row in rows)


def _number(text: str) -> float:
    """A measured number; jobs may be too short for Snakemake to measure."""
    return 0.0 if text in ("NA", "-") else float(text)
