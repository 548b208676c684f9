"""What SLURM says of a cluster: its partitions and their nodes, its settings, the user's accounts.

SLURM's commands are called with formats that they have had for long; its JSON is younger than many
clusters.
"""

import getpass
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlipkd.errors import InputError

#: Seconds; a controller that is busy answers within its MessageTimeout, or not at all.
TIMEOUT = 120
PARTITIONS = ("scontrol", "show", "partition", "--oneliner")
#: One line for each kind of node of a partition, in each state that such nodes are in.
NODES = ("sinfo", "--noheader", "--exact", "--format=%R|%D|%c|%m|%G|%T")
SETTINGS = ("scontrol", "show", "config")
#: Settings of a cluster that decide what becomes of a campaign's jobs.
DESCRIBED = (
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


class Nodes(NamedTuple):
    """Nodes of one kind and state."""

    number: int
    cpus: int
    memory: int
    """MB, of one node."""
    gpus: dict[str, int]
    """GPUs of one node by their type, which may be empty."""
    state: str


class Partition(NamedTuple):
    """A queue and the nodes that it gives jobs to."""

    name: str
    default: bool
    up: bool
    limit: float
    """Minutes that a job may take, infinite if it may take any."""
    memory_limit: float
    """MB that a job may take of a node, infinite if it may take all."""
    priority: int
    preemption: str
    """What becomes of jobs that others displace: OFF, CANCEL, REQUEUE or SUSPEND."""
    nodes: list[Nodes]

    def gpus(self) -> int:
        """The most GPUs on one node."""
        return max((sum(nodes.gpus.values()) for nodes in self.nodes), default=0)

    def with_gpus(self, number: int) -> list[Nodes]:
        """The nodes that have so many GPUs."""
        return [nodes for nodes in self.nodes if sum(nodes.gpus.values()) >= number]

    def memory(self, gpus: int) -> float:
        """MB that a job may take of a node with so many GPUs, at most."""
        most = max((nodes.memory for nodes in self.with_gpus(gpus)), default=0)
        return min(most, self.memory_limit)

    def cpus(self, gpus: int) -> int:
        """The most CPUs on a node with so many GPUs."""
        return max((nodes.cpus for nodes in self.with_gpus(gpus)), default=0)


class Cluster(NamedTuple):
    """What there is on a cluster, as far as it concerns campaigns."""

    partitions: dict[str, Partition]
    settings: dict[str, str]
    """What ``scontrol show config`` says."""
    accounts: dict[str, str]
    """The QoS of each of the user's accounts; empty without accounting."""
    default_account: str
    """Empty if the user has none."""

    @property
    def accounting(self) -> bool:
        """Whether a database keeps the jobs that have ended, which sacct reads."""
        return self.settings["AccountingStorageType"].endswith("slurmdbd")

    @property
    def default(self) -> Partition | None:
        """The partition of jobs that name none."""
        return next((p for p in self.partitions.values() if p.default), None)

    def preempted(self, partition: Partition) -> str:
        """What becomes of jobs of a partition that others displace; OFF if none can."""
        kind = self.settings.get("PreemptType", "preempt/none")
        highest = max(other.priority for other in self.partitions.values())
        if kind.endswith("none") or (kind.endswith("prio") and partition.priority == highest):
            return "OFF"
        return partition.preemption


def query(*words: str) -> str:
    """What a command of SLURM prints.

    Raises:
        InputError: there is no such command here, or it failed.
    """
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT)
    except FileNotFoundError:
        raise InputError(
            f"expected {words[0]} on the PATH, found none; run on a login node of a cluster with "
            "SLURM"
        ) from None
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{words[0]}: expected an answer within {TIMEOUT} s, got none; try again later"
        ) from None
    if done.returncode:
        answer = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise InputError(
            f"{' '.join(words)}: expected an answer, got status {done.returncode} ({answer}); run "
            "on a login node of a cluster with SLURM"
        )
    return done.stdout


def read_cluster() -> Cluster:
    """Ask SLURM what there is.

    Raises:
        InputError: there is no SLURM here, or it does not answer.
    """
    partitions = parse_partitions(query(*PARTITIONS), query(*NODES))
    cluster = Cluster(partitions, parse_settings(query(*SETTINGS)), {}, "")
    if not cluster.accounting:
        return cluster
    associations = query(
        *("sacctmgr", "--noheader", "--parsable2", "show", "user", "withassoc", "where"),
        *(f"name={getpass.getuser()}", f"cluster={cluster.settings['ClusterName']}"),
        "format=defaultaccount,account,qos",
    )
    default, accounts = parse_accounts(associations)
    return cluster._replace(accounts=accounts, default_account=default)


