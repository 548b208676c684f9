"""``mlipkd slurm-check``."""

from pathlib import Path
from typing import Annotated

from typer import Option, echo


def slurm_check(
    profile: Annotated[Path, Option(help="Folder of the Snakemake profile.")] = Path("slurm"),
    configfile: Annotated[Path, Option(help="The campaign to run.")] = Path("config.yaml"),
    directory: Annotated[Path, Option(help="Where Snakemake is to run it.")] = Path("."),
    wait: Annotated[float, Option(help="Minutes for the trial, the queue included.")] = 30,
) -> None:
    """Say what a cluster offers and which lines of the profile to change; then try one small job.

    Run it on a login node, at the top of the checkout, before snakemake --profile slurm.

    Example: mlipkd slurm-check --configfile mine.yaml --directory runs/mine
    """
    from mlipkd.cluster.advice import advise
    from mlipkd.cluster.asked import read_asked, read_profile
    from mlipkd.cluster.offers import read_offers
    from mlipkd.cluster.report import describe, tell
    from mlipkd.cluster.trial import run_trial
    from mlipkd.cluster.whereabouts import sees_gpus
    from mlipkd.errors import InputError

    file = profile / "config.yaml"
    offers = read_offers()
    echo(describe(offers) + "\n")
    asked = read_asked(profile, configfile, directory)
    advice = advise(offers, asked, read_profile(profile))
    echo(tell(advice, file) + "\n")
    if any(one.change for one in advice):
        raise InputError(f"{file}: wanted a profile for this cluster; change it and check again")
    echo(f"trial: one job as training would submit it, for at most {wait:g} minutes")
    said = run_trial(profile, wait, lambda state: echo(f"trial: {state}"))
    echo(said)
    # Members by themselves, and the seeds of each model that train together.
    training = [job for job in asked if job.rule.partition("_")[0] == "train"]
    if any(job.gpus for job in training) and not sees_gpus(said):
        raise InputError(
            "wanted a GPU for the job, as for training, and PyTorch saw none: it would train "
            "on the CPU; install a PyTorch for the nodes' driver, or set gpu: 0 in the profile"
        )
