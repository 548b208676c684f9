"""While Snakemake runs in a folder, another one there leaves the settings that jobs read alone."""

import pytest

SETTINGS = "results/metal/students/n1-l0-a1-w4-s2/seed1/settings.yaml"


@pytest.fixture
def locked(workspace):
    """A folder that Snakemake runs in, or ran in until it was killed."""
    workspace.planned()
    locks = workspace.folder / ".snakemake" / "locks"
    locks.mkdir(exist_ok=True)
    (locks / "0.input.lock").write_text("water.xyz\n")
    return workspace


def change(workspace) -> None:
    config = workspace.config
    config["recipes"]["first"]["batch"] = {"configurations": 8}
    workspace.config = config


@pytest.mark.parametrize("words", [[], ["--dry-run"]])
def test_another_campaign_is_refused(locked, inject, words):
    inject("workflow: another campaign in a folder that is in use", "refused")
    before = (locked.folder / SETTINGS).read_text()
    change(locked)
    done = locked.snakemake("--cores", "1", *words)
    assert done.returncode == 2
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith("results/") and "settings.yaml: expected the settings that" in line
    assert "Traceback" not in line and line.endswith("snakemake --unlock")
    assert (locked.folder / SETTINGS).read_text() == before


def test_the_same_campaign_can_be_planned(locked):
    assert locked.planned()


def test_unlocked_it_is_taken(locked):
    change(locked)
    assert locked.snakemake("--unlock").returncode == 0
    assert "configurations: 2" in (locked.folder / SETTINGS).read_text()
    assert locked.planned()
    assert "configurations: 8" in (locked.folder / SETTINGS).read_text()
