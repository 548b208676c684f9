"""Evaluations of one's own: whom they are asked of, what they are given, what they may return."""

import json
from dataclasses import replace

import pytest
import torch
from ase.build import bulk
from ase.calculators.emt import EMT

from mlipkd.config.functions import OwnFunction
from mlipkd.datasets import file as dataset_file
from mlipkd.datasets.dataset import TEST
from mlipkd.deploy.ase import MLIPKD
from mlipkd.errors import InputError
from mlipkd.evaluation.core.ensembles import load_ensembles
from mlipkd.evaluation.core.evaluation import Job
from mlipkd.evaluation.core.rows import history_file, read_rows
from mlipkd.evaluation.own import evaluate_own, run
from mlipkd.jobs import provenance
from mlipkd.testing import dataset_of

ENERGY = """\
def f(calculator, test, scale=1.0):
    (atoms,) = test
    reference = atoms.get_potential_energy()  # of its SinglePointCalculator
    atoms.calc = calculator
    return {
        "energy": (scale * atoms.get_potential_energy(), "eV"),
        "reference": (reference, "eV"),
    }
"""


@pytest.fixture
def evaluate(tmp_path, write_module):
    """A function that asks members about aluminium, one crystal of which is tested on."""
    crystals = [bulk("Al", a=a, cubic=True) for a in (3.9, 4.1)]
    dataset = dataset_of(
        [(atoms.numbers, atoms.positions, atoms.cell.array) for atoms in crystals],
        energy=torch.tensor([7.0, 8.0]).numpy(),
    )
    dataset.splits[1] = TEST
    dataset = replace(dataset, provenance=provenance.record())
    dataset_file.write(dataset, tmp_path / "dataset.h5")

    def evaluate(text, *members, **options):
        write_module("own_evaluation", text)
        own = OwnFunction(function="own_evaluation:f", options=options)
        ensembles, _ = load_ensembles(members, torch.device("cpu"))
        with dataset_file.DatasetFile(tmp_path / "dataset.h5") as file:
            return evaluate_own(file, ensembles, "bulk", own)

    evaluate.tested = crystals[1]
    return evaluate


def test_a_function_may_count_on_subnormal_numbers(evaluate, write_model) -> None:
    torch.set_flush_denormal(True)
    try:
        # Not of constants, which Python multiplies when it imports the function.
        text = "def f(calculator, test):\n    return {'x': (1e308 * float('2e-309'), '1')}\n"
        (row,) = evaluate(text, write_model("0.safetensors", seed=0))
    finally:
        torch.set_flush_denormal(False)
    assert row.value == pytest.approx(0.2)


def test_each_member_and_their_mean_are_asked(evaluate, write_model) -> None:
    members = [write_model(f"{seed}.safetensors", seed=seed) for seed in (0, 1)]
    rows = evaluate(ENERGY, *members, scale=2.0)
    found = {(row.seed, row.metric): row for row in rows}
    assert {row.subset for row in rows} == {"bulk"}
    assert {row[:3] for row in rows} == {("test", "teachers", found[0, "energy"].model)}
    for seed, model in ((0, members[0]), (1, members[1]), ("ensemble", members)):
        atoms = evaluate.tested.copy()
        atoms.calc = MLIPKD(model)
        wanted = 2 * atoms.get_potential_energy()
        assert found[seed, "energy"].value == pytest.approx(wanted, rel=1e-6)
        assert found[seed, "energy"].unit == "eV"
        assert found[seed, "reference"].value == 8.0  # whatever was done to it before
    assert len(rows) == 6


def test_a_calculator_is_asked_itself(evaluate, write_calculator) -> None:
    energy, reference = evaluate(ENERGY, write_calculator())
    atoms = evaluate.tested.copy()
    atoms.calc = EMT()
    assert energy.value == pytest.approx(atoms.get_potential_energy())
    assert (energy.family, energy.model, energy.seed) == ("oracle", "calculator", 0)
    assert reference.value == 8.0


@pytest.mark.parametrize(
    "answer",
    [
        "None",
        "{}",
        "3.0",
        "{'a': 3.0}",
        "{'a': (float('nan'), 'eV')}",
        "{'a': ('high', 'eV')}",
        "{'a': (1.0, None)}",
        "{'a|b': (1.0, 'eV')}",
        "{3: (1.0, 'eV')}",
    ],
)
def test_what_is_no_answer_is_refused(evaluate, write_calculator, answer) -> None:
    text = f"def f(calculator, test):\n    return {answer}\n"
    message = r"^own_evaluation:f of oracle/calculator seed 0: expected {metric: \(value, unit\)}"
    with pytest.raises(InputError, match=message):
        evaluate(text, write_calculator())


def test_a_failure_names_the_member_and_the_line(evaluate, write_calculator) -> None:
    text = "def f(calculator, test):\n    raise ValueError('no minimum')\n"
    message = r"own_evaluation.py:2: expected bulk of oracle/calculator seed 0 .*\(no minimum\)"
    with pytest.raises(InputError, match=message):
        evaluate(text, write_calculator())


def test_settings_may_name_several(evaluate, write_module, write_model, tmp_path) -> None:
    """One after the other; a module that holds several is a source once."""
    write_module("several_evaluations", ENERGY.replace("def f", "def g") + ENERGY)
    own = {name: OwnFunction(function=f"several_evaluations:{name}") for name in ("f", "g")}
    files = {
        "models": [write_model("0.safetensors", seed=0)],
        "dataset": [tmp_path / "dataset.h5"],
    }
    run(Job(files, tmp_path / "own.csv", own))
    rows, _ = read_rows(tmp_path / "own.csv")
    assert [row.subset for row in rows] == ["f", "f", "g", "g"]
    history = json.loads(history_file(tmp_path / "own.csv").read_text())
    sources = [source["file"] for source in history["sources"]]
    assert sum(file.endswith("several_evaluations.py") for file in sources) == 1
