"""Jobs ask for what their work takes by workflow/sizing.yaml, once the data's size is known."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from mlipkd.campaign import load_campaign
from mlipkd.campaign.settings import train_settings
from mlipkd.sizing import dynamics, work
from mlipkd.sizing.estimate import Sizing
from tests.workflow.workspace import SIZE, Workspace

ROOT = Path(__file__).parents[2]
MODEL = "n1-l0-a1-w4-s2"
SIZING = Sizing.read(ROOT / "workflow/sizing.yaml")


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


def test_all_ask_for_what_their_work_takes(sized):
    campaign = load_campaign(sized.folder / "config.yaml")
    section = campaign.datasets["water"]
    ((name, shape),) = section.architectures("teachers").items()
    taught = train_settings(campaign, "water", "students", name, 0)
    suite = (sized.folder / "small.h5").stat().st_size
    expected = {
        f"water/students/{MODEL}/seed0/model.safetensors": work.train(SIZE, [taught]),
        f"water/teachers/{MODEL}/seed0/predictions.h5": work.predict(SIZE, shape),
        f"water/teachers/{MODEL}/augmented.h5": work.merge(SIZE, 2),
        f"water/teachers/{MODEL}/errors.csv": work.errors(SIZE, section.split, shape, 2),
        f"water/students2/{MODEL}/errors.csv": work.errors(SIZE, section.split, shape, 1),
        f"water/teachers/{MODEL}/comp6.csv": work.comp6(SIZE, suite, shape, 2),
        "metal/cost.csv": dynamics.cost(
            SIZE,
            campaign.datasets["metal"].evaluations.cost,
            list(campaign.datasets["metal"].architectures("students").values()),
        ),
    }
    found = asked(sized)
    for output, wanted in expected.items():
        own = found[output]
        assert int(own["mem_mb"]) == SIZING.memory(wanted), output
        assert int(own["runtime"]) == SIZING.minutes(wanted), output


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
    section = load_campaign(sized.folder / "config.yaml").datasets["metal"]
    (shape,) = section.architectures("teachers").values()
    asks = section.evaluations
    expected = {
        f"metal/teachers/{MODEL}/stability.csv": dynamics.stability(SIZE, asks.stability, shape, 2),
        f"metal/teachers/{MODEL}/seed1/liquid.h5": dynamics.liquid(SIZE, asks.liquid, shape),
        f"metal/teachers/{MODEL}/rdf.csv": dynamics.rdf(SIZE, asks.liquid, asks.rdf, 2),
    }
    found = asked(sized)
    for output, wanted in expected.items():
        own = found[output]
        assert int(own["mem_mb"]) == SIZING.memory(wanted), output
        assert int(own["runtime"]) == SIZING.minutes(wanted), output


def test_members_that_train_together_ask_for_all_of_them(sized):
    config = sized.config
    config["datasets"]["water"]["families"]["students"] |= {"together": True, "seeds": 8}
    sized.config = config
    campaign = load_campaign(sized.folder / "config.yaml")
    members = [train_settings(campaign, "water", "students", MODEL, seed) for seed in range(8)]
    own = asked(sized)[f"water/students/{MODEL}/seed0/model.safetensors"]
    assert int(own["mem_mb"]) == SIZING.memory(work.train(SIZE, members))
    assert int(own["runtime"]) == SIZING.minutes(work.train(SIZE, members))
    assert SIZING.minutes(work.train(SIZE, members)) > SIZING.minutes(work.train(SIZE, members[:1]))


def test_calculators_ask_for_no_gpu(sized):
    config = sized.config
    oracle = {"calculator": {"type": "ase.calculators.emt:EMT"}}
    config["datasets"]["water"]["families"]["oracle"] = oracle
    config["datasets"]["water"]["families"]["students"]["learns_from"] = "oracle"
    sized.config = config
    found = asked(sized)
    expected = {
        "water/oracle/calculator/seed0/predictions.h5": SIZE.atoms,
        "water/oracle/calculator/errors.csv": SIZE.atoms * 0.2,
    }
    for output, atoms in expected.items():
        assert found[output]["gpu"] == "0"
        assert int(found[output]["runtime"]) == SIZING.minutes(work.calculate(atoms))
    assert found[f"water/teachers/{MODEL}/errors.csv"]["gpu"] == "1"
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
    costs = workspace.folder / "workflow/sizing.yaml"
    content = yaml.safe_load(costs.read_text())
    for kind in content["kinds"].values():
        kind["seconds"]["factor"] = kind["megabytes"]["factor"] = 1000.0
    costs.write_text(yaml.safe_dump(content))
    assert workspace.planned(*own) == set()
    assert int(asked(workspace, *own, "--forceall")["water/dataset.h5"]["runtime"]) > 10


def test_each_attempt_asks_for_more(workspace):
    verb = workspace.folder / "bin" / "mlipkd"
    verb.write_text("#!/bin/sh\nexit 1\n")
    done = workspace.snakemake("--cores", "1", "--retries", "2", "results/metal/dataset.h5")
    assert done.returncode != 0
    found = re.findall(r"runtime=(\d+), mem_mb=(\d+)", done.stdout + done.stderr)
    assert found == [("10", "1000"), ("20", "2000"), ("30", "3000")]
