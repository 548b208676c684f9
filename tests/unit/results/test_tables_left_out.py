"""Members that merge left out: what of them a reader is told."""

import json

import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import write_rows
from mlipkd.jobs import artefacts
from mlipkd.results.report import report
from mlipkd.results.tables import left_out, summary
from tests.reported import Reported, rows

NOTE = (
    "metal: teachers/m seed 3: left out of what students learn (forces is 20 times the others';"
    " energy is not finite); the row ensemble holds it"
)


@pytest.fixture
def manifest(tmp_path):
    members = [
        {"seed": 0, "kept": True, "left_out_because": []},
        {
            "seed": 3,
            "kept": False,
            "left_out_because": ["forces is 20 times the others'", "energy is not finite"],
        },
    ]
    manifest = {"dataset": "metal", "family": "teachers", "model": "m", "members": members}
    artefacts.write_text(tmp_path / "manifest.json", json.dumps(manifest))
    return tmp_path / "manifest.json"


def test_a_note_for_each_that_is_left_out(manifest) -> None:
    assert list(left_out([manifest])) == [NOTE]


def test_a_damaged_manifest_is_refused(manifest) -> None:
    manifest.write_text(manifest.read_text().replace("false", "true"))
    with pytest.raises(InputError, match=r"manifest\.json: expected SHA-256"):
        list(left_out([manifest]))


def test_summary_and_report_have_it(manifest, tmp_path) -> None:
    write_rows(tmp_path / "errors.csv", rows(), [])
    assert f"Note: {NOTE}.\n" in summary([tmp_path / "errors.csv"], [manifest])
    (tmp_path / "campaign").mkdir()
    campaign = Reported(tmp_path / "campaign")
    files = [campaign.table], [campaign.figure], campaign.folder / "logs"
    html = report(campaign.campaign, *files, [manifest])
    assert f"<li>{NOTE}</li>".replace("'", "&#39;") in html
