"""Families of another dataset: the same models, asked about other data."""

import pytest

MODEL = "n1-l0-a1-w4-s2"


@pytest.fixture
def states(workspace):
    """Two states, a pool of both, and what is trained on the pool asked about the first."""
    campaign = workspace.config
    cold, hot = campaign["datasets"].pop("water"), campaign["datasets"].pop("metal")
    del cold["evaluations"], hot["evaluations"]
    cold["families"] = {
        "own": {"recipe": "teaching", "seeds": 2},
        "of_both": {"transferred_from": {"dataset": "both", "family": "pooled"}},
    }
    hot["families"] = {"own": {"recipe": "teaching", "seeds": 2}}
    both = {
        "source": {"reader": "pooled", "datasets": ["cold", "hot"]},
        "model": cold["model"],
        "families": {"pooled": {"recipe": "teaching", "seeds": 2}},
    }
    campaign["datasets"] = {"cold": cold, "hot": hot, "both": both}
    workspace.config = campaign
    return workspace


def test_a_transferred_family_is_not_trained_again(states) -> None:
    assert states.snakemake("--cores", "2").returncode == 0
    there, here = f"results/both/pooled/{MODEL}", f"results/cold/of_both/{MODEL}"
    commands = states.commands
    assert {
        f"transfer --dataset results/cold/dataset.h5 --family of_both --output"
        f" {here}/seed{seed}/model.safetensors {there}/seed{seed}/model.safetensors"
        for seed in (0, 1)
    } <= set(commands)
    assert sum(line.startswith("train ") for line in commands) == 6
    (errors,) = (
        line
        for line in commands
        if line.startswith("evaluate errors") and f"{here}/errors.csv" in line
    )
    assert f"{here}/seed0/model.safetensors {here}/seed1/model.safetensors" in errors


def test_the_pool_is_made_of_its_datasets(states) -> None:
    done = states.snakemake("--cores", "1", "results/both/dataset.h5")
    assert done.returncode == 0
    made = [line.split("--output ")[1].split()[0] for line in states.commands]
    assert made[-1] == "results/both/dataset.h5"
    assert set(made) == {f"results/{name}/dataset.h5" for name in ("cold", "hot", "both")}


@pytest.mark.parametrize(
    ("where", "what", "fault"),
    [
        (
            ("both", "source", "datasets"),
            ["cold", "warm"],
            "expected some of the datasets cold, hot",
        ),
        (("both", "source", "datasets"), ["cold", "cold"], "expected each dataset once"),
        (("both", "split"), {"test": 0.3}, "pooled configurations stay in their splits"),
        (
            ("cold", "families", "of_both", "transferred_from"),
            {"dataset": "both", "family": "teachers"},
            "expected one of the families trained there, pooled, got 'teachers'",
        ),
        (
            ("cold", "families", "of_both", "transferred_from"),
            {"dataset": "cold", "family": "own"},
            "expected another of the datasets (hot, both), got 'cold'",
        ),
        (
            ("cold", "families", "of_both", "seeds"),
            3,
            "expected no other key with transferred_from, which is not trained here, got seeds",
        ),
    ],
)
def test_what_does_not_exist_cannot_be_taken(states, where, what, fault) -> None:
    campaign = states.config
    place = campaign["datasets"]
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = what
    states.config = campaign
    done = states.snakemake("--dry-run")
    assert done.returncode != 0
    assert fault in done.stderr
