"""The examples of the verbs' help: each runs as it stands, or is in NOT_RUN with its reason.

They run in the order of a campaign, in one folder, where each finds what those before it left.
"""

import glob
import shlex
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
import typer
import yaml
from ase import Atoms
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Hartree

from mlipkd.campaign.campaign import Campaign
from mlipkd.campaign.settings import (
    EvaluationSettings,
    dataset_settings,
    evaluation_settings,
    train_settings,
)
from mlipkd.cli.main import app
from mlipkd.config.load import parse_section
from mlipkd.config.settings import Settings
from mlipkd.datasets import file as dataset_file
from mlipkd.datasets.dataset import TEST
from mlipkd.hipnn.file import Potential, save_potential
from mlipkd.jobs import provenance
from mlipkd.testing import dataset_of
from tests.models import random_model, small_shape
from tests.springs import REST, SPECIES, spring_labels

ROOT = Path(__file__).parents[3]
COMMANDS = typer.main.get_command(app).commands
#: Those that read what others make are the last.
LAST = ("deviations", "structure", "recommended")
EVALUATE = {
    f"evaluate {name}": verb
    for name, verb in sorted(
        COMMANDS["evaluate"].commands.items(), key=lambda item: item[0] in LAST
    )
}
#: In the order of a campaign.
VERBS: dict = {}
for name, verb in COMMANDS.items():
    VERBS |= EVALUATE if name == "collect" else {}
    VERBS |= {name: verb} if name != "evaluate" else {}
NOT_RUN = {
    "fetch": "needs the network: tests/unit/readers/test_download.py",
    "fit-sizing": "needs campaigns that ran: tests/workflow/test_sizing.py",
    "simulate": "needs GROMACS: tests/gromacs",
    "slurm-check": "needs SLURM: tests/slurm/test_check.py",
}
ALUMINIUM = "aluminium-emt"
MODEL = "n1-l0-a1-w4-s4"
CAMPAIGN = {
    "recipes": {
        "plain": {
            "loss": [{"quantity": "forces", "labels": "reference", "weight": 1}],
            "optimiser": {"epochs": 1},
            "batch": {"configurations": 4},
        },
        "taught": {
            "loss": [
                {"quantity": "forces", "labels": "reference", "weight": 1},
                {"quantity": "atomic_energies", "labels": "teacher", "weight": 1},
            ],
            "optimiser": {"epochs": 1},
            "batch": {"configurations": 4},
        },
    },
    "datasets": {
        ALUMINIUM: {
            "source": {"reader": ALUMINIUM, "configurations": 24},
            "model": {
                "n_interactions": 1,
                "l_max": 0,
                "atom_layers": 1,
                "width": 4,
                "sensitivities": 4,
                "soft_min": 1.8,
                "soft_max": 4.5,
                "hard_max": 5.0,
            },
            "families": {
                "teachers": {"recipe": "plain", "seeds": 2},
                "students": {"recipe": "taught", "learns_from": "teachers", "seeds": 1},
            },
            "evaluations": {
                "parity": {},
                "comp6": {
                    "suites": {
                        "frames": {
                            "reader": "ase",
                            "files": ["clusters.extxyz"],
                            "group_key": "cluster",
                        }
                    }
                },
                "cost": {"atoms": 40, "steps": 2},
                "recommended": {"teacher": "teachers", "within": 1000},
                "stability": {
                    "molecule": "Al",
                    "molecules": 8,
                    "density": 2.0,
                    "timesteps": [1.0],
                    "runs": 1,
                    "duration": 0.002,
                },
                "liquid": {
                    "temperature": 600,
                    "density": 2.7,
                    "atoms": 108,
                    "melting": {"temperature": 700, "duration": 0.002},
                    "equilibration": 0.002,
                    "duration": 0.002,
                    "frames": 2,
                    "conservation": 0.002,
                },
                "rdf": {"teacher": "teachers", "cutoff": 5},
                "curvature": {},
                "replicas": {
                    "temperature": 600,
                    "replicas": 2,
                    "equilibration": 0.002,
                    "duration": 0.004,
                    "frames": 2,
                },
                "distributions": {
                    "rdf": {"cutoff": 4, "bin": 0.5},
                    "adf": {"cutoffs": [4]},
                    "cdf": {"bin": 0.5, "windows": 2},
                },
            },
        }
    },
}


def run(words: str) -> None:
    """Run a verb as a shell would."""
    program, *rest = shlex.split(words)
    assert program == "mlipkd"
    found = [sorted(glob.glob(word)) if "*" in word else [word] for word in rest]
    with pytest.raises(SystemExit) as ended:
        app([word for own in found for word in own])
    assert ended.value.code == 0


def train(member: str, dataset: str) -> None:
    own = [f"--{option} {member}/{file}" for option, file in FILES.items()]
    run(f"mlipkd train --dataset {dataset} {' '.join(own)}")


FILES = {
    "settings": "settings.yaml",
    "output": "model.safetensors",
    "history": "history.jsonl",
}


def write_frames() -> None:
    """Water on springs, in Hartree and with gradients."""
    rng, frames = np.random.default_rng(0), []
    for _ in range(40):
        atoms = Atoms(SPECIES, REST + rng.normal(scale=0.05, size=REST.shape))
        energy, forces = spring_labels(atoms.positions)
        atoms.calc = SinglePointCalculator(atoms, energy=energy / Hartree, forces=-forces / Hartree)
        frames.append(atoms)
    ase.io.write("frames.extxyz", frames)


