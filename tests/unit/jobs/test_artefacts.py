"""Artefacts: what is said of errors while one is written."""

import errno

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
