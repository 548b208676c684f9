# What jobs ask for: memory and time by their work, as jobs like them took (mlipkd/sizing/sizing.yaml, or
# what mlipkd fit-sizing wrote for this machine, workflow/sizing.yaml). A dataset's size is known once it
# is made; until then Snakemake shows <TBD>.

from mlipkd.sizing.estimate import Sizing
from mlipkd.sizing.work import WORK, Job

SIZING = Sizing.of(Path(workflow.basedir))


def asking(estimate):
    """For a resource: the estimate of a work of a job about paths, at each attempt so much more."""

    def resource(work, about):
        def amount(wildcards, attempt):
            path = about.settings.format(**wildcards)
            return attempt * estimate(WORK[work](Job(paths.read(path), plan.settings)))

        return amount

    return resource


memory, minutes = asking(SIZING.memory), asking(SIZING.minutes)


def one_gpu(wildcards):
    """For gpu: jobs that run a model request one; a calculator has options of its own."""
    return int(not campaign.datasets[wildcards.dataset].families[wildcards.family].calculator)
