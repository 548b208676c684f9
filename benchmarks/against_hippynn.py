"""Ours and hippynn 0.1.3 trained in turns: does the same recipe give the same quality?

Same dataset file, split, architecture, loss, optimiser, schedule, epochs and number of seeds; each
package initialises and shuffles in its own way. For each seed the two train one after the other in
one process, so that the ratio of their times means something. hippynn runs as its documentation
advises: pairs found once, the faster of its CPU kernels (plain PyTorch).

    python -m benchmarks.against_hippynn DATASET docs/against_hippynn.json
"""

import os

os.environ["HIPPYNN_USE_CUSTOM_KERNELS"] = "_pytorch_raw"

import contextlib
import io
import json
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.hippynn_twin import arrays, filled_up, hippynn_network
from mlipkd.config.load import parse_section
from mlipkd.config.settings import TrainSettings
from mlipkd.datasets.dataset import TEST, TRAIN, UNUSED, VALIDATION, Dataset
from mlipkd.datasets.file import DatasetFile, write
from mlipkd.hipnn.file import load_potential
from mlipkd.hipnn.prediction import predict
from mlipkd.jobs import provenance
from mlipkd.jobs.device import choose_device
from mlipkd.training.loop import TrainingJob, train

BATCH, EPOCHS, HALVE_AFTER, STOP_AFTER = 8, 40, 30, 50
LEARNING_RATE, L2, HIERARCHICALITY, FORCES = 1e-3, 1e-6, 0.01, 10.0


def member_settings(dataset: str, seed: int, epochs: int) -> TrainSettings:
    """The KD-Al teacher's recipe on a small model."""
    content = {
        "dataset": dataset,
        "family": "ours",
        "seed": seed,
        "split": {},
        "architecture": {
            "n_interactions": 1,
            "l_max": 1,
            "atom_layers": 2,
            "width": 24,
            "sensitivities": 12,
            "soft_min": 1.5,
            "soft_max": 5.0,
            "hard_max": 5.5,
        },
        "recipe": {
            "loss": [
                {"quantity": "energy", "labels": "reference", "weight": 1},
                {"quantity": "forces", "labels": "reference", "weight": FORCES},
            ],
            "regularisation": {"l2": L2, "hierarchicality": HIERARCHICALITY},
            "optimiser": {
                "learning_rate": LEARNING_RATE,
                "halve_after": HALVE_AFTER,
                "stop_after": STOP_AFTER,
                "epochs": epochs,
            },
            "batch": {"configurations": BATCH},
        },
    }
    return parse_section(TrainSettings, content, "benchmark")


