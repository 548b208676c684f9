"""``mlipkd init``: what it says of a file, writes, asks, and refuses."""

from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Hartree

from mlipkd.campaign import load_campaign
from mlipkd.cli.data import init
from mlipkd.datasets.file import write
from mlipkd.errors import InputError
from mlipkd.testing import dataset_of
from tests.springs import REST, SPECIES, spring_labels

KINDS = ["energies and forces", "relative energies"]


@pytest.fixture(params=KINDS)
def data(request, tmp_path, monkeypatch):
    """A file of water molecules, in a folder that the verb runs in."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    frames = []
    for _ in range(60):
        atoms = Atoms(SPECIES, REST + rng.normal(scale=0.05, size=REST.shape))
        energy, forces = spring_labels(atoms.positions)
        if request.param == KINDS[0]:
            atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        else:
            atoms.info["REF_energy"] = energy + 2079
        frames.append(atoms)
    ase.io.write("my water.xyz", frames, format="extxyz")
    return tmp_path / "my water.xyz"


@pytest.fixture
def terminal(monkeypatch):
    """Whether there is a terminal, and what is typed there."""

    def answers(*typed: str) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        left = iter(typed)
        monkeypatch.setattr("typer.prompt", lambda *_: next(left))

    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    return answers


@pytest.mark.parametrize("data", KINDS[:1], indirect=True)
def test_a_campaign_is_written_that_fits_the_data(data, terminal, capsys) -> None:
    init(data)
    campaign = load_campaign("config.yaml")
    section = campaign.datasets["my-water"]
    assert section.source.files == [str(data)]
    assert (section.source.energy_unit, section.source.force_sign) == ("eV", 1)
    assert section.evaluations.recommended.by == "forces"
    taught = campaign.recipes["distilled"].loss[-1]
    assert (taught.quantity, taught.labels) == ("forces", "teacher")
    said = capsys.readouterr().out
    assert "60 in 1 groups" in said
    assert "H 120, O 60" in said
    assert "NOTHING TELLS" not in said
    assert "--configfile config.yaml" in said
    assert not list(data.parent.glob(".*")) + list(data.parent.glob("*.sha256"))


@pytest.mark.parametrize("data", KINDS[1:], indirect=True)
def test_what_nothing_tells_is_a_comment_in_a_pipe(data, terminal, capsys) -> None:
    init(data)
    campaign = load_campaign("config.yaml")
    assert campaign.datasets["my-water"].source.energy_key == "REF_energy"
    assert campaign.datasets["my-water"].evaluations.recommended.by == "energy"
    assert campaign.recipes["distilled"].loss[-1].quantity == "forces"
    assert "# energy_unit: eV   # nothing in the data tells" in Path("config.yaml").read_text()
    assert "energy_unit      eV: NOTHING TELLS" in capsys.readouterr().out


@pytest.mark.parametrize("data", KINDS[1:], indirect=True)
def test_what_nothing_tells_is_asked_at_a_terminal(data, terminal) -> None:
    terminal("kcal/mol")
    init(data)
    assert load_campaign("config.yaml").datasets["my-water"].source.energy_unit == "kcal/mol"


@pytest.mark.parametrize("data", KINDS[1:], indirect=True)
def test_an_answer_that_is_no_unit_is_refused(data, terminal) -> None:
    terminal("parsec")
    with pytest.raises(InputError, match=r"energy_unit: .*'eV'.* got 'parsec'"):
        init(data)


@pytest.mark.parametrize("data", KINDS[1:], indirect=True)
def test_what_is_stated_is_not_asked(data, terminal) -> None:
    terminal()
    init(data, energy_unit="kJ/mol")
    assert load_campaign("config.yaml").datasets["my-water"].source.energy_unit == "kJ/mol"


@pytest.mark.parametrize("data", KINDS[:1], indirect=True)
def test_a_file_that_is_there_stays_as_it_is(data, terminal, tmp_path) -> None:
    (tmp_path / "config.yaml").write_text("mine")
    with pytest.raises(InputError, match=r"config.yaml: expected no file, found one, .* --output"):
        init(data)
    assert (tmp_path / "config.yaml").read_text() == "mine"


@pytest.mark.parametrize("data", KINDS[:1], indirect=True)
def test_faults_are_told_and_nothing_is_written(data, terminal, tmp_path) -> None:
    frames = ase.io.read(data, ":")
    frames[3].positions[1] = frames[3].positions[0] + 0.1
    ase.io.write(data, frames, format="extxyz")
    with pytest.raises(InputError, match=r"my water.xyz: configuration 3: expected atoms at least"):
        init(data)
    assert not (tmp_path / "config.yaml").exists()


def test_a_dataset_of_a_campaign_is_refused(tmp_path) -> None:
    water = (SPECIES, REST, np.zeros((3, 3)))
    write(dataset_of([water], energy=np.zeros(1)), tmp_path / "dataset.h5")
    with pytest.raises(InputError, match="give the file that it was made of"):
        init(tmp_path / "dataset.h5", tmp_path / "new.yaml")


@pytest.mark.parametrize("data", KINDS[:1], indirect=True)
def test_names_of_files_are_no_yaml(data, terminal, tmp_path) -> None:
    hostile = tmp_path / "a, b] #{: 'x.xyz"
    data.rename(hostile)
    init(hostile)
    (section,) = load_campaign("config.yaml").datasets.values()
    assert section.source.files == [str(hostile)]
    assert "  a-b-x:" in Path("config.yaml").read_text()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("noise", [False, True])
def test_the_sign_of_forces_in_the_layout_of_comp6(tmp_path, terminal, capsys, sign, noise) -> None:
    """Others write true forces in it; forces that are noise are refused whatever their sign."""
    rng = np.random.default_rng(5)
    positions = REST + rng.normal(scale=0.05, size=(40, *REST.shape))
    labels = [spring_labels(own) for own in positions]
    with h5py.File(tmp_path / "data.h5", "w") as file:
        group = file.create_group("mine/water")
        group["species"] = np.array([b"O", b"H", b"H"])
        group["coordinates"] = positions
        group["energies"] = np.array([energy for energy, _ in labels]) / Hartree
        forces = np.array([forces for _, forces in labels])
        group["forces"] = sign * (rng.normal(size=forces.shape) if noise else forces) / Hartree
    if noise:
        with pytest.raises(InputError, match=r"near the forces' work, .* see whether energies and"):
            init(tmp_path / "data.h5", tmp_path / "new.yaml")
        assert "-1: NOTHING TELLS" in capsys.readouterr().out
        assert not (tmp_path / "new.yaml").exists()
        return
    init(tmp_path / "data.h5", tmp_path / "new.yaml")
    (section,) = load_campaign(str(tmp_path / "new.yaml")).datasets.values()
    assert section.source.force_sign == sign
    slope = "fall" if sign == 1 else "rise"
    assert f"force_sign       {sign}: energies {slope} along" in capsys.readouterr().out