def write_clusters() -> None:
    """Conformers of a cluster of four atoms, with EMT."""
    rng, frames = np.random.default_rng(1), []
    for _ in range(4):
        atoms = Atoms("Al4", 2.8 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]]))
        atoms.positions += rng.normal(scale=0.1, size=(4, 3))
        atoms.calc = EMT()
        atoms.get_forces()
        atoms.info["cluster"] = "Al4"
        frames.append(atoms)
    ase.io.write("clusters.extxyz", frames)


def second_teacher() -> None:
    train("teachers/seed1", "dataset.h5")
    run(
        "mlipkd predict --model teachers/seed1/model.safetensors --dataset dataset.h5"
        " --output teachers/seed1/predictions.h5"
    )


def student() -> None:
    train("students/seed0", "augmented.h5")


def another_dataset() -> None:
    settings = yaml.safe_load(Path("dataset.yaml").read_text()) | {"name": "hot"}
    Path("hot.yaml").write_text(yaml.safe_dump(settings))
    run("mlipkd dataset --settings hot.yaml --output hot.h5 --size hot.json")


def molecules_with_hessians() -> None:
    """Two diatomic molecules, and untrained members that say something of them."""
    pair = (np.ones(2, int), np.array([[0, 0, 0], [0, 0, 0.75]]), np.zeros((3, 3)))
    hessian = np.zeros((4, 3, 3))
    hessian[:, 2, 2] = [35, -35, -35, 35]
    dataset = dataset_of(
        [pair] * 2, energy=np.zeros(2), forces=np.zeros((4, 3)), hessian=np.tile(hessian, (2, 1, 1))
    )
    dataset.splits[:] = TEST
    dataset_file.write(replace(dataset, provenance=provenance.record()), Path("hessians.h5"))
    with dataset_file.DatasetFile(Path("hessians.h5")) as file:
        digest = file.sha256
    for seed in (0, 1):
        network = random_model(shape := small_shape(), (1,), seed).float()
        own = {"dataset": "test", "dataset_sha256": digest, "family": "molecules", "seed": seed}
        shaped = {"species": [1], "model": shape.name, "architecture": shape.model_dump()}
        path = Path(f"molecules/seed{seed}/model.safetensors")
        save_potential(Potential(network, {**provenance.record(), **own, **shaped}), path)


def distributions_of_replicas() -> None:
    run(
        "mlipkd evaluate distributions --settings distributions.yaml --output distributions.csv"
        " replicas.h5"
    )


def liquid_of_the_other() -> None:
    run(
        "mlipkd evaluate liquid --settings liquid.yaml --trajectory teachers/seed1/liquid.h5"
        " --output liquid1.csv teachers/seed1/model.safetensors"
    )


def least_energy(calculator, test):
    return {"least": (min(calculator.get_potential_energy(atoms) for atoms in test), "eV")}


def function_of_ones_own() -> None:
    own = {"own": {"energy": {"function": f"{__name__}:least_energy"}}}
    Path("own.yaml").write_text(EvaluationSettings.model_validate(own).to_yaml())


def rows_of_the_workflow() -> None:
    below = Path(f"results/{ALUMINIUM}/teachers/{MODEL}")
    below.mkdir(parents=True)
    for path in glob.glob("errors.csv*"):
        shutil.copy(path, below)


def table_of_costs() -> None:
    run("mlipkd collect --output results/tables/cost.csv cost.csv")


#: What the workflow would have made before the verb's turn comes.
BEFORE = {
    "init": write_frames,
    "transfer": another_dataset,
    "merge": second_teacher,
    "evaluate comp6": write_clusters,
    "evaluate curvature": molecules_with_hessians,
    "evaluate cost": student,
    "evaluate rdf": liquid_of_the_other,
    "evaluate deviations": distributions_of_replicas,
    "evaluate own": function_of_ones_own,
    "collect": rows_of_the_workflow,
    "summary": table_of_costs,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """With the files that a campaign starts from, and the settings that the workflow writes."""
    folder = tmp_path_factory.mktemp("campaign")
    for name in ("campaigns", "workflow"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "config.yaml").write_text(yaml.safe_dump(CAMPAIGN))
    campaign = parse_section(Campaign, CAMPAIGN, "config.yaml")
    section = campaign.datasets[ALUMINIUM]
    settings: dict[str, Settings] = {"dataset.yaml": dataset_settings(campaign, ALUMINIUM)}
    for family in section.families:
        for seed in section.seeds(family):
            own = train_settings(campaign, ALUMINIUM, family, MODEL, seed)
            settings[f"{family}/seed{seed}/settings.yaml"] = own
    for name in section.evaluations.model_fields_set:
        settings[f"{name}.yaml"] = evaluation_settings(campaign, ALUMINIUM, name)
    for path, own in settings.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(own.to_yaml())
    return folder


@pytest.fixture(autouse=True)
def as_found(folder, monkeypatch):
    """In the folder, and with the handlers of signals and the subnormal numbers that were there."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    torch.set_flush_denormal(False)


@pytest.mark.parametrize("verb", [name for name in VERBS if name not in NOT_RUN])
def test_the_example_runs(verb) -> None:
    _, _, example = VERBS[verb].help.partition("Example: ")
    BEFORE.get(verb, lambda: None)()
    run(" ".join(example.split()))


def test_what_is_not_run_is_a_verb() -> None:
    assert NOT_RUN.keys() | BEFORE.keys() <= VERBS.keys()
