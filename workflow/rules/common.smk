# The campaign and its plan, which says what the rules' jobs read.

import os
import re
import sys
from pathlib import Path

from mlipkd import paths
from mlipkd.campaign import load_campaign
from mlipkd.campaign.plan import Plan
from mlipkd.campaign.settings import write_settings
from mlipkd.config.section import NAME_PATTERN
from mlipkd.errors import InputError
from mlipkd.evaluation import EVALUATIONS, FIGURES
from mlipkd.jobs import provenance
from mlipkd.paths import DatasetPaths, MemberPaths, ModelPaths, SimulationPaths

#: Paths with the wildcards {dataset}, {family}, {model}, {seed} and {simulation}.
DATASET, MODEL, MEMBER = DatasetPaths(), ModelPaths(), MemberPaths()
SIMULATION = SimulationPaths()
NAME = NAME_PATTERN.strip("^$")

#: For the script that installs mlipkd into environments, which runs in the campaign's folder.
os.environ.update(MLIPKD_CHECKOUT=str(workflow.basedir))

#: The campaign's file, of --configfile or config.yaml.
CAMPAIGN = str((workflow.overwrite_configfiles or ["config.yaml"])[0])


def one_file_holds_the_campaign():
    """Raises InputError if the command line gives it in parts."""
    if len(workflow.overwrite_configfiles or []) > 1 or workflow.config_settings.config:
        raise InputError(
            "command line: a campaign is one file; write all of it into one --configfile, and use "
            "no --config"
        )


try:
    one_file_holds_the_campaign()
    campaign = load_campaign(CAMPAIGN)
    plan = Plan(campaign)
    MODULES = plan.modules(CAMPAIGN)
    # Not within a job on a cluster: it keeps to the settings and the code that were there when it
    # was submitted. Nor to unlock the folder, which runs nothing.
    if workflow.is_main_process and "--unlock" not in sys.argv:
        write_settings(plan.settings, CAMPAIGN)
        os.environ[provenance.SUBMITTED] = provenance.code()
except InputError as error:  # one line for each fault
    print(error, file=sys.stderr)
    sys.exit(2)

# What a profile says of `train` holds for the rules that train seeds together. Snakemake reads it
# when it makes a rule, so it is said before the first.
for given in (
    workflow.resource_settings.overwrite_threads,
    workflow.resource_settings.overwrite_resources,
):
    if "train" in given:
        for together in plan.together:
            given.setdefault(together.rule("train"), given["train"])


def of_members(look_up):
    """For an input: what ``look_up`` says of each member of this model."""
    return lambda wildcards: [look_up(m) for m in plan.members_of(ModelPaths.of(wildcards))]


def of_member(look_up):
    """For an input: what ``look_up`` says of the member that a job is about."""
    return lambda wildcards: look_up(MemberPaths.of(wildcards))


def rising(amount):
    """For a resource: ``amount`` at the first attempt, twice as much at the second, and so on."""
    return lambda wildcards, attempt: amount * attempt
