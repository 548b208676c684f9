"""What a profile should say on a cluster and does not: which lines to change, to what, and why.

What SLURM and Snakemake do stands in slurm.conf(5) and sbatch(1) of SLURM 22.05 and in the source
of snakemake-executor-plugin-slurm 2.8.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlipkd.cluster.offers import Offers, Partition
from mlipkd.cluster.requests import Asked

#: Seconds: Snakemake first looks after jobs when so many have passed, and at last so seldom.
FIRST_LOOK, LAST_LOOK = 40, 180
#: Snakemake asks squeue only where jobs that ended are remembered for so many first looks.
LOOKS = 3


class Advice(NamedTuple):
    """One thing that does not fit."""

    reason: str
    change: dict
    """The lines of the profile as they should be, None for one to take out. Empty: no line fixes
    it, but the user should know."""


def advise(offers: Offers, asked: Sequence[Asked], profile: dict) -> list[Advice]:
    """All that does not fit.

    Args:
        offers: of the cluster.
        asked: by the rules of the campaign, with this profile.
        profile: its settings.
    """
    advice = [*_on_accounts(offers, asked), *_on_status(offers, profile)]
    if offers.settings.get("JobRequeue") == "0" and not profile.get("slurm-requeue"):
        reason = "jobs that do not ask for it are not requeued here when their node fails"
        advice.append(Advice(reason, {"slurm-requeue": True}))
    if not _open(offers):
        return [*advice, Advice("no partition is open to jobs now: sinfo tells more", {})]
    home = offers.default or _best(_open(offers))
    if offers.default is None and not all(job.partition for job in asked):
        change = {"default-resources": {"slurm_partition": home.name}}
        advice.append(Advice("no partition is the default here", change))
    return [*advice, *_on_rules(offers, asked, home), *_on_the_unknown(asked)]


def _on_accounts(offers: Offers, asked: Sequence[Asked]) -> Iterator[Advice]:
    named, default = {job.account for job in asked} - {""}, offers.default_account
    if not offers.accounting:
        if named:
            yield Advice(
                "there are no accounts, and Snakemake fails to look them up", _account(None)
            )
    elif not offers.accounts:
        if offers.settings.get("AccountingStorageEnforce", "none") != "none":
            yield Advice("you have no account here: ask those who run the cluster", {})
    elif strange := sorted(named - set(offers.accounts)):
        own = default or min(offers.accounts)
        yield Advice(f"{', '.join(strange)} is no account of yours", _account(own))
    elif not named and not default:
        reason = f"you have no default account; yours: {', '.join(offers.accounts)}"
        yield Advice(reason, _account(min(offers.accounts)))
    elif not named and len(offers.accounts) > 1:
        others = ", ".join(account for account in offers.accounts if account != default)
        yield Advice(f"jobs go to your account {default}; slurm_account may say {others}", {})


def _account(name: str | None) -> dict:
    return {"default-resources": {"slurm_account": name}}


def _on_status(offers: Offers, profile: dict) -> Iterator[Advice]:
    """How Snakemake learns of a job's end."""
    if offers.accounting:
        return
    if profile.get("slurm-status-command", "sacct") == "sacct":
        reason = "no accounting here: Snakemake would wait for an answer from sacct for ever"
        yield Advice(reason, {"slurm-status-command": "squeue"})
    age = int(offers.settings.get("MinJobAge", "300").split()[0])
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
    """One thing that does not fit with a rule; others may have the same."""

    reason: str
    section: str
    """Of the profile."""
    value: int | tuple[tuple[str, object], ...]
    """What to write there for the rule: a number, or keys and values."""


def _on_rules(offers: Offers, asked: Sequence[Asked], home: Partition) -> Iterator[Advice]:
    """Rules that ask for what they cannot get; those with the same fault together."""
    together: dict[_Fault, list[str]] = defaultdict(list)
    used: dict[str, Partition] = {}
    for job in asked:
        partition, fault = _placed(offers, job, home)
        used[partition.name] = partition
        for each in [*fault, *_beyond(offers, job, partition)]:
            together[each].append(job.rule)
    for (reason, section, value), rules in together.items():
        lines = value if isinstance(value, int) else dict(value)
        yield Advice(reason, {section: {rule: lines for rule in rules}})
    for partition in used.values():
        if offers.preempted(partition) == "CANCEL":
            reason = (
                f"jobs in partition {partition.name} are cancelled when others displace them, and "
                "Snakemake then waits for ever: end it with Ctrl-C and start it again, or name "
                "another partition"
            )
            yield Advice(reason, {})


def _on_the_unknown(asked: Sequence[Asked]) -> Iterator[Advice]:
    if rules := [job.rule for job in asked if not job.known]:
        reason = (
            f"what {', '.join(rules)} ask for is computed from data that are not there yet: make "
            "them with --until dataset and check again, or see what fails"
        )
        yield Advice(reason, {})


def _placed(offers: Offers, job: Asked, home: Partition) -> tuple[Partition, list[_Fault]]:
    """The partition that a rule's jobs should go to, and the change that takes them there."""
    now = offers.partitions.get(job.partition) if job.partition else home
    possible = _open(offers)
    fit = [partition for partition in possible if partition.gpus() >= job.gpus] or possible
    if now in fit:
        return now, []
    if now is None:
        reason = f"there is no partition {job.partition}"
    elif now not in possible:
        reason = f"partition {now.name} is closed"
    else:
        reason = f"partition {now.name} has no GPUs"
    place = _best(fit)
    return place, [_Fault(reason, "set-resources", (("slurm_partition", place.name),))]


def _beyond(offers: Offers, job: Asked, partition: Partition) -> Iterator[_Fault]:
    """Where a rule asks for more than a partition has."""
    name, gpus = partition.name, job.gpus
    if gpus > partition.gpus():
        gpus = 0
        none = ("gres", None) if job.by_gres else ("gpu", 0)
        yield _Fault("no partition has as many GPUs on a node", "set-resources", (none,))
    elif gpus and not job.by_gres and not _takes_gpus(offers.settings):
        by_gres = (("gpu", 0), ("gres", f"gpu:{gpus}"))
        yield _Fault("--gpus needs SelectType=select/cons_tres", "set-resources", by_gres)
    if job.runtime > partition.limit:
        longer = [p for p in _open(offers) if p.limit > partition.limit and p.gpus() >= gpus]
        hint = f" ({', '.join(p.name for p in longer)} would give more)" if longer else ""
        reason = f"the last attempt would ask for more than partition {name} gives{hint}"
        yield _Fault(reason, "set-resources", (("runtime", int(partition.limit)),))
    if job.memory > (memory := partition.memory(gpus)):
        reason = f"the last attempt would ask for more than a node of partition {name} has"
        yield _Fault(reason, "set-resources", (("mem_mb", int(memory)),))
    if job.threads > (cpus := partition.cpus(gpus)):
        yield _Fault(f"no node of partition {name} has more CPUs", "set-threads", cpus)


def _takes_gpus(settings: dict[str, str]) -> bool:
    chosen = settings["SelectType"] + settings.get("SelectTypeParameters", "")
    return "cons_tres" in chosen.lower()


def _open(offers: Offers) -> list[Partition]:
    return [p for p in offers.partitions.values() if p.up and p.nodes]


def _best(partitions: Sequence[Partition]) -> Partition:
    """The default, or the one of most nodes."""
    return max(partitions, key=lambda p: (p.default, sum(nodes.number for nodes in p.nodes)))
