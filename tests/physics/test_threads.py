"""Nothing that one evaluation leaves behind can change another: overlapping uses, and threads."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
import torch

from mlipkd.config.load import parse_section
from mlipkd.config.settings import TrainSettings
from mlipkd.datasets.dataset import TRAIN, VALIDATION
from mlipkd.datasets.file import write
from mlipkd.hipnn.batch import Batch, Batcher
from mlipkd.hipnn.engines import ENGINES, Engine
from mlipkd.hipnn.file import Potential, load_potential
from mlipkd.hipnn.network import HIPNN
from mlipkd.hipnn.prediction import predict
from mlipkd.testing import dataset_of, random_crystal, random_molecule
from mlipkd.training.loop import TrainingJob, train
from tests.models import CPU_ENGINES, random_model, small_shape

ELEMENTS = (1, 6, 8)
SHAPE = small_shape(n_interactions=2)


@pytest.fixture(params=CPU_ENGINES)
def engine(request, monkeypatch) -> Engine:
    """The engines of this machine."""
    monkeypatch.setenv("MLIPKD_ENGINE", request.param)
    return ENGINES[request.param]


def configurations(number: int, seed: int) -> list:
    generator = np.random.default_rng(seed)
    molecules = [random_molecule(generator, 3 + m % 4, ELEMENTS) for m in range(number)]
    return [*molecules, random_crystal(generator, 4, ELEMENTS)]


@pytest.fixture
def batch() -> Batch:
    dataset = dataset_of(configurations(3, seed=1))
    batcher = Batcher(dataset, ELEMENTS, SHAPE.hard_max, torch.float64)
    return batcher.batch(torch.arange(len(dataset)))


class Step:
    """Force training in two halves: energies and pair gradient, then the weights' derivatives."""

    def __init__(self, engine: Engine, model: HIPNN, batch: Batch) -> None:
        self.weights = list(model.parameters())
        orders, gradient = engine.orders_and_gradient(model, batch, derivatives=True, training=True)
        self.loss = orders.square().sum() + engine.forces(gradient, batch).square().sum()

    def finish(self) -> list[torch.Tensor]:
        return list(torch.autograd.grad(self.loss, self.weights))


def test_evaluations_that_overlap_do_not_mix(engine, batch) -> None:
    """Also where the first begins before the second, ends before it, or never ends."""
    first, second = (random_model(SHAPE, ELEMENTS, seed) for seed in (0, 1))
    truth = [Step(engine, model, batch).finish() for model in (first, second)]
    one = Step(engine, first, batch)
    other = Step(engine, second, batch)
    inference = {"derivatives": True, "training": False}
    expected = engine.orders_and_gradient(second, batch, **inference)
    found = [one.finish(), other.finish()]
    for gradients, right in zip(found, truth, strict=True):
        assert all(torch.equal(*pair) for pair in zip(gradients, right, strict=True))
    Step(engine, first, batch)
    again = engine.orders_and_gradient(second, batch, **inference)
    assert all(torch.equal(*pair) for pair in zip(again, expected, strict=True))


def test_an_evaluation_that_fails_leaves_nothing_behind(engine, batch) -> None:
    model = random_model(SHAPE, ELEMENTS, 0)
    truth = Step(engine, model, batch).finish()
    broken = random_model(small_shape(), ELEMENTS, 0)
    broken.w = torch.nn.Parameter(broken.w[..., 1:])
    with pytest.raises(RuntimeError):
        Step(engine, broken, batch)
    found = Step(engine, model, batch).finish()
    assert all(torch.equal(*pair) for pair in zip(found, truth, strict=True))


def settings(seed: int) -> TrainSettings:
    term = {"labels": "reference", "weight": 1}
    content = {
        "dataset": "test",
        "family": "teachers",
        "seed": seed,
        "architecture": SHAPE.model_dump(),
        "recipe": {
            "loss": [term | {"quantity": name} for name in ("energy", "forces")],
            "batch": {"configurations": 4},
            "optimiser": {"learning_rate": 0.01, "epochs": 8, "halve_after": 9, "stop_after": 9},
        },
        "split": {},
    }
    return parse_section(TrainSettings, content, "test")


def test_threads_that_train_and_predict_at_once_give_the_same_bits(engine, tmp_path) -> None:
    """Two that train and two that predict, at once, as one after the other."""
    structures = configurations(20, seed=2)
    potential = Potential(random_model(SHAPE, ELEMENTS, 5).requires_grad_(False), {})
    labels = predict(potential, dataset_of(structures), ("energy", "forces"))
    dataset = dataset_of(structures, **labels)
    dataset.splits[:] = np.resize([TRAIN, TRAIN, VALIDATION], len(dataset))
    write(dataset, tmp_path / "dataset.h5")

    def trained(seed: int, folder: Path) -> dict[str, np.ndarray]:
        job = TrainingJob(settings(seed), folder / f"{seed}.safetensors", folder / f"{seed}.jsonl")
        train([job], tmp_path / "dataset.h5")
        state = load_potential(job.output).model.state_dict()
        return {name: weights.numpy() for name, weights in state.items()}

    def predicted() -> dict[str, np.ndarray]:
        for _ in range(20):
            results = predict(potential, dataset)
        return results

    def work(folder: Path, start=lambda: None) -> list:
        tasks = [lambda: trained(0, folder), lambda: trained(1, folder), predicted, predicted]
        return [lambda task=task: (start(), task())[1] for task in tasks]

    expected = [task() for task in work(tmp_path / "in turn")]
    barrier = Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(task) for task in work(tmp_path / "at once", barrier.wait)]
        found = [task.result() for task in running]
    for arrays, right in zip(found, expected, strict=True):
        assert all(np.array_equal(arrays[name], right[name], equal_nan=True) for name in right)
