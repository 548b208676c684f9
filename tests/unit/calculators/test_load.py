"""Calculators by name: what is imported, what is refused, and the processor that they find."""

import pytest
import torch
from ase.calculators.emt import EMT

from mlipkd.calculators.load import accommodated, load_calculator
from mlipkd.config.functions import Calculator
from mlipkd.errors import InputError
from mlipkd.jobs.device import SUBNORMAL


def load(type, **options):
    return load_calculator("settings.yaml", Calculator(type=type, options=options))


def test_a_class_is_made_with_its_options() -> None:
    assert isinstance(load("ase.calculators.emt:EMT"), EMT)
    assert load("ase.calculators.lj:LennardJones", sigma=2.5).parameters.sigma == 2.5


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("nowhere.at.all:EMT", {}, "calculator.type: .*No module named 'nowhere'.*install"),
        ("ase.calculators.emt:EMTT", {}, "calculator.type: .* has no attribute 'EMTT'"),
        (
            "os:system",
            {"command": "touch P"},
            "calculator.type: expected a class of ASE calculators",
        ),
        ("subprocess:Popen", {"args": "P"}, "calculator.type: expected a class of ASE calculators"),
        (
            "ase.calculators.harmonic:SpringCalculator",
            {"k": 1},
            r"calculator.options: .* got \{'k': 1\} .*missing",
        ),
        ("ase.calculators.calculator:Calculator", {}, "gives an energy, got .* gives nothing"),
    ],
)
def test_what_is_no_calculator_is_refused(tmp_path, monkeypatch, path, options, message) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"^settings.yaml: .*{message}"):
        load(path, **options)
    assert not list(tmp_path.iterdir())


def test_options_that_nobody_knows_are_said(capsys) -> None:
    """ASE's calculators take any, and leave what they don't know alone."""
    load("tblite.ase:TBLite", method="GFN1-xTB", charge=1, label="x")
    assert capsys.readouterr().err == ""
    load("tblite.ase:TBLite", methd="GFN1-xTB")
    assert "tblite.ase:TBLite names no options called methd" in capsys.readouterr().err


def test_a_base_that_is_written_in_c_names_no_options(write_module, capsys) -> None:
    write_module(
        "of_c",
        "from ase.calculators.emt import EMT\n\n\n"
        "class Own(EMT, dict):\n    def __init__(self, known=1):\n        EMT.__init__(self)\n",
    )
    assert isinstance(load("of_c:Own", known=2), EMT)
    assert capsys.readouterr().err == ""


def test_a_calculator_has_subnormal_numbers() -> None:
    torch.set_flush_denormal(True)
    try:
        assert SUBNORMAL * 1 == 0
        with accommodated(EMT()):
            assert SUBNORMAL * 1 > 0
        assert SUBNORMAL * 1 == 0
    finally:
        torch.set_flush_denormal(False)
