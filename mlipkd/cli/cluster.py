"""Verbs about a whole campaign and the machines that it runs on: ``mlipkd status``,
``slurm-check``, ``host`` and ``fit-sizing``."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, echo


def status(
    configfile: Annotated[Path, Option(help="The campaign's file.")] = Path("config.yaml"),
    directory: Annotated[Path, Option(help="Where Snakemake runs it.")] = Path("."),
) -> None:
    """Tell how far a campaign is: its jobs, and the latest errors of each family.

    It reads what lies in results/ and logs/ and disturbs nothing.

    Example: mlipkd status --configfile campaigns/reduced/qm22.yaml --directory runs/qm22
    """
    from mlipkd.status.status import status

    echo(status(configfile, directory))


def slurm_check(
    profile: Annotated[Path, Option(help="Folder of the Snakemake profile.")] = Path("slurm"),
    configfile: Annotated[Path, Option(help="The campaign to run.")] = Path("config.yaml"),
    directory: Annotated[Path, Option(help="Where Snakemake is to run it.")] = Path("."),
    wait: Annotated[float, Option(help="Minutes for the trial, the queue included.")] = 30,
) -> None:
    """Say what a cluster has and which lines of the profile to change; then try one small job.

    Run it on a login node, at the top of the checkout, before snakemake --profile slurm.

    Example: mlipkd slurm-check --configfile mine.yaml --directory runs/mine
    """
    from mlipkd.cluster import advice, slurm
    from mlipkd.cluster.requests import read_profile, read_requests
    from mlipkd.cluster.trial import run_trial, sees_gpus
    from mlipkd.errors import InputError

    file = profile / "config.yaml"
    cluster = slurm.read_cluster()
    echo(slurm.describe(cluster) + "\n")
    requests = read_requests(profile, configfile, directory)
    pieces = advice.advise(cluster, requests, read_profile(profile))
    echo(advice.describe(pieces, file) + "\n")
    if any(piece.change for piece in pieces):
        raise InputError(f"{file}: expected a profile for this cluster; change it and check again")
    echo(f"trial: one job as training would submit it, for at most {wait:g} minutes")
    host = run_trial(profile, wait, lambda state: echo(f"trial: {state}"))
    echo(host)
    # Of single members, and of all seeds of a model together.
    training = [r for r in requests if r.rule.partition("_")[0] == "train"]
    if any(request.gpus for request in training) and not sees_gpus(host):
        raise InputError(
            "expected a GPU for the job, as for training, and PyTorch saw none: it would train "
            "on the CPU; install a PyTorch for the nodes' driver, or set gpu: 0 in the profile"
        )


def host(
    output: Annotated[Path, Option(help="Text to write.")],
) -> None:
    """Say where this runs: host, SLURM job, GPUs, Python, and which mlipkd.

    Example: mlipkd host --output host.txt
    """
    from mlipkd.cluster.trial import describe_host

    output.write_text(describe_host())


def fit_sizing(
    campaigns: Annotated[list[Path], Argument(help="Folders in which campaigns ran.")],
    output: Annotated[Path, Option(help="What jobs take, YAML: workflow/sizing.yaml.")],
) -> None:
    """Fit what jobs take on this machine to the benchmarks of campaigns that ran on it.

    Campaigns of the checkout then ask for as much. Prints how well the benchmarks of each campaign
    are met by a fit to the others.

    Example: mlipkd fit-sizing --output workflow/sizing.yaml runs/sizing runs/chno
    """
    from mlipkd.errors import InputError
    from mlipkd.jobs import artefacts
    from mlipkd.sizing.fit import fit_sizing, read_benchmarks, report
    from mlipkd.sizing.work import KINDS

    benchmarks = [job for folder in campaigns for job in read_benchmarks(folder)]
    sizing = fit_sizing(benchmarks)
    if missing := [kind for kind in KINDS if kind not in sizing.kinds]:
        raise InputError(
            f"{', '.join(map(str, campaigns))}: expected benchmarks of all kinds of jobs, found "
            f"none of {', '.join(missing)}; run campaigns/sizing.yaml and give its folder, too"
        )
    artefacts.write_text(output, sizing.to_yaml())
    echo(report(sizing, benchmarks))
