"""The status of a campaign as a terminal shows it: its jobs, and the errors of its members."""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import get_args

from mlipkd.campaign import load_campaign
from mlipkd.campaign.plan import Plan
from mlipkd.errors import InputError
from mlipkd.evaluation.core.grid import Grid, measured
from mlipkd.evaluation.learning import METRICS
from mlipkd.paths import MemberPaths
from mlipkd.results.tables import markdown
from mlipkd.status.jobs import Job, Run, State, jobs, last_run

#: How many jobs of each state are shown with the last lines of their logs.
SHOWN = 10
#: Columns of validation before the errors; and what names terms with reference labels in a history.
HEADER = ["family", "model", "trained", "epochs"]
REFERENCE = "reference "


def status(configfile: Path, folder: Path) -> str:
    """A campaign at a glance.

    Args:
        configfile: of the campaign.
        folder: in which it runs, with its ``results/`` and ``logs/``.

    Raises:
        InputError: the campaign has faults, or a history is damaged.
    """
    plan = Plan(load_campaign(configfile))
    run = last_run(folder)
    started = list(jobs(folder, run))
    parts = [f"{configfile} in {folder.resolve()}: {_progress(run)}"]
    if started:
        parts.append(markdown(_by_rule(started)))
    parts.append(
        "Errors of validation after the last epoch: RMSE, mean ± standard deviation of members\n\n"
        + markdown(validation(plan, folder))
    )
    for state in ("running", "stopped", "failed"):
        parts += _last_lines(state, [job for job in started if job.state == state])
    return "\n\n".join(part.rstrip() for part in parts)


def _progress(run: Run | None) -> str:
    """Whether Snakemake runs, and how far it is."""
    if run is None:
        return "never run"
    alive = "Snakemake runs" if run.alive else "Snakemake does not run"
    if run.steps is None:
        return f"{alive}; no step of its last run is done"
    done, number = run.steps
    return f"{alive}; {done} of {number} steps of its last run are done"


def _by_rule(started: list[Job]) -> Grid:
    """Number of jobs by rule and state; rules in the order of their first job."""
    states = get_args(State)
    numbers = Counter((job.rule, job.state) for job in started)
    lines = [
        [rule, *(str(numbers[rule, state] or "") for state in states)]
        for rule in dict.fromkeys(job.rule for job in started)
    ]
    total = Counter(job.state for job in started)
    return Grid(["jobs", *states], [*lines, ["total", *(str(total[state]) for state in states)]])


def _last_lines(state: str, jobs: list[Job]) -> list[str]:
    """The last lines of the logs of jobs in one state, if there are any."""
    if not jobs:
        return []
    lines = [f"  {job.name}: {job.last_line or 'nothing'}" for job in jobs[:SHOWN]]
    if len(jobs) > SHOWN:
        lines.append(f"  and {len(jobs) - SHOWN} others")
    return ["\n".join([f"{state.capitalize()}:", *lines])]


def validation(plan: Plan, folder: Path) -> Grid:
    """A line for each model that is trained: its members, their epochs and their latest errors.

    Errors are root mean squares on the validation split after the last epoch of each member, means
    and standard deviations over the members that have started. Only terms with reference labels are
    shown.
    """
    lines, errors = [], []
    for model in plan.trained:
        members = plan.members_of(model)
        trained = sum((folder / member.weights).is_file() for member in members)
        latest = [line for member in members if (line := latest_line(folder, member))]
        epochs = sorted({line["epoch"] for line in latest})
        span = "–".join(str(epoch) for epoch in dict.fromkeys(epochs[:1] + epochs[-1:]))
        lines.append(
            [
                f"{model.dataset}/{model.family}",
                model.model,
                f"{trained} of {len(members)}",
                f"{span or 0} of {plan.members[members[0]].recipe.optimiser.epochs}",
            ]
        )
        errors.append(_errors(latest))
    terms = list(dict.fromkeys(term for errors_of_model in errors for term in errors_of_model))
    titles = [f"{term}, {METRICS.get(f'{term}_rmse', '')}".rstrip(", ") for term in terms]
    return Grid(
        [*HEADER, *titles],
        [
            [*line, *(measured(errors_of_model.get(term, [])) for term in terms)]
            for line, errors_of_model in zip(lines, errors, strict=True)
        ],
    )


def latest_line(folder: Path, member: MemberPaths) -> dict | None:
    """The last complete line of a member's history, which may still be growing.

    Raises:
        InputError: it is not a line of a history.
    """
    for path in (folder / member.history, folder / f"{member.history}.partial"):
        if path.is_file():
            lines = path.read_text(errors="replace").splitlines(keepends=True)
            complete = [line for line in lines if line[-1] == "\n"]
            return _line(path, complete[-1]) if complete else None
    return None


def _line(path: Path, text: str) -> dict:
    """The epoch of a line, and the root mean square errors of each term."""
    try:
        line = json.loads(text)
        errors = {term: float(error["rmse"]) for term, error in line["validation"].items()}
        return {"epoch": int(line["epoch"]), "validation": errors}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: expected an epoch and its errors in the last line, got "
            f"{text.strip()[:60]!r}; delete the file and the model beside it, and train again"
        ) from error


def _errors(lines: list[dict]) -> dict[str, list[float]]:
    """The errors of all members, by quantity with reference labels."""
    errors: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        for term, error in line["validation"].items():
            if term.startswith(REFERENCE):
                errors[term.removeprefix(REFERENCE)].append(error)
    return errors
