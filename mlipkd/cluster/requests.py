"""What the jobs of a campaign ask of a cluster, as Snakemake works it out."""

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import yaml

from mlipkd.errors import InputError

#: A rule in a dry run, its threads if they are not one, and its resources.
JOB = re.compile(
    r"^ *rule (?P<rule>\S+):\n(?:(?! *rule ).*\n)*?"
    r"(?: +threads: (?P<threads>\d+)\n)? +resources: (?P<resources>.*)$",
    re.MULTILINE,
)
#: More than any machine has. Without, a dry run gives every rule one.
CORES = "10000"


class Request(NamedTuple):
    """What jobs of a rule ask for at their last attempt, which asks for most."""

    rule: str
    threads: int
    gpus: int
    memory: int
    """MB."""
    runtime: int
    """Minutes."""
    account: str
    """Empty where the profile names none."""
    partition: str
    """The same."""
    by_gres: bool
    """Whether GPUs are requested as ``gres``."""
    known: bool = True
    """Whether memory and time are known: those that depend on data are once these are there."""


def read_profile(folder: Path) -> dict:
    """The settings of a Snakemake profile.

    Raises:
        InputError: there is no such file, or it holds no settings.
    """
    file = folder / "config.yaml"
    try:
        profile = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise InputError(
            f"{file}: expected a Snakemake profile ({error}); run from the top of the checkout, or "
            "give --profile"
        ) from error
    if not isinstance(profile, dict):
        raise InputError(f"{file}: expected settings, got {type(profile).__name__}")
    return profile


def read_requests(folder: Path, campaign: Path, directory: Path = Path(".")) -> list[Request]:
    """What each rule of a campaign asks for with a profile; nothing is submitted.

    Rules that Snakemake runs on the login node are among them: they ask for little.

    Args:
        folder: the profile's.
        campaign: its file.
        directory: where it runs; as any dry run does, this writes the jobs' settings there.

    Raises:
        InputError: Snakemake finds fault with the profile or the campaign.
    """
    attempts = int(read_profile(folder).get("retries", 0)) + 1
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--profile", str(folder)),
            *("--configfile", str(campaign), "--directory", str(directory)),
            *("--dry-run", "--forceall"),
            *("--attempt", str(attempts), "--cores", CORES),
        ],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        output = (done.stderr + done.stdout).strip()
        raise InputError(
            f"{output}\n{folder}: expected jobs that Snakemake can plan, got the above; fix it"
        )
    return parse_requests(done.stdout)


def parse_requests(plan: str) -> list[Request]:
    """The rules of a dry run, each with what it asks for."""
    by_rule = {}
    for job in JOB.finditer(plan):
        words = [word.partition("=")[::2] for word in job["resources"].split(", ")]
        resources = {key: value for key, value in words if value != "<TBD>"}
        gres = re.fullmatch(r"gpu(?::\w+)*?(?::(\d+))?", resources.get("gres", ""))
        by_rule[job["rule"]] = Request(
            rule=job["rule"],
            threads=int(job["threads"] or 1),
            gpus=int(gres[1] or 1) if gres else int(resources.get("gpu", 0)),
            memory=int(resources.get("mem_mb", 0)),
            runtime=int(resources.get("runtime", 0)),
            account=resources.get("slurm_account", ""),
            partition=resources.get("slurm_partition", ""),
            by_gres=gres is not None,
            known={"mem_mb", "runtime"} <= set(resources),
        )
    return list(by_rule.values())
