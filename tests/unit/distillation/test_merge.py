"""Merging predictions: labels, manifest, members left out, members refused."""

import functools
import json

import numpy as np
import pytest

from mlipkd.datasets import file as dataset_file
from mlipkd.datasets.dataset import TEST, TRAIN, memory_batches
from mlipkd.distillation.merge import merge
from mlipkd.errors import InputError
from mlipkd.testing import dataset_of, random_molecule

SIZES = [4, 7, 5, 9, 6, 8]
ATOMS = sum(SIZES)


@pytest.fixture
def dataset(tmp_path):
    generator = np.random.default_rng(1)
    made = dataset_of(
        [random_molecule(generator, size) for size in SIZES],
        energy=generator.normal(size=len(SIZES)),
        forces=generator.normal(size=(ATOMS, 3)),
    )
    made.splits[:] = [TRAIN, TEST, TRAIN, TRAIN, TEST, TRAIN]
    path = tmp_path / "dataset.h5"
    dataset_file.write(made, path)
    return path


@pytest.fixture
def ensemble(dataset, write_predictions):
    """A function that writes the predictions of members whose errors have the given sizes."""

    def write(*sizes: float):
        generator = np.random.default_rng(2)
        values = [
            {
                "energy": -1000.0 + size * generator.normal(size=len(SIZES)),
                "forces": size * generator.normal(size=(ATOMS, 3)),
                "atomic_energies": -5.0 + size * generator.normal(size=ATOMS),
            }
            for size in sizes
        ]
        paths = [
            write_predictions(f"predictions{seed}.h5", dataset, given, seed)
            for seed, given in enumerate(values)
        ]
        return paths, values

    return write


@pytest.fixture
def run(dataset, tmp_path):
    """A function that merges and returns the augmented dataset and the manifest."""

    def merged(paths):
        output, manifest = tmp_path / "augmented.h5", tmp_path / "manifest.json"
        merge(dataset, paths, output, manifest)
        return dataset_file.read(output), json.loads(manifest.read_text())

    return merged


@pytest.mark.parametrize("atoms", [10, 10_000])
def test_labels_are_mean_and_spread(dataset, ensemble, run, monkeypatch, atoms) -> None:
    monkeypatch.setattr(
        "mlipkd.distillation.predictions.memory_batches",
        functools.partial(memory_batches, atoms=atoms),
    )
    paths, values = ensemble(1, 1, 1, 1)
    augmented, manifest = run(paths)
    for quantity in values[0]:
        members = np.stack([given[quantity] for given in values])
        teacher, spread = augmented.labels["teacher"], augmented.labels["teacher_spread"]
        np.testing.assert_allclose(teacher[quantity], members.mean(0), rtol=1e-12)
        np.testing.assert_allclose(spread[quantity], members.std(0, ddof=1), rtol=1e-9)
    assert [member["kept"] for member in manifest["members"]] == [True] * 4


def test_the_dataset_is_kept(dataset, ensemble, run) -> None:
    before = dataset_file.read(dataset)
    augmented, manifest = run(ensemble(1, 1)[0])
    for name in ("species", "positions", "offsets", "cells", "periodic", "groups", "splits"):
        np.testing.assert_array_equal(getattr(augmented, name), getattr(before, name))
    for quantity, values in before.labels["reference"].items():
        np.testing.assert_array_equal(augmented.labels["reference"][quantity], values)
    teacher = augmented.provenance["teacher"]
    assert (teacher["family"], teacher["model"], teacher["seeds"]) == ("teachers", "m", [0, 1])
    assert teacher["augmented_dataset_sha256"] == manifest["dataset_sha256"]


def test_a_broken_member_is_left_out(ensemble, run, inject) -> None:
    inject("teachers: one diverged, left out", "recovered")
    paths, values = ensemble(1, 1, 1, 20, 1, 1, 1, 1)
    augmented, manifest = run(paths)
    members = [given["forces"] for seed, given in enumerate(values) if seed != 3]
    np.testing.assert_allclose(augmented.labels["teacher"]["forces"], np.mean(members, 0))
    assert [member["seed"] for member in manifest["members"] if not member["kept"]] == [3]
    broken = manifest["members"][3]
    assert "forces deviates by" in " ".join(broken["left_out_because"])
    assert broken["deviation"]["forces"] == pytest.approx(20, rel=0.2)
    assert broken["model_sha256"] == f"{3:064d}"
    assert augmented.provenance["teacher"]["seeds"] == [0, 1, 2, 4, 5, 6, 7]


