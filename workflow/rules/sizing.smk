# What jobs ask for: memory and time by their work, as jobs like them took (mlipkd/sizing/sizing.yaml, or
# what mlipkd fit-sizing wrote for this machine, workflow/sizing.yaml). A dataset's size is known once it
# is made; until then Snakemake shows <TBD>.

from mlipkd.sizing.estimate import Sizing
from mlipkd.sizing.work import WORK, Job

SIZING = Sizing.of(Path(workflow.basedir))


def asking(estimate, work, about):
    """For a resource: an estimate of this work of a job about paths, at each attempt so much more."""

    def amount(wildcards, attempt):
        path = about.settings.format(**wildcards)
        return estimate(WORK[work](Job(paths.read(path), plan.settings))) * attempt

    return amount


def memory(work, about):
    """For mem_mb."""
    return asking(SIZING.memory, work, about)


def minutes(work, about):
    """For runtime."""
    return asking(SIZING.minutes, work, about)


def one_gpu(wildcards):
    """For gpu: what runs a model asks for one; a calculator has its own ways."""
    return int(not campaign.datasets[wildcards.dataset].families[wildcards.family].calculator)
