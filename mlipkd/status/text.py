"""Text: the status of a campaign as a terminal shows it."""

from collections import Counter
from pathlib import Path
from typing import get_args

from mlipkd.config.load import load_campaign
from mlipkd.results.grid import Grid
from mlipkd.results.summary import markdown
from mlipkd.status.jobs import Job, Run, State, jobs, last_run
from mlipkd.status.validation import validation

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
