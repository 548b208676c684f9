"""The contract of readers: what others ask of a source, whichever reader it has."""

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import TypeAdapter

import mlipkd
from mlipkd.readers import READERS, AnySource
from mlipkd.readers.source import Source

FORCES = {"force_unit": "kJ/mol/Å", "temperature": 300.0}
#: A section without its reader, and the paths that it reads: of any reader, and of those whose
#: keys are others or of which more is known.
DEFAULT = ({"files": ["a.h5"]}, ["a.h5"])
SECTIONS = {
    "aluminium-emt": ({}, []),
    "molecules-xtb": ({}, []),
    "reactions": ({}, []),
    "ani-al": ({"files": ["a.h5", "b.h5"]}, ["a.h5", "b.h5"]),
    "ani1x": ({"files": ["a.h5"], "energy": "x.energy"}, ["a.h5"]),
    "comp6": ({"files": ["a.h5"]}, ["a.h5"]),
    "openreact": ({"files": {"ts": ["a.h5"], "near": ["b.h5"]}}, ["a.h5", "b.h5"]),
    "ase": ({"files": ["a.xyz"]}, ["a.xyz"]),
    "own": ({"files": ["a.txt"], "function": "reads:read"}, ["a.txt"]),
    "trajectory": (
        {"topology": "a.tpr", "files": ["a.trr"], "temperature": 300.0, "beads": {"w": "all"}},
        ["a.tpr", "a.trr"],
    ),
    "mapped-hdf5": ({"files": ["a.h5"], "beads": ["w"], **FORCES}, ["a.h5"]),
    "mapped-numpy": (
        {"positions": "r.npy", "forces": "f.npy", "beads": {"w": 18.0}, **FORCES},
        ["r.npy", "f.npy"],
    ),
    "pooled": ({"datasets": ["a", "b"]}, ["results/a/dataset.h5", "results/b/dataset.h5"]),
}


def names() -> list[str]:
    return [get_args(reader.model_fields["reader"].annotation)[0] for reader in READERS]


def source(reader: str):
    section, _ = SECTIONS.get(reader, DEFAULT)
    return TypeAdapter(AnySource).validate_python({"reader": reader, **section})


def test_every_reader_has_a_name_of_its_own() -> None:
    assert len(set(names())) == len(names()) and set(SECTIONS) <= set(names())


@pytest.mark.parametrize("reader", names())
def test_a_source_says_what_it_is(reader) -> None:
    made = source(reader)
    assert made.paths == SECTIONS.get(reader, DEFAULT)[1]
    if reader in SECTIONS:
        assert made.has_hessians == (reader in {"openreact", "reactions"})
    assert made.computes_labels == (reader in {"aluminium-emt", "molecules-xtb", "reactions"})
    assert (made.computed > 0) == made.computes_labels
    assert made.user_function == ("reads:read" if reader == "own" else None)
    assert made.needs_simulation is None
    assert made.needs_datasets == (["a", "b"] if reader == "pooled" else [])
    assert set(made.undeclared) <= set(type(made).model_fields)
    assert type(made).read is not Source.read


def test_a_simulation_is_read_where_it_is_made() -> None:
    section = {"reader": "trajectory", "simulation": "cold", "beads": {"w": "all"}}
    made = TypeAdapter(AnySource).validate_python(section)
    assert made.needs_simulation == "cold"
    simulated = made.simulated(298.1)
    assert simulated.paths == made.paths and simulated.temperature == 298.1
    assert simulated.needs_simulation is None


@pytest.mark.parametrize(
    ("arrays", "reader"),
    [
        ({"species", "coordinates", "cell", "energy", "force"}, "ani-al"),
        ({"species", "coordinates", "energies", "forces", "hessian"}, "openreact"),
        ({"species", "coordinates", "energies", "forces"}, "comp6"),
        ({"species", "coordinates", "energies"}, "comp6"),
        ({"species", "coordinates", "energies", "hessian"}, "comp6"),
        ({"atomic_numbers", "coordinates", "wb97x_dz.energy"}, "ani1x"),
        ({"atomic_numbers", "coordinates"}, None),
    ],
)
def test_at_most_one_reader_recognises_a_layout(arrays, reader) -> None:
    guesses = {name: kind.recognise(arrays) for name, kind in zip(names(), READERS, strict=True)}
    recognised = [name for name, keys in guesses.items() if keys is not None]
    assert recognised == ([reader] if reader else [])


def test_nobody_else_asks_which_reader_a_source_has() -> None:
    package = Path(mlipkd.__file__).parent
    files = [
        *package.rglob("*.py"),
        *(package.parent / "workflow" / "rules").glob("*.smk"),
    ]
    switches = re.compile(r"\breader (==|!=|in|not in) |isinstance\(\w*source, ")
    asking = [path for path in files if switches.search(path.read_text())]
    assert [path.name for path in asking if path.parent != package / "readers"] == []
