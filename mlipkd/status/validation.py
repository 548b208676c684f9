"""Validation: how good the members of each family are so far, from their histories."""

import json
from collections import defaultdict
from pathlib import Path

from mlipkd.config.campaign import Campaign
from mlipkd.evaluation.rows import UNITS
from mlipkd.results.grid import Grid, measured

HEADER = ["family", "model", "trained", "epochs"]
REFERENCE = "reference "


def validation(campaign: Campaign, folder: Path) -> Grid:
    """A line for each model that is trained: its members, their epochs and their latest errors.

    Errors are root mean squares on the validation split after the last epoch of each member, means
    and standard deviations over those that have begun. Of terms with labels of a teacher there are
    none.
    """
    lines, errors = [], []
    for dataset, section in campaign.datasets.items():
        for family, own in section.families.items():
            if own.recipe is None:
                continue
            epochs = campaign.recipes[own.recipe].optimiser.epochs
            for model in section.models(family):
                seeds = section.seeds(family)
                members = [
                    folder / "results" / dataset / family / model / f"seed{s}" for s in seeds
                ]
                trained = sum((member / "model.safetensors").is_file() for member in members)
                last = [line for member in members if (line := latest(member))]
                gone = sorted(line["epoch"] for line in last)
                span = "–".join(str(epoch) for epoch in dict.fromkeys(gone[:1] + gone[-1:]))
                lines.append(
                    [
                        f"{dataset}/{family}",
                        model,
                        f"{trained} of {len(seeds)}",
                        f"{span or 0} of {epochs}",
                    ]
                )
                errors.append(_errors(last))
    terms = list(dict.fromkeys(term for found in errors for term in found))
    units = UNITS["learning"]
    titles = [f"{term}, {units.get(f'{term}_rmse', '')}".rstrip(", ") for term in terms]
    return Grid(
        [*HEADER, *titles],
        [
            [*line, *(measured(found.get(term, [])) for term in terms)]
            for line, found in zip(lines, errors, strict=True)
        ],
    )


def latest(member: Path) -> dict | None:
    """The last whole line of a member's history, of one that grows if it is not done yet."""
    for name in ("history.jsonl", "history.jsonl.partial"):
        path = member / name
        if path.is_file():
            whole = [
                line for line in path.read_text().splitlines(keepends=True) if line[-1] == "\n"
            ]
            return json.loads(whole[-1]) if whole else None
    return None


def _errors(lines: list[dict]) -> dict[str, list[float]]:
    """Of each quantity with reference labels the errors of all members."""
    found: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        for term, errors in line["validation"].items():
            if term.startswith(REFERENCE):
                found[term.removeprefix(REFERENCE)].append(errors["rmse"])
    return found
