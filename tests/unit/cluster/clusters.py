"""What SLURM says on clusters of several kinds, in the formats of its manual pages."""

from typing import NamedTuple

from mlipkd.cluster.slurm import Cluster, parse_accounts, parse_partitions, parse_settings


class Answers(NamedTuple):
    """What a cluster answers."""

    partitions: str
    nodes: str
    settings: str
    accounts: str = ""


def cluster(answers: Answers, **settings: str) -> Cluster:
    """The same, read; with some settings changed."""
    default, accounts = parse_accounts(answers.accounts)
    return Cluster(
        parse_partitions(answers.partitions, answers.nodes),
        parse_settings(answers.settings) | settings,
        accounts,
        default,
    )


def partition(name: str, **fields: object) -> str:
    """A line of ``scontrol show partition --oneliner``."""
    fields = {
        "PartitionName": name,
        **dict(
            AllowGroups="ALL", AllowAccounts="ALL", Default="NO", QoS="N/A", MaxTime="UNLIMITED"
        ),
        **dict(Nodes="n[001-004,007]", PriorityTier=1, OverTimeLimit="NONE", PreemptMode="OFF"),
        **dict(State="UP", JobDefaults="(null)", MaxMemPerNode="UNLIMITED"),
        **dict(TRES="cpu=8,mem=250G,node=1"),
        **fields,
    }
    return " ".join(f"{key}={value}" for key, value in fields.items()) + "\n"


#: One node of four GPUs without accounting, as SLURM 22.05.8 said it.
SMALL = Answers(
    partitions=(
        "PartitionName=main AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL AllocNodes=ALL "
        "Default=YES QoS=N/A DefaultTime=NONE DisableRootJobs=NO ExclusiveUser=NO GraceTime=0 "
        "Hidden=NO MaxNodes=UNLIMITED MaxTime=UNLIMITED MinNodes=0 LLN=NO "
        "MaxCPUsPerNode=UNLIMITED Nodes=vm PriorityJobFactor=1 PriorityTier=1 RootOnly=NO "
        "ReqResv=NO OverSubscribe=NO OverTimeLimit=NONE PreemptMode=OFF State=UP TotalCPUs=8 "
        "TotalNodes=1 SelectTypeParameters=NONE JobDefaults=(null) DefMemPerNode=UNLIMITED "
        "MaxMemPerNode=UNLIMITED TRES=cpu=8,mem=250G,node=1,billing=8 \n"
    ),
    nodes="main|1|8|256000|gpu:4|idle\n",
    settings="""\
Configuration data as of 2026-11-21T22:51:42
AccountingStorageEnforce = none
AccountingStorageType   = accounting_storage/none
ClusterName             = mlipkd
EnforcePartLimits       = NO
JobRequeue              = 1
KillWait                = 5 sec
MaxJobCount             = 10000
MinJobAge               = 3600 sec
OverTimeLimit           = 0 min
PreemptMode             = OFF
PreemptType             = preempt/none
PreemptExemptTime       = 00:00:00
SelectType              = select/cons_tres
SelectTypeParameters    = CR_CPU_MEMORY
SLURM_VERSION           = 22.05.8

Cgroup Support Configuration:
AllowedKmemSpace        = (null)
ConstrainCores          = no

Slurmctld(primary) at vm is UP
""",
)

#: Three partitions, two kinds of GPUs, accounting; jobs in `spare` make way for others.
LARGE = Answers(
    partitions=(
        partition("cpu", Default="YES", MaxTime="1-00:00:00", PriorityTier=10)
        + partition("gpu", MaxTime="2-12:30:00", PriorityTier=10, MaxMemPerNode=250000)
        + partition("spare", MaxTime="12:00:00", PreemptMode="CANCEL")
        + partition("old", State="DOWN")
    ),
    nodes="""\
cpu|40|64|192000|(null)|allocated
cpu|2|64|192000|(null)|idle
cpu|4|128|1030000|(null)|drained*
gpu|8|48|384000|gpu:a100:4(S:0-1)|mixed
gpu|1|48|512000|gpu:a100:2(S:0,3),gpu:1g.5gb:7(S:1),shard:a100:8|idle
spare|42|64|192000|(null)|allocated
old|1|16|64000|gpu:k80:2|down
""",
    settings="""\
AccountingStorageEnforce = associations,limits,qos
AccountingStorageType   = accounting_storage/slurmdbd
ClusterName             = large
JobRequeue              = 1
MinJobAge               = 60 sec
PreemptMode             = CANCEL
PreemptType             = preempt/partition_prio
SelectType              = select/cons_tres
SLURM_VERSION           = 24.05.2
""",
    accounts="lab|lab|normal,long\nlab|course|normal\n",
)

#: No GPUs and no default partition.
PLAIN = Answers(
    partitions=partition("short", MaxTime="04:00:00") + partition("week", MaxTime="7-00:00:00"),
    nodes="short|30|12|32000|(null)|idle\nweek|3|12|32000|(null)|allocated\n",
    settings=SMALL.settings.replace("cons_tres", "cons_res"),
)
