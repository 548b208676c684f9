"""Jobs ask for what their work takes by what ships, or the user's fit, once the size is known."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from mlipkd.campaign import load_campaign
from mlipkd.campaign.plan import Plan
from mlipkd.paths import ModelPaths, Paths
from mlipkd.sizing.estimate import Sizing
from mlipkd.sizing.work import WORK, Job, Work
from tests.workflow.workspace import SIZE, Workspace

ROOT = Path(__file__).parents[2]
MODEL = "n1-l0-a1-w4-s2"
SIZING = Sizing.of()
TEACHERS, STUDENTS = (ModelPaths("water", family, MODEL) for family in ("teachers", "students"))


@pytest.fixture
def sized(workspace) -> Workspace:
    """The campaign with its datasets made."""
    done = workspace.snakemake(
        "--cores", "2", "results/water/dataset.h5", "results/metal/size.json"
    )
    assert done.returncode == 0, done.stderr
    return workspace


def asked(workspace: Workspace, *words: str) -> dict[str, dict[str, str]]:
    """What each job of a dry run asks for, by its first output without ``results/``."""
    done = workspace.snakemake("--dry-run", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {}
    for job in re.split(r"\n(?=(?:local)?rule )", done.stdout + done.stderr):
        output = re.search(r"    output: results/([^,\n]+)", job)
        resources = re.search(r"    resources: (.*)", job)
        if output and resources:
            pairs = (pair.split("=") for pair in resources[1].split(", "))
            found[output[1]] = dict(pairs)
    return found


def test_unknown_until_the_dataset_is_made(workspace):
    before = asked(workspace)
    assert before["water/dataset.h5"]["mem_mb"] != "<TBD>"
    train = before[f"water/teachers/{MODEL}/seed0/model.safetensors"]
    assert (train["mem_mb"], train["runtime"], train["gpu"]) == ("<TBD>", "<TBD>", "1")


def work_of(workspace: Workspace, rule: str, about: Paths) -> Work:
    """What a job of the campaign has to do."""
    campaign = load_campaign(workspace.folder / "config.yaml")
    return WORK[rule](Job(about, Plan(campaign).settings, workspace.folder))


def compare(found: dict[str, str], work: Work) -> None:
    assert int(found["mem_mb"]) == SIZING.memory(work)
    assert int(found["runtime"]) == SIZING.minutes(work)


def test_all_ask_for_what_their_work_takes(sized):
    found = asked(sized)
    for output, rule, about in (
        ("model.safetensors", "train", STUDENTS.member(0)),
        ("predictions.h5", "predict", TEACHERS.member(0)),
        ("errors.csv", "errors", TEACHERS),
        ("errors.csv", "errors", ModelPaths("water", "students2", MODEL)),
        ("comp6.csv", "comp6", TEACHERS),
    ):
        compare(found[f"{about.name}/{output}"], work_of(sized, rule, about))
    for output in (f"{TEACHERS.name}/augmented.h5", "metal/cost.csv"):
        assert int(found[output]["mem_mb"]) >= 1000
        assert int(found[output]["runtime"]) >= 10


def test_dynamics_ask_for_what_their_steps_take(sized):
    config = sized.config
    families = {"teachers": config["datasets"]["metal"]["families"]["teachers"]}
    config["datasets"]["metal"]["families"] = families
    config["datasets"]["metal"]["evaluations"] = {
        "stability": {"molecule": "CH3CH2OH"},
        "liquid": {"temperature": 1200, "density": 2.35},
        "rdf": {"teacher": "teachers"},
    }
    sized.config = config
    model, found = ModelPaths("metal", "teachers", MODEL), asked(sized)
    compare(found[f"{model.name}/stability.csv"], work_of(sized, "stability", model))
    compare(found[f"{model.name}/seed1/liquid.h5"], work_of(sized, "liquid", model.member(1)))
    assert found[f"{model.name}/rdf.csv"]["runtime"] == "60"


def test_members_that_train_together_ask_for_all_of_them(sized):
    config = sized.config
    config["datasets"]["water"]["families"]["students"] |= {"together": True, "seeds": 8}
    sized.config = config
    together = work_of(sized, "train", STUDENTS)
    compare(asked(sized)[f"{STUDENTS.name}/seed0/model.safetensors"], together)
    assert SIZING.minutes(together) > SIZING.minutes(work_of(sized, "train", STUDENTS.member(0)))


def test_calculators_ask_for_no_gpu(sized):
    config = sized.config
    oracle = {"calculator": {"type": "ase.calculators.emt:EMT"}}
    config["datasets"]["water"]["families"]["oracle"] = oracle
    config["datasets"]["water"]["families"]["students"]["learns_from"] = "oracle"
    sized.config = config
    found = asked(sized)
    for output, atoms in (("seed0/predictions.h5", SIZE.atoms), ("errors.csv", SIZE.atoms * 0.2)):
        own = found[f"water/oracle/calculator/{output}"]
        work = Work("calculation", {"start": 1, "calls": atoms}, {})
        assert own["gpu"] == "0"
        assert int(own["runtime"]) == SIZING.minutes(work)
    assert found[f"{TEACHERS.name}/errors.csv"]["gpu"] == "1"
    assert "gpu" not in found["water/oracle/calculator/augmented.h5"]


def test_a_profile_has_the_last_word(sized):
    words = ("--set-resources", "train:mem_mb=123", "train:runtime=456")
    own = asked(sized, *words)[f"water/teachers/{MODEL}/seed0/model.safetensors"]
    assert (own["mem_mb"], own["runtime"]) == ("123", "456")


def test_other_costs_rerun_nothing(workspace):
    shutil.copy(ROOT / "Snakefile", workspace.folder)
    for folder in ("workflow", "envs"):
        shutil.copytree(ROOT / folder, workspace.folder / folder)
    own = ("--snakefile", "Snakefile")
    done = workspace.snakemake(*own, "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    content = yaml.safe_load((ROOT / "mlipkd/sizing/sizing.yaml").read_text())
    for kind in content["kinds"].values():
        kind["seconds"]["factor"] = kind["megabytes"]["factor"] = 1000.0
    (workspace.folder / "workflow/sizing.yaml").write_text(yaml.safe_dump(content))
    assert workspace.planned(*own) == set()
    assert int(asked(workspace, *own, "--forceall")["water/dataset.h5"]["runtime"]) > 10


def test_each_attempt_asks_for_more(workspace):
    verb = workspace.folder / "bin" / "mlipkd"
    verb.write_text("#!/bin/sh\nexit 1\n")
    done = workspace.snakemake("--cores", "1", "--retries", "2", "results/metal/dataset.h5")
    assert done.returncode != 0
    found = re.findall(r"runtime=(\d+), mem_mb=(\d+)", done.stdout + done.stderr)
    assert found == [("10", "1000"), ("20", "2000"), ("30", "3000")]
