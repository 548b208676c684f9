"""Families: what of a campaign was trained on what."""

from collections.abc import Iterable

from mlipkd.campaign.campaign import Campaign
from mlipkd.campaign.sections import Family
from mlipkd.config.recipe import LossTerm, Probes, Recipe
from mlipkd.evaluation.core.grid import Grid

HEADER = ["family", "trained by", "on labels", "taught by", "models", "seeds"]


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
    return Grid(HEADER, lines)


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
