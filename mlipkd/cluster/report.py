"""What a cluster offers and what a profile should say, for people to read."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from mlipkd.cluster.advice import Advice
from mlipkd.cluster.offers import Offers, Partition

#: Settings of a cluster that decide what becomes of a campaign's jobs.
SHOWN = (
    "AccountingStorageType",
    "AccountingStorageEnforce",
    "MaxJobCount",
    "MinJobAge",
    "PreemptType",
    "PreemptMode",
    "JobRequeue",
    "KillWait",
    "OverTimeLimit",
    "EnforcePartLimits",
    "SelectType",
)


def describe(offers: Offers) -> str:
    """The cluster at a glance."""
    settings = offers.settings
    name = f"SLURM {settings['SLURM_VERSION']}, cluster {settings['ClusterName']}"
    partitions = pd.DataFrame(map(_row, offers.partitions.values())).to_string(index=False)
    shown = "\n".join(f"{key}: {settings[key]}" for key in SHOWN if key in settings)
    if not offers.accounting:
        accounts = "accounts: none are kept"
    else:
        each = (f"{account} (QoS {qos})" for account, qos in offers.accounts.items())
        accounts = f"accounts: {', '.join(each) or 'none'}; default: {offers.default_account}"
    return "\n\n".join((name, partitions or "no partitions", f"{shown}\n{accounts}"))


def _row(partition: Partition) -> dict[str, object]:
    states: Counter[str] = Counter()
    gpus: Counter[str] = Counter()
    for nodes in partition.nodes:
        states[nodes.state] += nodes.number
        for kind, number in nodes.gpus.items():
            gpus[kind or "of any type"] += number * nodes.number
    return {
        "partition": partition.name + (" (default)" if partition.default else ""),
        "state": "up" if partition.up else "closed",
        "limit": _duration(partition.limit),
        "preemption": partition.preemption,
        "nodes": ", ".join(f"{number} {state}" for state, number in states.items()) or "none",
        "CPUs": _spread([nodes.cpus for nodes in partition.nodes]),
        "memory (GB)": _spread([nodes.memory // 1000 for nodes in partition.nodes]),
        "GPUs": ", ".join(f"{number} {kind}" for kind, number in gpus.items()) or "none",
    }


def _duration(minutes: float) -> str:
    """Minutes as the profile counts them, in words where they are many."""
    if minutes == float("inf"):
        return "none"
    return f"{minutes:g} min" if minutes < 600 else f"{minutes / 60:g} h"


def _spread(values: Sequence[int]) -> str:
    """Of one node; the least and the most where nodes differ."""
    if not values:
        return "–"
    return f"{min(values)}" if min(values) == max(values) else f"{min(values)}–{max(values)}"


def tell(advice: Sequence[Advice], file: Path) -> str:
    """What to change in a profile, ready to be copied, and what to know besides."""
    changes = [one for one in advice if one.change]
    parts = [f"{file}: change" if changes else f"{file} fits this cluster."]
    for one in changes:
        lines = yaml.safe_dump(one.change, sort_keys=False).rstrip()
        parts.append(f"# {one.reason}\n{lines.replace(': null', ':   # take this line out')}")
    parts += [f"Note: {one.reason}." for one in advice if not one.change]
    return "\n\n".join(parts)
