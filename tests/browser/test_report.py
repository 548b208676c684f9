"""The report in a browser: all of it is shown, nothing complains, and nothing is fetched."""

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.reported import Reported

QUIET = (
    *(
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--virtual-time-budget=3000",
    ),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


class Seen(NamedTuple):
    """What a browser made of a page."""

    text: str
    """What it shows, with the content of what is closed."""
    complaints: list[str]
    """Lines of its console."""
    requests: list[str]
    """Network addresses that it requested."""


def look(chromium: str, page: Path) -> Seen:
    """Open a page, without anything from an earlier one."""
    log = page.with_suffix(".network.json")
    profile = page.with_suffix(".profile")
    words = [f"--user-data-dir={profile}", f"--log-net-log={log}", "--enable-logging=stderr"]
    done = subprocess.run(
        [chromium, *QUIET, *words, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    shown = re.sub(r"<(style|head)\b.*?</\1>", "", done.stdout, flags=re.S)
    return Seen(
        re.sub(r"<[^>]*>", " ", shown),
        [line for line in done.stderr.splitlines() if "CONSOLE" in line],
        _requests(log),
    )


def _requests(log: Path) -> list[str]:
    """The requests of pages; the browser also requests updates for itself."""
    lines = [line for line in log.read_text().splitlines() if '"initiator"' in line]
    requests = [json.loads(line.rstrip(",]"))["params"] for line in lines]
    urls = {request["url"] for request in requests if request["initiator"] != "not an origin"}
    return sorted(url for url in urls if url.startswith("http"))


@pytest.fixture
def page(tmp_path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(Reported(tmp_path).report())
    return path


def test_it_is_shown_in_silence(chromium, page) -> None:
    seen = look(chromium, page)
    for text in ("Students against controls", "4.0 ± 1.0", "What it took", "Provenance"):
        assert text in seen.text
    assert seen.complaints == []
    assert seen.requests == []
    mistaken = re.search(r"Traceback|Undefined|\bnan\b|\bNone\b|error:|\{\{", seen.text)
    assert not mistaken, mistaken


def test_what_is_fetched_and_what_complains_is_seen(chromium, tmp_path) -> None:
    """The other test can fail."""
    page = tmp_path / "bad.html"
    page.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.error('no')</script>")
    seen = look(chromium, page)
    assert any("no" in line for line in seen.complaints)
    assert seen.requests == ["http://127.0.0.1:9/x.png"]


def test_the_content_security_policy_holds(chromium, page) -> None:
    """What slipped through all else would not run, and would not be fetched."""
    text = page.read_text()
    page.write_text(text.replace("</body>", "<img src='http://127.0.0.1:9/x.png'></body>"))
    seen = look(chromium, page)
    assert seen.requests == []
    assert any("Content Security Policy" in line for line in seen.complaints)