def parse_settings(output: str) -> dict[str, str]:
    """The settings that ``scontrol show config`` prints, a line each: ``JobRequeue = 1``."""
    lines = [line.partition("=") for line in output.splitlines()]
    return {key.strip(): value.strip() for key, is_setting, value in lines if is_setting}


def parse_partitions(partitions: str, nodes: str) -> dict[str, Partition]:
    """The partitions of ``PARTITIONS`` with the nodes of ``NODES``, by name."""
    rows = [line.split("|") for line in nodes.splitlines() if line.strip()]
    by_name = {}
    for line in partitions.splitlines():
        fields = dict(word.partition("=")[::2] for word in line.split())
        if (name := fields.get("PartitionName")) is None:
            continue  # SLURM says in words that there are none
        by_name[name] = Partition(
            name=name,
            default=fields["Default"] == "YES",
            up=fields["State"] == "UP",
            limit=minutes(fields["MaxTime"]),
            memory_limit=float(fields.get("MaxMemPerNode", "inf").replace("UNLIMITED", "inf")),
            priority=int(fields["PriorityTier"]),
            preemption=fields["PreemptMode"].replace("GANG", "").strip(",") or "OFF",
            nodes=[
                Nodes(int(number), int(cpus), int(memory), dict(gpus(gres)), state)
                for partition, number, cpus, memory, gres, state in rows
                if partition == name
            ],
        )
    return by_name


def gpus(gres: str) -> Iterator[tuple[str, int]]:
    """The types and numbers of GPUs in a GRES such as ``gpu:a100:4(S:0,1),shard:8``."""
    counted: Counter[str] = Counter()
    for resource in re.sub(r"\([^)]*\)", "", gres).split(","):
        name, *details = resource.split(":")
        if name == "gpu":
            number = details.pop() if details and details[-1].isdigit() else "1"
            counted[details[0] if details else ""] += int(number)
    yield from counted.items()


def minutes(time: str) -> float:
    """A time as scontrol prints it, ``1-12:00:00`` or ``UNLIMITED``, in minutes."""
    if time in ("UNLIMITED", "INFINITE"):
        return float("inf")
    days, _, clock = time.rpartition("-")
    hours, mins, seconds = map(int, clock.split(":"))
    return int(days or 0) * 1440 + hours * 60 + mins + seconds / 60


def parse_accounts(output: str) -> tuple[str, dict[str, str]]:
    """The user's default account, and the QoS of every account: ``lab|lab|normal,long`` a line."""
    rows = [line.split("|") for line in output.splitlines() if line.strip()]
    return (rows[0][0] if rows else ""), {account: qos for _, account, qos in rows if account}


def describe(cluster: Cluster) -> str:
    """The cluster at a glance, for people to read."""
    import pandas as pd

    settings = cluster.settings
    name = f"SLURM {settings['SLURM_VERSION']}, cluster {settings['ClusterName']}"
    partitions = pd.DataFrame(map(_row, cluster.partitions.values())).to_string(index=False)
    lines = "\n".join(f"{key}: {settings[key]}" for key in DESCRIBED if key in settings)
    if not cluster.accounting:
        accounts = "accounts: none are kept"
    else:
        each = (f"{account} (QoS {qos})" for account, qos in cluster.accounts.items())
        accounts = f"accounts: {', '.join(each) or 'none'}; default: {cluster.default_account}"
    return "\n\n".join((name, partitions or "no partitions", f"{lines}\n{accounts}"))


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
        "CPUs": _range([nodes.cpus for nodes in partition.nodes]),
        "memory (GB)": _range([nodes.memory // 1000 for nodes in partition.nodes]),
        "GPUs": ", ".join(f"{number} {kind}" for kind, number in gpus.items()) or "none",
    }


def _duration(minutes: float) -> str:
    """Minutes as the profile counts them, in words where they are many."""
    if minutes == float("inf"):
        return "none"
    return f"{minutes:g} min" if minutes < 600 else f"{minutes / 60:g} h"


def _range(values: Sequence[int]) -> str:
    """Of a node; the least and the most where nodes differ."""
    if not values:
        return "–"
    return f"{min(values)}" if min(values) == max(values) else f"{min(values)}–{max(values)}"
