"""Code: what a checkpoint and a campaign's jobs are told apart by."""

from pathlib import Path

import pytest

from mlipkd.jobs import provenance


@pytest.mark.parametrize("name", ["loop.py", "pairs.h", "messages.cpp"])
def test_code_is_of_modules_and_kernels(tmp_path, monkeypatch, name) -> None:
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    code = provenance.code.__wrapped__
    (tmp_path / "kernels").mkdir()
    found = [code()]
    for text in ("one", "two"):
        (tmp_path / "kernels" / name).write_text(text)
        found.append(code())
    (tmp_path / "kernels" / f"{name}.so").write_text("a build of it")
    assert len(set(found)) == 3 and code() == found[-1]


def test_code_is_of_the_whole_package() -> None:
    root = Path(__file__).parents[3]
    assert (root / "mlipkd").resolve() == provenance.PACKAGE
    assert (provenance.commit() == "installed") == (not (root / ".git").exists())
