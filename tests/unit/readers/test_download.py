"""Downloads: a file of the web is kept if it has the hash that it should have, and else removed."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import ValidationError

from mlipkd.campaign.sections import Download
from mlipkd.errors import InputError
from mlipkd.jobs import artefacts
from mlipkd.readers.download import fetch

CONTENT = b"energies"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def site(tmp_path):
    """The address of a server that has one file."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "data.h5").write_bytes(CONTENT)
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "site")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_file_that_was_meant_is_kept(site, tmp_path) -> None:
    output = tmp_path / "downloads" / "mine.h5"
    fetch(f"{site}/data.h5", DIGEST, output)
    assert output.read_bytes() == CONTENT
    assert artefacts.verify(output) == DIGEST
    assert len(list(output.parent.iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "digest", "message"),
    [
        ("data.h5", DIGEST[::-1], "got another file"),
        ("none.h5", DIGEST, "got an error .*404"),
    ],
)
def test_nothing_is_left_of_another(site, tmp_path, name, digest, message) -> None:
    output = tmp_path / "downloads" / "mine.h5"
    with pytest.raises(InputError, match=message):
        fetch(f"{site}/{name}", digest, output)
    assert not any(output.parent.iterdir())


def test_a_server_that_does_not_answer(tmp_path) -> None:
    with pytest.raises(InputError, match="check the address and the network"):
        fetch("http://127.0.0.1:9/data.h5", DIGEST, tmp_path / "mine.h5")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "https://a b", "https://a/';touch P"])
def test_addresses_are_of_the_web(url) -> None:
    with pytest.raises(ValidationError, match="url"):
        Download(url=url, sha256=DIGEST)


@pytest.mark.parametrize("url", ["example.org/data.h5", "/etc/hostname"])
def test_an_address_without_its_scheme_is_named(tmp_path, url) -> None:
    with pytest.raises(InputError, match="expected an address that starts with http"):
        fetch(url, DIGEST, tmp_path / "mine.h5")
