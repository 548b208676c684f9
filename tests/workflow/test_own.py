"""Functions of one's own in the workflow: who calls them, and that a change of them is seen."""

import os

import pytest

MODEL = "n1-l0-a1-w4-s2"


@pytest.fixture
def own(workspace, monkeypatch):
    """A campaign with a reader and two evaluations of its own, in two modules."""
    modules = workspace.folder / "modules"
    modules.mkdir()
    for name in ("reads", "asks"):
        (modules / f"{name}.py").write_text("raise RuntimeError('imported too early')\n")
    monkeypatch.setenv("PYTHONPATH", f"{modules}:{os.environ.get('PYTHONPATH', '')}")
    campaign = workspace.config
    del campaign["datasets"]["metal"]
    water = campaign["datasets"]["water"]
    water["source"] = {"reader": "own", "function": "reads:read", "files": ["water.xyz"]}
    water["evaluations"] = {
        "own": {
            "bulk": {"function": "asks:f", "options": {"n": 3}},
            "shear": {"function": "asks:g"},
        }
    }
    workspace.config = campaign
    return workspace


def test_an_evaluation_is_asked_of_every_model_and_tabled(own) -> None:
    assert own.snakemake("--cores", "2").returncode == 0
    last = f"results/water/students2/{MODEL}"
    assert {
        f"evaluate own --settings results/water/own.{name}.settings.yaml"
        f" --dataset results/water/dataset.h5 --output {last}/own.{name}.csv --threads 2"
        f" --device auto {last}/seed0/model.safetensors"
        for name in ("bulk", "shear")
    } <= set(own.commands)
    assert (own.folder / "results/water/own.bulk.settings.yaml").read_text() == (
        "own:\n  bulk:\n    function: asks:f\n    options:\n      n: 3\n"
    )
    for verb in ("summary", "report"):
        (command,) = (line for line in own.commands if line.startswith(verb))
        assert "results/tables/own.csv" in command


def test_a_change_reruns_what_stands_on_it(own) -> None:
    assert own.snakemake("--cores", "2").returncode == 0
    rows = {
        f"water/{family}/{MODEL}/own.{name}.csv"
        for family in ("teachers", "students", "students2")
        for name in ("bulk", "shear")
    }
    results = {"tables/own.csv", "summary.md", "report.html"}
    campaign = own.config
    campaign["datasets"]["water"]["evaluations"]["own"]["bulk"]["options"] = {"n": 4}
    own.config = campaign
    assert own.planned() == {path for path in rows if "bulk" in path} | results
    (own.folder / "modules/asks.py").write_text("changed = True\n")
    assert own.planned() == rows | results
    (own.folder / "modules/reads.py").write_text("changed = True\n")
    assert "water/dataset.h5" in own.planned()


def test_a_module_that_is_not_there_is_told_before_anything_runs(own) -> None:
    (own.folder / "modules/asks.py").unlink()
    done = own.snakemake("--dry-run")
    assert done.returncode == 2
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith(
        "config.yaml: datasets.water.evaluations.own.bulk.function: expected what"
    )