def train_ours(
    settings: TrainSettings, path: Path, test: Dataset
) -> tuple[dict[str, float], float]:
    """Test errors and seconds of training."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "model.safetensors"
        began = time.perf_counter()
        train(
            [TrainingJob(settings, output, Path(folder) / "history.jsonl")],
            path,
            checkpoint_every=1e9,
        )
        seconds = time.perf_counter() - began
        predicted = predict(load_potential(output), test, ("energy", "forces"))
    return test_errors(predicted["energy"], predicted["forces"], test), seconds


def train_hippynn(
    settings: TrainSettings, dataset: Dataset, test: Dataset
) -> tuple[dict[str, float], float]:
    """Test errors and seconds of training of hippynn."""
    from hippynn.databases import Database
    from hippynn.experiment import assemble_for_training, setup_training, train_model
    from hippynn.experiment.assembly import precompute_pairs
    from hippynn.experiment.controllers import PatienceController
    from hippynn.experiment.routines import SetupParams
    from hippynn.graphs import Predictor, inputs, loss, physics, targets
    from hippynn.pretraining import hierarchical_energy_initialization

    torch.manual_seed(settings.seed)
    optimiser = settings.recipe.optimiser
    Z = inputs.SpeciesNode(db_name="Z")
    R, C = inputs.PositionsNode(db_name="R"), inputs.CellNode(db_name="C")
    species = sorted({int(z) for z in dataset.species})
    network = hippynn_network(settings.architecture, species, (Z, R, C))
    atomic = targets.HEnergyNode("energy", network)
    energy, force = (
        atomic.mol_energy,
        physics.GradientNode("force", (atomic.mol_energy, R), sign=-1),
    )
    energy.db_name, force.db_name = "E", "F"

    def err(node):
        return loss.MSELoss.of_node(node) ** (1 / 2) + loss.MAELoss.of_node(node)

    hierarchicality = loss.Mean.of_node(physics.PerAtom("rbar", atomic.hierarchicality))
    target = err(energy) + FORCES * err(force)
    total = target + L2 * loss.l2reg(network) + HIERARCHICALITY * hierarchicality
    validation = {"Target": target, "Loss": total}

    database = Database(
        arr_dict=labelled(dataset),
        inputs=["Z", "R", "C"],
        targets=["E", "F"],
        seed=settings.seed,
        quiet=True,
    )
    for name, split in (("train", TRAIN), ("valid", VALIDATION), ("test", TEST)):
        chosen = torch.from_numpy(np.flatnonzero(dataset.splits == split))
        database.make_explicit_split(name, chosen)

    began = time.perf_counter()
    modules, _ = assemble_for_training(total, validation)
    precompute_pairs(modules.model, database, n_images=4)
    modules, info = assemble_for_training(total, validation)
    database.inputs, database.targets = info["inputs"], info["targets"]
    hierarchical_energy_initialization(atomic, database, energy_name="E", species_name="Z")
    adam = torch.optim.Adam(modules.model.parameters(), lr=optimiser.learning_rate)
    controller = PatienceController(
        optimizer=adam,
        scheduler=torch.optim.lr_scheduler.ReduceLROnPlateau(
            adam, factor=0.5, patience=optimiser.halve_after, threshold=0
        ),
        batch_size=BATCH,
        eval_batch_size=BATCH,
        max_epochs=optimiser.epochs,
        termination_patience=optimiser.stop_after,
        stopping_key="Target",
        fraction_train_eval=0.1,
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        parameters = SetupParams(controller=controller, device="cpu")
        modules, controller, metrics = setup_training(modules, setup_params=parameters)
        train_model(
            modules, database, controller, metrics, callbacks=None, batch_callbacks=None, quiet=True
        )
    seconds = time.perf_counter() - began

    predictor = Predictor.from_graph(modules.model, additional_outputs=[energy, force])
    split = database.splits["test"]
    outputs = [  # index_select, because cached pairs are a sparse tensor
        predictor(**{name: split[name].index_select(0, rows) for name in info["inputs"]})
        for rows in torch.arange(len(split["Z"])).split(BATCH)
    ]
    real = split["Z"].bool()
    order = split["indices"].numpy()  # both are in ascending order of the file
    assert (np.diff(order) > 0).all()
    E = torch.cat([output[energy] for output in outputs])[:, 0].numpy()
    F = torch.cat([output[force] for output in outputs])[real].numpy()
    return test_errors(E + energy_per_atom(dataset) * test.sizes, F, test), seconds


def energy_per_atom(dataset: Dataset) -> float:
    """Mean energy per atom, taken off for hippynn, whose float32 has no room for total energies."""
    return float((dataset.labels["reference"]["energy"] / dataset.sizes).mean())


def labelled(dataset: Dataset) -> dict[str, np.ndarray]:
    """The dataset as hippynn's arrays, with its labels."""
    labels = dataset.labels["reference"]
    energies = labels["energy"] - energy_per_atom(dataset) * dataset.sizes
    return arrays(dataset, np.float32) | {
        "F": filled_up(dataset, labels["forces"], np.float32),
        "E": energies.astype(np.float32)[:, None],
        "indices": np.arange(len(dataset)),
    }


def test_errors(energy: np.ndarray, forces: np.ndarray, test: Dataset) -> dict[str, float]:
    """RMSE of energies per atom (meV) and of forces (meV/Å)."""
    reference = test.labels["reference"]
    per_atom = (energy - reference["energy"]) / test.sizes
    return {
        "energy_per_atom_rmse_meV": 1e3 * float(np.sqrt(np.mean(per_atom**2))),
        "forces_rmse_meV_A": 1e3 * float(np.sqrt(np.mean((forces - reference["forces"]) ** 2))),
    }


def main(
    dataset: Path,
    output: Path,
    seeds: int = 4,
    epochs: int = EPOCHS,
    largest: Annotated[int, typer.Option(help="Leave out configurations of more atoms.")] = 64,
) -> None:
    """Run the comparison and write its numbers."""
    choose_device("cpu", threads=1)
    with DatasetFile(dataset) as file:
        whole = file.read()
    small = whole.select(np.flatnonzero(whole.sizes <= largest))
    small.splits[small.splits == UNUSED] = TRAIN  # what the campaign spares is trained on here
    small_path = Path(tempfile.mkdtemp()) / "dataset.h5"
    write(small, small_path)
    test = small.select(np.flatnonzero(small.splits == TEST))
    rows = []
    for seed in range(seeds):
        member = member_settings(small.name, seed, epochs)
        ours, our_seconds = train_ours(member, small_path, test)
        with contextlib.redirect_stdout(io.StringIO()):
            hippynn, hippynn_seconds = train_hippynn(member, small, test)
        rows.append(
            {
                "seed": seed,
                "ours": ours,
                "hippynn": hippynn,
                "training_time_ratio": hippynn_seconds / our_seconds,
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    errors = {
        name: [row[name]["forces_rmse_meV_A"] for row in rows] for name in ("ours", "hippynn")
    }
    record = provenance.record(
        dataset=small.name,
        configurations={
            name: int((small.splits == split).sum())
            for name, split in (("train", TRAIN), ("validation", VALIDATION), ("test", TEST))
        },
        settings=member.model_dump(mode="json"),
        rows=rows,
        forces_rmse_meV_A={
            name: {"mean": float(np.mean(values)), "std": float(np.std(values, ddof=1))}
            for name, values in errors.items()
        },
    )
    output.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    typer.run(main)
