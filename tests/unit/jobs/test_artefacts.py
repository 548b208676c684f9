"""Artefacts: what is said of errors while one is written, and who may read it."""

import errno
import os

import pytest

from mlipkd.errors import InputError
from mlipkd.jobs.artefacts import writing


def test_an_error_of_another_file_is_not_of_the_artefact(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="other"), writing(tmp_path / "one"):
        (tmp_path / "other").read_text()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "named"), [(errno.ENOSPC, None), (errno.ENOSPC, "source"), (errno.EACCES, "own")]
)
def test_an_error_of_the_artefact_or_a_full_disk_names_the_artefact(
    tmp_path, number, named
) -> None:
    with (
        pytest.raises(InputError, match="one: could not be written"),
        writing(tmp_path / "one") as temporary,
    ):
        raise OSError(number, "refused", str(temporary) if named == "own" else named)


def test_an_artefact_may_be_read_by_whom_the_umask_allows(tmp_path, monkeypatch) -> None:
    """Also if a library has made it for its owner alone; and no thread's files change with it."""
    before = os.umask(0o027)
    try:
        monkeypatch.setattr(os, "umask", lambda _: pytest.fail("the umask of all threads was set"))
        with writing(tmp_path / "one") as temporary:
            temporary.touch(0o600)
    finally:
        monkeypatch.undo()
        os.umask(before)
    for name in ("one", "one.sha256"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o640
