"""Readers of the user: what they yield is the dataset, and what is wrong with it is said."""

import numpy as np
import pytest

from mlipkd.campaign.campaign import Campaign
from mlipkd.errors import InputError
from mlipkd.jobs import artefacts
from mlipkd.readers.own import OwnReader

HEAD = """\
import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator


def labelled(atoms, **labels):
    atoms.calc = SinglePointCalculator(atoms, **labels)
    return atoms


def crystal(**labels):
    return labelled(Atoms("Cu2", [[0, 0, 0], [2, 0, 0]], cell=[4, 5, 6], pbc=True), **labels)


FORCES, STRESS = np.array([[1.0, 2, 3], [-1, -2, -3]]), np.arange(6.0)


"""


@pytest.fixture
def read(write_module, tmp_path):
    """A function that reads with the body of a generator ``read(files, **options)``."""
    data = tmp_path / "data.txt"
    data.write_text("2.5\n")

    def read(body: str, **options):
        text = "".join(f"    {line}\n" for line in body.splitlines())
        write_module("own_reader", f"{HEAD}def read(files, scale=1.0):\n{text}")
        source = OwnReader(
            reader="own", function="own_reader:read", files=[str(data)], options=options
        )
        return source.read("own")

    return read


def test_labels_positions_and_groups_are_as_yielded(read) -> None:
    dataset = read(
        "energy = scale * float(open(files[0]).read())\n"
        "for name in 'ab':\n"
        "    atoms = crystal(energy=energy, forces=FORCES, stress=STRESS)\n"
        "    atoms.info['group'] = name\n"
        "    yield atoms",
        scale=2.0,
    )
    reference = dataset.labels["reference"]
    assert reference["energy"].tolist() == [5.0, 5.0]
    np.testing.assert_array_equal(reference["forces"][:2], [[1, 2, 3], [-1, -2, -3]])
    np.testing.assert_array_equal(reference["stress"][0], [[0, 5, 4], [5, 1, 3], [4, 3, 2]])
    assert dataset.groups.tolist() == [0, 1]
    assert dataset.cells[0].diagonal().tolist() == [4, 5, 6]
    assert dataset.place(1) == "own_reader:read: configuration 1"


def test_the_module_is_among_the_sources(read, tmp_path) -> None:
    dataset = read("yield crystal(energy=1.0)")
    files = [tmp_path / "data.txt", tmp_path / "modules" / "own_reader.py"]
    hashes = {str(file): artefacts.sha256(file) for file in files}
    assert dataset.provenance["source_sha256"] == hashes


def test_an_object_may_be_changed_and_yielded_again(read) -> None:
    dataset = read(
        "atoms = crystal()\n"
        "for step in range(3):\n"
        "    atoms.positions[1, 0] = 2 + step / 10\n"
        "    yield labelled(atoms, energy=float(step))"
    )
    assert dataset.positions[1::2, 0].tolist() == [2.0, 2.1, 2.2]
    assert dataset.labels["reference"]["energy"].tolist() == [0.0, 1.0, 2.0]


def test_labels_are_the_calculators_and_not_what_stands_beside_it(read) -> None:
    dataset = read(
        "atoms = crystal(energy=1.0, forces=FORCES, stress=STRESS)\n"
        "atoms.info.update(energy=27.2, stress=9 * STRESS)\n"
        "atoms.set_array('forces', 9 * FORCES)\n"
        "yield atoms"
    )
    reference = dataset.labels["reference"]
    assert reference["energy"].tolist() == [1.0]
    np.testing.assert_array_equal(reference["forces"], [[1, 2, 3], [-1, -2, -3]])
    assert reference["stress"][0, 2, 2] == 2


def test_atoms_alone_and_free_systems_need_less(read) -> None:
    """A single atom feels no force; what has no volume has no stress."""
    dataset = read(
        "yield labelled(Atoms('Cu'), energy=-1.0)\n"
        "yield labelled(Atoms('Cu2', [[0, 0, 0], [0, 0, 2]]), energy=1.0, forces=FORCES)\n"
        "yield crystal(energy=1.0, forces=FORCES, stress=STRESS)"
    )
    reference = dataset.labels["reference"]
    assert not reference["forces"][0].any()
    assert np.isnan(reference["stress"]).all((1, 2)).tolist() == [True, True, False]
    assert dataset.masked == {"stress"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("yield crystal(energy=1.0)\nyield crystal()", "configuration 1: expected energy in its"),
        (
            "yield crystal(energy=1.0)\nyield crystal(energy=1.0, forces=FORCES)",
            "configuration 0: expected forces in its calculator's results, got energy;",
        ),
        ("yield crystal(forces=FORCES)", "configuration 0: expected energy in its .* got forces;"),
        ("yield crystal(energy=1.0, forces=FORCES[:1])", "expected forces of shape"),
        (
            "a = crystal(energy=1.0)\na.info['group'] = 1\nyield a\nyield crystal(energy=1.0)",
            r'configuration 1: expected info\["group"\], as others have',
        ),
        ("yield from ()", "own: expected configurations, found none"),
        ("return None", r"own_reader.py: .*configurations of .*data.txt .*not iterable"),
        ("yield 3", "got TypeError .it yields int in the place of ase.Atoms"),
        ("yield crystal(energy=open('missing.txt'))", r"own_reader.py:\d+: .*FileNotFoundError"),
    ],
)
def test_what_is_refused(read, body, message) -> None:
    with pytest.raises(InputError, match=message):
        read(body)


def test_an_option_that_it_does_not_take_is_refused(read) -> None:
    with pytest.raises(InputError, match="unexpected keyword argument 'size'"):
        read("yield crystal(energy=1.0)", size=2)


def test_a_reader_names_its_files(content) -> None:
    source = {"reader": "own", "function": "reads:read", "files": ["a.txt", "b.txt"]}
    content["datasets"]["metal"]["source"] = source
    parsed = Campaign.model_validate(content).datasets["metal"].source
    assert isinstance(parsed, OwnReader)
    assert parsed.paths == ["a.txt", "b.txt"]
