"""Datasets of beads are made of simulations, which are made first."""

import typer

from mlipkd.cli.main import app

SALT = {
    "molecules": {"NaCl": {"number": 100, "structure": "salt.gro"}},
    "topology": "downloads/salt.top",
    "includes": ["salt.itp"],
    "density": 1.0,
    "temperature": 900,
}


def test_a_simulation_becomes_a_dataset(workspace):
    for name in ("salt.gro", "salt.itp"):
        (workspace.folder / name).write_text("content\n")
    campaign = workspace.config
    campaign["simulations"] = {"hot": SALT, "cold": {**SALT, "temperature": 300}}
    pinned = {"url": "https://example.org/salt.top", "sha256": "0" * 64}
    campaign["downloads"] = {"salt.top": pinned}
    source = {"reader": "trajectory", "simulation": "hot", "beads": {"salt": "resname NaCl"}}
    campaign["datasets"]["water"]["source"] = source
    workspace.config = campaign
    done = workspace.snakemake("--cores", "2", "results/water/dataset.h5")
    assert done.returncode == 0, done.stdout + done.stderr
    fetched, simulated, made = workspace.commands
    assert fetched.split()[-1] == "downloads/salt.top"
    assert simulated == (
        "simulate --settings results/simulations/hot/settings.yaml"
        " --topology results/simulations/hot/topology.tpr"
        " --output results/simulations/hot/trajectory.trr --threads 2"
    )
    assert made.startswith("dataset --settings results/water/settings.yaml")
    verb, *words = simulated.split()
    typer.main.get_command(app).commands[verb].make_context(verb, words)

    campaign["simulations"]["cold"]["temperature"] = 310
    workspace.config = campaign
    assert workspace.planned("results/water/dataset.h5") == set()
    (workspace.folder / "salt.itp").write_text("changed\n")
    assert workspace.planned("results/water/dataset.h5") == {
        "simulations/hot/topology.tpr",
        "water/dataset.h5",
    }
