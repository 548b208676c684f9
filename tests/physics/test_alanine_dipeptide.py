"""The CGnet paper's alanine dipeptide, whose five beads feel noisy forces: from data to student."""

import csv

import numpy as np
import pytest
from typer.testing import CliRunner

from mlipkd.campaign import load_campaign
from mlipkd.campaign.settings import dataset_settings, train_settings
from mlipkd.cli.main import app
from mlipkd.datasets.file import DatasetFile

pytestmark = pytest.mark.slow

CAMPAIGN = """\
recipes:
  forces: &forces
    loss: [{quantity: forces, labels: reference, weight: 1}]
    optimiser: {learning_rate: 1.0e-2, halve_after: 3, epochs: 10}
    batch: {configurations: 20}
  both_forces:
    <<: *forces
    loss:
      - {quantity: atomic_energies, labels: teacher, weight: 5}
      - {quantity: forces, labels: teacher, weight: 1}
      - {quantity: forces, labels: reference, weight: 2}
datasets:
  ala2:
    source:
      reader: mapped-numpy
      positions: POSITIONS
      forces: FORCES
      beads: {C1: 12.011, N2: 14.007, CA2: 12.011, C2: 12.011, N3: 14.007}
      force_unit: kcal/mol/Å
      temperature: 300
    split: {test: 0.5, validation: 0.1, by: group, train: 500}
    model:
      {n_interactions: 1, l_max: 1, atom_layers: 2, width: 12, sensitivities: 12,
       soft_min: 1.1, soft_max: 9.0, hard_max: 10.0}
    families:
      teachers: {recipe: forces, seeds: 3}
      students: {recipe: both_forces, learns_from: teachers, seeds: 1}
"""


@pytest.fixture(scope="module")
def errors(shared_data, tmp_path_factory) -> dict[str, list[float]]:
    """RMSE of the forces on the test split, eV/Å: of the teachers, their ensemble, the student."""
    folder = tmp_path_factory.mktemp("ala2")
    text = CAMPAIGN
    for word, name in (("POSITIONS", "coordinates"), ("FORCES", "forces")):
        text = text.replace(word, str(shared_data / "cg" / f"ala2_{name}.npy"))
    (folder / "config.yaml").write_text(text)
    campaign = load_campaign(str(folder / "config.yaml"))
    data, augmented = folder / "dataset.h5", folder / "augmented.h5"

    def run(*words: object) -> None:
        done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert done.exit_code == 0, done.output

    def train(family: str, seed: int, on) -> tuple:
        (model,) = campaign.datasets["ala2"].models(family)
        own = folder / family / f"seed{seed}"
        own.mkdir(parents=True)
        settings = train_settings(campaign, "ala2", family, model, seed)
        (own / "settings.yaml").write_text(settings.to_yaml())
        run(
            *("train", "--settings", own / "settings.yaml", "--dataset", on, "--device", "cpu"),
            *("--output", own / "model.safetensors", "--history", own / "history.jsonl"),
        )
        return own / "model.safetensors"

    (folder / "settings.yaml").write_text(dataset_settings(campaign, "ala2").to_yaml())
    run("dataset", "--settings", folder / "settings.yaml", "--output", data)
    teachers = [train("teachers", seed, data) for seed in range(3)]
    predictions = [model.with_name("predictions.h5") for model in teachers]
    for model, labels in zip(teachers, predictions, strict=True):
        run("predict", "--dataset", data, "--output", labels, "--device", "cpu", "--model", model)
    run(
        *("merge", "--dataset", data, "--output", augmented),
        *("--manifest", folder / "manifest.json", *predictions),
    )
    found: dict[str, list[float]] = {}
    for models in (teachers, [train("students", 0, augmented)]):
        run(
            *("evaluate", "errors", "--dataset", data, "--output", folder / "errors.csv"),
            *("--device", "cpu", *models),
        )
        with open(folder / "errors.csv") as file:
            for row in csv.DictReader(file):
                if row["metric"] == "forces_rmse":
                    who = "ensemble" if row["seed"] == "ensemble" else row["family"]
                    found.setdefault(who, []).append(float(row["value"]))
    with DatasetFile(data) as file:
        test = file.read(np.flatnonzero(file.splits == 2))
        found["labels"] = [float(np.sqrt(np.mean(test.labels["reference"]["forces"] ** 2)))]
    return found


def test_mean_forces_are_learned_through_the_noise(errors) -> None:
    """Most of what is left is noise, which nothing that sees beads alone can tell."""
    assert max(errors["teachers"] + errors["students"]) < 0.8 * errors["labels"][0]


def test_the_ensemble_is_nearer_than_its_members_and_the_student_than_the_worst(errors) -> None:
    assert errors["ensemble"][0] < min(errors["teachers"])
    assert errors["students"][0] < max(errors["teachers"])