def test_a_member_that_is_not_finite_is_left_out(
    dataset, ensemble, run, write_predictions, inject
) -> None:
    inject("teachers: one not finite, left out", "recovered")
    paths, values = ensemble(1, 1, 1)
    values[1]["forces"][4 + 7 + 2, 1] = np.nan  # the third atom of configuration 2
    paths[1] = write_predictions("nan.h5", dataset, values[1], 1)
    augmented, manifest = run(paths)
    assert manifest["members"][1]["left_out_because"] == ["forces of configuration 2 is not finite"]
    expected = (values[0]["forces"] + values[2]["forces"]) / 2
    np.testing.assert_allclose(augmented.labels["teacher"]["forces"], expected)


def test_one_member_has_no_spread(ensemble, run) -> None:
    paths, values = ensemble(1)
    augmented, _ = run(paths)
    assert set(augmented.labels) == {"reference", "teacher"}
    np.testing.assert_array_equal(augmented.labels["teacher"]["energy"], values[0]["energy"])


def test_half_of_the_members_is_too_many(
    dataset, ensemble, run, write_predictions, tmp_path, inject
):
    inject("teachers: half of them not finite", "refused")
    paths, values = ensemble(1, 1)
    values[0]["energy"][0] = np.inf
    paths[0] = write_predictions("inf.h5", dataset, values[0], 0)
    with pytest.raises(InputError, match=r"inf.h5: energy of configuration 0 is not finite"):
        run(paths)
    assert not (tmp_path / "augmented.h5").exists()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"family": "students"}, "expected family teachers .* got students"),
        ({"model": "n"}, "expected model m .* got n"),
        ({"dataset_sha256": "e"}, "expected trained on d .* got e"),
        ({"base_dataset_sha256": "e"}, "expected trained on d .* got e"),
        ({"seed": 0}, "expected each member once, got seed 0"),
    ],
)
def test_strangers_are_refused(
    dataset, ensemble, run, write_predictions, inject, other, message
) -> None:
    inject("teachers: one of another family, model or dataset, or twice", "refused")
    paths, values = ensemble(1, 1)
    stranger = write_predictions("stranger.h5", dataset, values[1], **{"seed": 9, **other})
    with pytest.raises(InputError, match=f"stranger.h5: {message}"):
        run([*paths, stranger])


def test_members_of_another_dataset_are_refused(ensemble, run, write_predictions, tmp_path, inject):
    inject("teachers: one of another family, model or dataset, or twice", "refused")
    paths, values = ensemble(1, 1)
    other = tmp_path / "other.h5"
    generator = np.random.default_rng(9)
    dataset_file.write(
        dataset_of([random_molecule(generator, size) for size in SIZES], energy=np.ones(6)), other
    )
    stranger = write_predictions("stranger.h5", other, values[1], 9)
    with pytest.raises(InputError, match=r"stranger.h5: expected predictions of .*dataset.h5"):
        run([*paths, stranger])


def test_labels_are_not_laid_over_labels(ensemble, run, tmp_path) -> None:
    paths, _ = ensemble(1, 1)
    run(paths)
    with pytest.raises(InputError, match="expected a dataset without a teacher's labels"):
        merge(tmp_path / "augmented.h5", paths, tmp_path / "b.h5", tmp_path / "b.json")


@pytest.mark.parametrize("atoms", [30, 10_000])
def test_hessians_are_merged_like_any_other_label(
    dataset, ensemble, write_predictions, run, monkeypatch, atoms
) -> None:
    monkeypatch.setattr(
        "mlipkd.distillation.predictions.memory_batches",
        functools.partial(memory_batches, atoms=atoms),
    )
    generator = np.random.default_rng(3)
    _, values = ensemble(1, 1, 1)
    for given in values:
        given["hessian"] = generator.normal(size=(sum(size**2 for size in SIZES), 3, 3))
    paths = [
        write_predictions(f"curved{seed}.h5", dataset, given, seed)
        for seed, given in enumerate(values)
    ]
    augmented, _ = run(paths)
    members = np.stack([given["hessian"] for given in values])
    teacher, spread = augmented.labels["teacher"], augmented.labels["teacher_spread"]
    np.testing.assert_allclose(teacher["hessian"], members.mean(0), rtol=1e-12)
    np.testing.assert_allclose(spread["hessian"], members.std(0, ddof=1), rtol=1e-9)
