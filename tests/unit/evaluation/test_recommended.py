"""Recommendations: the cheapest of those that are good enough, chosen by validation alone."""

import pytest

from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import Row
from mlipkd.evaluation.cost.cost import METRICS
from mlipkd.evaluation.recommended import Recommendation, recommend
from mlipkd.hipnn.file import Potential, load_potential, save_potential

#: Validation errors of the members of each model, eV/Å; and its number of weights, time and memory.
MODELS = {
    ("teachers", "big"): ([0.09, 0.11], 9000, 80, 9),
    ("students", "a"): ([0.10, 0.14], 800, 20, 5),  # at the limit of 1.2
    ("students", "b"): ([0.08, 0.10], 900, 10, 6),
    ("students", "c"): ([0.13, 0.13], 100, 1, 1),  # cheap and bad
}
COSTS = [
    Row("al", family, model, 0, metric, value, METRICS[metric])
    for (family, model), (_, *values) in MODELS.items()
    for metric, value in zip(("weights", "time", "memory"), values, strict=True)
]


@pytest.fixture
def files(write_model, tmp_path) -> dict:
    """Model files of all members; the second of each has the lower validation loss."""
    plain = load_potential(write_model(tmp_path / "plain.safetensors"))
    paths = []
    for (family, model), (errors, *_) in MODELS.items():
        for seed, error in enumerate(errors):
            validation = {"reference forces": {"rmse": error, "mae": error / 2}}
            training = {"validation": validation, "best_loss": 1.0 - seed}
            own = {"dataset": "al", "family": family, "model": model, "seed": seed}
            paths.append(tmp_path / f"{family}-{model}-{seed}.safetensors")
            metadata = {**plain.metadata, **own, "training": training}
            save_potential(Potential(plain.model, metadata), paths[-1])
    return {path: load_potential(path) for path in paths}


def test_the_cheapest_of_the_good(files, tmp_path) -> None:
    settings = Recommendation(teacher="teachers", within=0.2000001)
    rows, notes = recommend(settings, files, COSTS, tmp_path / "recommended")
    chosen = {row.subset: (row.family, row.model, row.seed) for row in rows}
    assert chosen == {
        "teacher": ("teachers", "big", 1),
        "smallest": ("students", "a", 1),
        "fastest": ("students", "b", 1),
        "leanest": ("students", "a", 1),
    }
    values = {(row.subset, row.metric): row.value for row in rows}
    assert values["smallest", "weights"] == 800
    assert values["fastest", "time"] == 10
    assert values["leanest", "forces_validation_rmse_mean"] == pytest.approx(0.12)
    assert (
        values["leanest", "forces_validation_rmse_member"] == 0.14
    )  # of seed 1, that of lower loss
    assert values["teacher", "forces_validation_rmse_member"] == 0.11
    assert values["leanest", "of_teacher"] == pytest.approx(1.2)
    assert values["teacher", "time"] == 80
    assert values["teacher", "of_teacher"] == 1
    assert not (tmp_path / "recommended" / "teacher.safetensors").exists()
    del chosen["teacher"]
    for name, (family, model, seed) in chosen.items():
        copied = load_potential(tmp_path / "recommended" / f"{name}.safetensors").metadata
        assert (copied["family"], copied["model"], copied["seed"]) == (family, model, seed)
    assert notes == []


def test_nothing_is_recommended_that_is_not_good_enough(files, tmp_path) -> None:
    bad = {
        path: one
        for path, one in files.items()
        if "students-c" in path.name or "teachers" in path.name
    }
    rows, (note,) = recommend(
        Recommendation(teacher="teachers"), bad, COSTS, tmp_path / "recommended"
    )
    assert rows == []
    assert (
        "expected a validation error of forces of at most 1.2 times the teacher's 0.1, got 1.30"
        in (note)
    )
    assert not any((tmp_path / "recommended").iterdir())


def test_costs_of_other_datasets_do_not_count(files, tmp_path) -> None:
    copper = [row._replace(dataset="cu", value=1e4 - row.value) for row in COSTS]
    settings = Recommendation(teacher="teachers", within=0.2000001)
    rows, _ = recommend(settings, files, COSTS + copper, tmp_path / "recommended")
    values = {(row.subset, row.metric): row.value for row in rows}
    assert (values["smallest", "weights"], values["fastest", "time"]) == (800, 10)


def test_models_of_several_datasets(files, tmp_path) -> None:
    path, one = next(iter(files.items()))
    of_copper = Potential(one.model, {**one.metadata, "dataset": "cu"})
    with pytest.raises(InputError, match="expected models of one dataset, got one of al and, in"):
        recommend(Recommendation(teacher="teachers"), files | {path: of_copper}, COSTS, tmp_path)


def test_what_was_recommended_before_is_gone(files, tmp_path) -> None:
    recommend(Recommendation(teacher="teachers"), files, COSTS, tmp_path / "recommended")
    assert len(list((tmp_path / "recommended").iterdir())) == 2 * 3
    none = Recommendation(teacher="teachers", within=1e-6)
    bad = {path: one for path, one in files.items() if "students-b" not in path.name}
    assert recommend(none, bad, COSTS, tmp_path / "recommended")[0] == []
    assert not any((tmp_path / "recommended").iterdir())


def test_a_label_that_no_recipe_has(files, tmp_path) -> None:
    settings = Recommendation(teacher="teachers", by="energy")
    with pytest.raises(InputError, match=r"got errors of reference forces; set .*recommended\.by"):
        recommend(settings, files, COSTS, tmp_path / "recommended")


def test_a_cost_that_is_missing(files, tmp_path) -> None:
    settings = Recommendation(teacher="teachers")
    with pytest.raises(InputError, match="expected the memory of students/b"):
        recommend(settings, files, COSTS[:-4], tmp_path / "recommended")
