"""Text: the status of a campaign as a terminal shows it.

Validation: how good the members of each family are so far, from their histories.
"""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import get_args

from mlipkd.campaign import load_campaign
from mlipkd.campaign.campaign import Campaign
from mlipkd.errors import InputError
from mlipkd.evaluation.core.grid import Grid, measured
from mlipkd.evaluation.learning import METRICS
from mlipkd.results.summary import markdown
from mlipkd.status.jobs import Job, Run, State, jobs, last_run

#: Jobs of which the last words are shown.
SHOWN = 10


def status(configfile: Path, folder: Path) -> str:
    """A campaign at a glance.

    Args:
        configfile: of the campaign.
        folder: in which it runs, with its ``results/`` and ``logs/``.

    Raises:
        InputError: the campaign has faults.
    """
    campaign = load_campaign(configfile)
    run = last_run(folder)
    found = list(jobs(folder, run))
    parts = [f"{configfile} in {folder.resolve()}: {_run(run)}"]
    if found:
        parts.append(markdown(_by_rule(found)))
    parts.append(
        "Errors of validation after the last epoch: RMSE, mean ± standard deviation of members\n\n"
        + markdown(validation(campaign, folder))
    )
    for state in ("running", "stopped", "failed"):
        parts += _last_words(state, [job for job in found if job.state == state])
    return "\n\n".join(part.rstrip() for part in parts)


def _run(run: Run | None) -> str:
    """What Snakemake is about."""
    if run is None:
        return "never run"
    doing = "Snakemake runs" if run.alive else "Snakemake does not run"
    if run.steps is None:
        return f"{doing}; no step of its last run is done"
    done, number = run.steps
    return f"{doing}; {done} of {number} steps of its last run are done"


def _by_rule(found: list[Job]) -> Grid:
    """How many jobs of each rule are in which state, in the order in which they come."""
    states = get_args(State)
    numbers = Counter((job.rule, job.state) for job in found)
    lines = [
        [rule, *(str(numbers[rule, state] or "") for state in states)]
        for rule in dict.fromkeys(job.rule for job in found)
    ]
    total = Counter(job.state for job in found)
    return Grid(["jobs", *states], [*lines, ["total", *(str(total[state]) for state in states)]])


def _last_words(state: str, found: list[Job]) -> list[str]:
    """What jobs in one state said last."""
    if not found:
        return []
    lines = [f"  {job.place}: {job.said or 'nothing'}" for job in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"  and {len(found) - SHOWN} others")
    return ["\n".join([f"{state.capitalize()}:", *lines])]


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
    titles = [f"{term}, {METRICS.get(f'{term}_rmse', '')}".rstrip(", ") for term in terms]
    return Grid(
        [*HEADER, *titles],
        [
            [*line, *(measured(found.get(term, [])) for term in terms)]
            for line, found in zip(lines, errors, strict=True)
        ],
    )


def latest(member: Path) -> dict | None:
    """The last whole line of a member's history, of one that grows if it is not done yet.

    Raises:
        InputError: it is no line of a history.
    """
    for name in ("history.jsonl", "history.jsonl.partial"):
        path = member / name
        if path.is_file():
            lines = path.read_text(errors="replace").splitlines(keepends=True)
            whole = [line for line in lines if line[-1] == "\n"]
            return _line(path, whole[-1]) if whole else None
    return None


def _line(path: Path, text: str) -> dict:
    """The epoch of a line, and the root mean square errors of each term."""
    try:
        line = json.loads(text)
        errors = {term: float(found["rmse"]) for term, found in line["validation"].items()}
        return {"epoch": int(line["epoch"]), "validation": errors}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: expected an epoch and its errors in the last line, got "
            f"{text.strip()[:60]!r}; delete the file and the model beside it, and train again"
        ) from error


def _errors(lines: list[dict]) -> dict[str, list[float]]:
    """Of each quantity with reference labels the errors of all members."""
    found: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        for term, error in line["validation"].items():
            if term.startswith(REFERENCE):
                found[term.removeprefix(REFERENCE)].append(error)
    return found
