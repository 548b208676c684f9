"""What is wrong with a campaign is said in plain lines before anything runs or is written."""

import pytest

FOLDERS = ("results", "logs", "P")


def refused(workspace, *words: str) -> list[str]:
    """The lines that a run is refused with; nothing but them, and nothing on the disk."""
    done = workspace.snakemake("--cores", "2", *words)
    assert done.returncode == 2
    assert not [name for name in FOLDERS if (workspace.folder / name).exists()]
    return (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize("name", ["../../x", "a;touch P"])
@pytest.mark.parametrize("place", ["datasets", "datasets.metal.families"])
def test_name_that_a_shell_or_a_path_could_read(workspace, inject, place, name):
    inject("hostile: shell or path in a name of the campaign", "refused")
    config = workspace.config
    section = config
    for key in place.split("."):
        section = section[key]
    last = list(section)[-1]
    section[name] = section.pop(last)
    workspace.config = config
    (line,) = refused(workspace)
    assert f"{place}.{name}: expected a name" in line
    assert line.endswith("rename it")


def test_target_that_a_shell_could_read(workspace, inject):
    inject("hostile: shell in a target", "refused")
    done = workspace.snakemake("--cores", "2", "results/a;touch P/dataset.h5")
    assert done.returncode != 0
    assert not (workspace.folder / "P").exists()
    assert not (workspace.folder / "commands.log").exists()


def test_cycle_is_named(workspace):
    config = workspace.config
    families = config["datasets"]["water"]["families"]
    families["teachers"] |= {"recipe": "second", "learns_from": "students2"}
    workspace.config = config
    lines = refused(workspace)
    assert len(lines) == 3
    cycle = "teachers → students2 → students → teachers"
    assert (
        f"datasets.water.families.teachers.learns_from: families learn in a circle: {cycle}"
        in (lines[0])
    )


def test_all_faults_at_once(workspace):
    config = workspace.config
    config["recipes"]["first"]["optimiser"] = {"epochs": 0}
    config["datasets"]["water"]["split"] = {"tset": 0.1}
    del config["datasets"]["metal"]["source"]["reader"]
    workspace.config = config
    lines = refused(workspace)
    places = [
        "recipes.first.optimiser.epochs",
        "datasets.water.split.tset",
        "datasets.metal.source",
    ]
    assert len(lines) == len(places)
    for place in places:
        assert any(place in line for line in lines)


def test_campaign_is_missing(workspace):
    (workspace.folder / "config.yaml").unlink()
    (line,) = refused(workspace)
    assert line.startswith("config.yaml: expected a YAML file")


def test_campaign_is_no_yaml(workspace):
    (workspace.folder / "config.yaml").write_text("recipes: [\n")
    (line,) = refused(workspace)
    assert line.startswith("config.yaml: line 2: ")


@pytest.mark.parametrize(
    "words", [("--config", "epochs=5"), ("--configfile", "config.yaml", "config.yaml")]
)
def test_campaign_in_pieces(workspace, words):
    (line,) = refused(workspace, *words)
    assert "a campaign is one file" in line
