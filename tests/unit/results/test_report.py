"""The report: all of a campaign on a page that needs nothing else, and nothing that it should not
show."""

import base64
import re
from html import unescape

import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import write_rows
from mlipkd.jobs import artefacts
from tests.reported import NOTE, Reported, rows


@pytest.fixture
def reported(tmp_path) -> Reported:
    return Reported(tmp_path)


def texts(html: str) -> list[str]:
    """The cells of all tables."""
    return [unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", html)]


def test_figures_tables_and_provenance_stand_on_it(reported) -> None:
    html = reported.report()
    (address,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', html)
    assert base64.b64decode(address) == reported.figure.read_bytes()
    assert "A dot is a member, a bar the mean over members" in html
    assert "<summary>Table: errors</summary>" in html
    cells = texts(html)
    assert "4.0 ± 1.0" in cells
    for path in (reported.table, reported.figure):
        assert f"<code>{artefacts.verify(path)}</code>" in cells
    assert artefacts.sha256(reported.campaign) in html
    assert unescape(re.search(r"<pre>(.*?)</pre>", html, re.S)[1]) == reported.campaign.read_text()
    assert "0, 2–3" not in cells
    assert {"0–1, 4", "reference: forces × 1; teacher: forces × 10 → 2"} <= set(cells)


def test_nothing_of_a_table_becomes_an_element(reported) -> None:
    html = reported.report()
    assert "<script" not in html
    assert NOTE in unescape(html)


def test_nothing_is_fetched(reported) -> None:
    html = reported.report()
    addresses = re.findall(r"""(?:src|href|url|action|data)\s*[=(]\s*["']?([^"'\s>)]+)""", html)
    assert addresses
    assert all(address.startswith(("#", "data:image/svg+xml;base64,")) for address in addresses)
    assert "default-src 'none'" in html


def test_links_of_the_contents_lead_somewhere(reported) -> None:
    html = reported.report()
    places = re.findall(r'\bid="([^"]*)"', html)
    assert len(places) == len(set(places))
    assert set(re.findall(r'href="#([^"]*)"', html)) <= set(places)


def test_standard_errors_are_said_to_be_of_seeds_alone(reported) -> None:
    html = " ".join(reported.report().split())
    assert (
        "The standard error is of the spread of seeds alone: students share their teachers" in html
    )


def test_where_nobody_is_recommended_the_page_says_so(reported) -> None:
    assert "No student is recommended" in reported.report()


def test_damage_is_refused(reported) -> None:
    reported.figure.write_text(reported.figure.read_text() + " ")
    with pytest.raises(InputError, match=r"errors\.svg: expected SHA-256"):
        reported.report()


@pytest.mark.parametrize(("name", "kind"), [("figure", "figures"), ("table", "table")])
def test_what_no_evaluation_declares_is_refused(reported, name, kind) -> None:
    file = getattr(reported, name)
    other = file.with_stem("novel")
    with artefacts.writing(other) as temporary:
        temporary.write_bytes(file.read_bytes())
    setattr(reported, name, other)
    with pytest.raises(InputError, match=rf"novel\.\w+: expected .*{kind}"):
        reported.report()


def test_tables_stand_below_the_heading_of_their_evaluation(reported) -> None:
    reported.table = reported.table.with_stem("own")
    write_rows(reported.table, rows(), [])
    html = reported.report()
    headings = re.findall(r'<h3 id="metal/\d+">(.*?)</h3>', html)
    assert headings == ["Recommendation", "Errors on the test split", "Own evaluations"]
    assert html.index("Own evaluations</h3>") < html.index("<summary>Table: own</summary>")
