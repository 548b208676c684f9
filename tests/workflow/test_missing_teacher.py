"""A teacher that could not be trained: its ensemble waits for it, and is then whole."""

from tests.workflow.workspace import STAND_IN

TEACHERS = "results/water/teachers/n1-l0-a1-w4-s2"


def test_merge_waits_for_every_teacher(workspace, inject) -> None:
    verb = workspace.folder / "bin" / "mlipkd"
    broken = 'case "$*" in train*water/teachers/*/seed1/*) exit 2 ;; esac\n'
    verb.write_text(STAND_IN.replace("set -eu\n", "set -eu\n" + broken))
    inject("teachers: one missing, waited for", "recovered")
    assert workspace.snakemake("--cores", "2", "--keep-going").returncode != 0
    ran = workspace.commands
    assert any(line.startswith("merge") and "metal" in line for line in ran)
    assert any(line.startswith("predict") and "water/teachers" in line for line in ran)
    assert not any(line.startswith("merge") and "water" in line for line in ran)
    assert not any(line.startswith("train") and "water/students" in line for line in ran)

    verb.write_text(STAND_IN)
    assert workspace.snakemake("--cores", "2").returncode == 0
    (merged,) = [
        line for line in workspace.commands if "water/teachers" in line and "merge" in line
    ]
    assert "seed0/predictions.h5" in merged and "seed1/predictions.h5" in merged
    assert workspace.planned() == set()
