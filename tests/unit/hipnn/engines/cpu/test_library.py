"""Builds of the kernels: called only if they are of the sources that are installed."""

import pytest

from mlipkd.errors import InputError
from mlipkd.hipnn.engines.cpu import library, sources


@pytest.fixture
def load():
    """Loads the build anew, as a process does that starts."""
    if library.library() is None:
        pytest.skip("needs compiled kernels")
    return library.library.__wrapped__


def test_a_build_knows_what_it_was_compiled_from(load) -> None:
    assert load().sources().decode() == sources.digest()


def test_a_build_of_other_sources_is_refused(load, monkeypatch) -> None:
    monkeypatch.setattr(library, "digest", lambda: "0" * 64)
    with pytest.raises(InputError, match="got one of others; install again"):
        load()


def test_a_build_that_does_not_say_is_refused(load, monkeypatch) -> None:
    """As those before there was a digest."""
    monkeypatch.setattr(library.ctypes, "CDLL", lambda path: object())
    with pytest.raises(InputError, match="install again"):
        load()


def test_without_sources_nothing_is_compared(load, monkeypatch) -> None:
    monkeypatch.setattr(library, "digest", lambda: None)
    assert load() is not None


@pytest.mark.parametrize("name", ["new.h", "pairs.h", "messages.cpp"])
def test_the_digest_is_of_all_sources(tmp_path, monkeypatch, name) -> None:
    for file in ("pairs.h", "messages.cpp", "engine.py"):
        (tmp_path / file).write_text("int n = 1;")
    monkeypatch.setattr(sources, "__file__", str(tmp_path / "sources.py"))
    before = sources.digest()
    (tmp_path / "engine.py").write_text("n = 2")
    assert sources.digest() == before
    (tmp_path / name).write_text("int n = 2;")
    assert sources.digest() != before
    for file in tmp_path.iterdir():
        file.unlink()
    assert sources.digest() is None
