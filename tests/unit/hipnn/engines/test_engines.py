"""Which engine runs."""

import pytest

from mlipkd.errors import InputError
from mlipkd.hipnn.engines import ENGINES, engine_name
from tests.models import CPU_ENGINES


def test_the_fastest_engine_runs_unless_another_is_named(monkeypatch) -> None:
    monkeypatch.delenv("MLIPKD_ENGINE", raising=False)
    assert engine_name("cpu") == CPU_ENGINES[-1]
    for name in CPU_ENGINES:
        monkeypatch.setenv("MLIPKD_ENGINE", name)
        assert engine_name("cpu") == name and name in ENGINES


def test_an_engine_that_is_not_there_is_refused(monkeypatch) -> None:
    for name in ("steam", "triton"):
        monkeypatch.setenv("MLIPKD_ENGINE", name)
        message = rf"MLIPKD_ENGINE: expected one of reference.*got '{name}'"
        with pytest.raises(InputError, match=message):
            engine_name("cpu")
