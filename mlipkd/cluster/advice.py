"""What does not fit between a cluster, a campaign and its profile: which lines to change, and why.

What SLURM and Snakemake do stands in slurm.conf(5) and sbatch(1) of SLURM 22.05 and in the source
of snakemake-executor-plugin-slurm 2.8.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from mlipkd.cluster.requests import Request
from mlipkd.cluster.slurm import Cluster, Partition

#: Seconds: Snakemake first looks after jobs when so many have passed, and at last so seldom.
FIRST_LOOK, LAST_LOOK = 40, 180
#: Snakemake asks squeue only where jobs that ended are remembered for so many first looks.
LOOKS = 3


class Advice(NamedTuple):
    """Something that does not fit."""

    reason: str
    change: dict
    """The lines of the profile as they should be, None for one to take out. Empty: no line fixes
    it, but the user should know."""


def advise(cluster: Cluster, requests: Sequence[Request], profile: dict) -> list[Advice]:
    """Everything that does not fit.

    Args:
        cluster: what there is.
        requests: of the campaign's rules, with this profile.
        profile: the settings in it.
    """
    advice = [*_on_accounts(cluster, requests), *_on_status(cluster, profile)]
    if cluster.settings.get("JobRequeue") == "0" and not profile.get("slurm-requeue"):
        reason = "jobs that do not ask for it are not requeued here when their node fails"
        advice.append(Advice(reason, {"slurm-requeue": True}))
    if not _open_partitions(cluster):
        return [*advice, Advice("no partition is open to jobs now: sinfo tells more", {})]
    default = cluster.default or _preferred(_open_partitions(cluster))
    if cluster.default is None and not all(request.partition for request in requests):
        change = {"default-resources": {"slurm_partition": default.name}}
        advice.append(Advice("no partition is the default here", change))
    return [*advice, *_on_rules(cluster, requests, default), *_on_unknown_requests(requests)]


def describe(advice: Sequence[Advice], file: Path) -> str:
    """What to change in a profile, ready to be copied, and what else to know."""
    changes = [piece for piece in advice if piece.change]
    parts = [f"{file}: change" if changes else f"{file} fits this cluster."]
    for piece in changes:
        lines = yaml.safe_dump(piece.change, sort_keys=False).rstrip()
        parts.append(f"# {piece.reason}\n{lines.replace(': null', ':   # take this line out')}")
    parts += [f"Note: {piece.reason}." for piece in advice if not piece.change]
    return "\n\n".join(parts)


def _on_accounts(cluster: Cluster, requests: Sequence[Request]) -> Iterator[Advice]:
    named, default = {request.account for request in requests} - {""}, cluster.default_account
    if not cluster.accounting:
        if named:
            yield Advice(
                "there are no accounts, and Snakemake fails to look them up", _account(None)
            )
    elif not cluster.accounts:
        if cluster.settings.get("AccountingStorageEnforce", "none") != "none":
            yield Advice("you have no account here: ask those who run the cluster", {})
    elif unknown := sorted(named - set(cluster.accounts)):
        reason = f"{', '.join(unknown)} is no account of yours"
        yield Advice(reason, _account(default or min(cluster.accounts)))
    elif not named and not default:
        reason = f"you have no default account; yours: {', '.join(cluster.accounts)}"
        yield Advice(reason, _account(min(cluster.accounts)))
    elif not named and len(cluster.accounts) > 1:
        others = ", ".join(account for account in cluster.accounts if account != default)
        yield Advice(f"jobs go to your account {default}; slurm_account may say {others}", {})


def _account(name: str | None) -> dict:
    return {"default-resources": {"slurm_account": name}}


def _on_status(cluster: Cluster, profile: dict) -> Iterator[Advice]:
    """How Snakemake learns of a job's end."""
    if cluster.accounting:
        return
    if profile.get("slurm-status-command", "sacct") == "sacct":
        reason = "no accounting here: Snakemake would wait for an answer from sacct for ever"
        yield Advice(reason, {"slurm-status-command": "squeue"})
    age = int(cluster.settings.get("MinJobAge", "300").split()[0])
    if age < LOOKS * profile.get("slurm-init-seconds-before-status-checks", FIRST_LOOK):
        reason = f"squeue forgets jobs {age} s after their end: Snakemake would ask sacct instead"
        change = {"slurm-init-seconds-before-status-checks": max(age // LOOKS, 1)}
        yield Advice(reason, change)
    if age < LAST_LOOK:
        reason = (
            f"squeue forgets jobs {age} s after their end (MinJobAge) and Snakemake looks every "
            f"{LAST_LOOK} s at times: it may wait for ever for one that it missed. Ctrl-C and the "
            "same command go on"
        )
        yield Advice(reason, {})


class _Fault(NamedTuple):
    """Something that does not fit with a rule, and maybe with others."""

    reason: str
    section: str
    """Of the profile."""
    value: int | tuple[tuple[str, object], ...]
    """What to write there for the rule: a number, or keys and values."""


def _on_rules(
    cluster: Cluster, requests: Sequence[Request], default: Partition
) -> Iterator[Advice]:
    """Rules that ask for what they cannot get; those with the same fault together."""
    rules_with: dict[_Fault, list[str]] = defaultdict(list)
    partitions: dict[str, Partition] = {}
    for request in requests:
        partition, faults = _partition_for(cluster, request, default)
        partitions[partition.name] = partition
        for fault in [*faults, *_excesses(cluster, request, partition)]:
            rules_with[fault].append(request.rule)
    for (reason, section, value), rules in rules_with.items():
        lines = value if isinstance(value, int) else dict(value)
        yield Advice(reason, {section: {rule: lines for rule in rules}})
    for partition in partitions.values():
        if cluster.preempted(partition) == "CANCEL":
            reason = (
                f"jobs in partition {partition.name} are cancelled when others displace them, and "
                "Snakemake then waits for ever: end it with Ctrl-C and start it again, or name "
                "another partition"
            )
            yield Advice(reason, {})


def _on_unknown_requests(requests: Sequence[Request]) -> Iterator[Advice]:
    if rules := [request.rule for request in requests if not request.known]:
        reason = (
            f"what {', '.join(rules)} ask for is computed from data that are not there yet: make "
            "them with --until dataset and check again, or see what fails"
        )
        yield Advice(reason, {})


def _partition_for(
    cluster: Cluster, request: Request, default: Partition
) -> tuple[Partition, list[_Fault]]:
    """The partition that a rule's jobs should go to, and the change that takes them there."""
    current = cluster.partitions.get(request.partition) if request.partition else default
    available = _open_partitions(cluster)
    suitable = [p for p in available if p.gpus() >= request.gpus] or available
    if current in suitable:
        return current, []
    if current is None:
        reason = f"there is no partition {request.partition}"
    elif current not in available:
        reason = f"partition {current.name} is closed"
    else:
        reason = f"partition {current.name} has no GPUs"
    better = _preferred(suitable)
    return better, [_Fault(reason, "set-resources", (("slurm_partition", better.name),))]


def _excesses(cluster: Cluster, request: Request, partition: Partition) -> Iterator[_Fault]:
    """Where a rule asks for more than a partition has."""
    name, gpus = partition.name, request.gpus
    if gpus > partition.gpus():
        gpus = 0
        no_gpu = ("gres", None) if request.by_gres else ("gpu", 0)
        yield _Fault("no partition has as many GPUs on a node", "set-resources", (no_gpu,))
    elif gpus and not request.by_gres and not _gpus_by_option(cluster.settings):
        by_gres = (("gpu", 0), ("gres", f"gpu:{gpus}"))
        yield _Fault("--gpus needs SelectType=select/cons_tres", "set-resources", by_gres)
    if request.runtime > partition.limit:
        longer = [
            p for p in _open_partitions(cluster) if p.limit > partition.limit and p.gpus() >= gpus
        ]
        hint = f" ({', '.join(p.name for p in longer)} would give more)" if longer else ""
        reason = f"the last attempt would ask for more than partition {name} gives{hint}"
        yield _Fault(reason, "set-resources", (("runtime", int(partition.limit)),))
    if request.memory > (memory := partition.memory(gpus)):
        reason = f"the last attempt would ask for more than a node of partition {name} has"
        yield _Fault(reason, "set-resources", (("mem_mb", int(memory)),))
    if request.threads > (cpus := partition.cpus(gpus)):
        yield _Fault(f"no node of partition {name} has more CPUs", "set-threads", cpus)


def _gpus_by_option(settings: dict[str, str]) -> bool:
    """Whether ``--gpus`` works, without ``--gres``."""
    chosen = settings["SelectType"] + settings.get("SelectTypeParameters", "")
    return "cons_tres" in chosen.lower()


def _open_partitions(cluster: Cluster) -> list[Partition]:
    return [p for p in cluster.partitions.values() if p.up and p.nodes]


def _preferred(partitions: Sequence[Partition]) -> Partition:
    """The default, or the one of most nodes."""
    return max(partitions, key=lambda p: (p.default, sum(nodes.number for nodes in p.nodes)))
