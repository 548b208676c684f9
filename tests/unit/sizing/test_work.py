"""What jobs have to do, in proportions that are known without the code."""

from dataclasses import replace
from math import pi

import numpy as np
import pytest

from mlipkd.config.split import Split
from mlipkd.datasets import splits
from mlipkd.datasets.dataset import TRAIN, VALIDATION
from mlipkd.errors import InputError
from mlipkd.paths import ModelPaths
from mlipkd.sizing import work
from tests.models import small_shape
from tests.unit.sizing.conftest import METAL, MODEL, job, members, settings

STABILITY = {"molecule": "H2O", "molecules": 10, "runs": 2, "duration": 1.0}


def multiplications(size, shape, neighbours: float) -> float:
    """Of one atom."""
    return work.passes(size, shape, 1, neighbours)["multiplied"]


def test_multiplications_of_one_layer(size):
    shape = small_shape(width=6, sensitivities=5, atom_layers=1, l_max=1)
    # 4 components × 5 sensitivities × 2 elements × 6 features, and 3 matrices of 6 × 6.
    assert multiplications(size, shape, 0) == 240 + 108
    assert multiplications(size, shape, 1) == 240 + 108 + 20


def test_multiplications_of_later_layers_grow_with_the_width(size):
    of_pair = [
        multiplications(size, shape, 1) - multiplications(size, shape, 0)
        for n in (1, 2)
        for shape in [small_shape(n_interactions=n, width=6, sensitivities=5)]
    ]
    assert of_pair[1] - of_pair[0] == 6 * (5 + 4)


def test_training_counts_epochs_batches_and_pairs(size):
    training = work.train(job(size, settings(epochs=10, batch=8)))
    assert training.seconds["calls"] == 10 * 100  # 800 configurations
    assert training.seconds["pairs"] == pytest.approx(10 * 80_000 * 64)
    assert work.train(job(size, settings(), epochs=5)).seconds["calls"] == 5 * 100
    data = (80_000 * 64 * work.PAIR + 0.8 * size.bytes) / 1e6
    assert training.megabytes["data"] == pytest.approx(data)


def test_forces_are_another_pass_and_members_share_the_pairs(size):
    plain = work.train(job(size, settings()))
    forces = work.train(job(size, settings(forces=True)))
    together = work.train(job(size, *members(4)))
    assert forces.seconds["multiplied"] == 2 * plain.seconds["multiplied"]
    assert together.seconds["multiplied"] == 4 * plain.seconds["multiplied"]
    assert together.seconds["pairs"] == plain.seconds["pairs"]
    assert together.megabytes["batch"] == 4 * plain.megabytes["batch"]


def test_no_more_neighbours_are_held_than_a_block(size):
    larger = replace(size, atoms=10**9, configurations=10**7)
    data = work.train(job(larger, settings())).megabytes["data"]
    assert data == pytest.approx((4 * 2**30 + 0.8 * size.bytes) / 1e6)


def test_a_limited_training_set(size):
    split = Split(test=0.2, validation=0.1, train=100)
    training = work.train(job(size, settings(epochs=1, split=split)))
    assert training.seconds["pairs"] == pytest.approx(20_000 * 64)  # 100 and 100 of 1000


def test_seeds_draw_their_splits_from_one_limited_training_set(size):
    split = Split(test=0.2, validation=0.1, train=100)
    clusters = np.arange(size.configurations)
    shared = splits.split(clusters, split)
    drawn = [splits.per_seed(shared, clusters, split, seed) for seed in range(8)]
    used = np.isin(drawn, (TRAIN, VALIDATION)).any(axis=0).sum()
    drawing = [
        member.model_copy(update={"recipe": member.recipe.model_copy(update={"split": "per_seed"})})
        for member in members(8, epochs=1, split=split)
    ]
    training = work.train(job(size, *drawing))
    assert training.seconds["pairs"] == pytest.approx(used * 100 * 64)


def test_inference_is_in_memory_batches_but_for_comp6(size, tmp_path):
    labelled = work.predict(job(size, *members(3), about=MODEL.member(0)))
    compared = work.errors(job(size, *members(3), split=Split(test=0.2)))
    assert labelled.seconds["calls"] == size.atoms
    assert compared.seconds["calls"] == pytest.approx(3 * 0.2 * size.atoms)
    openreact = {"reader": "openreact", "files": ["x.h5"]}
    curved = work.errors(job(size, *members(3), split=Split(test=0.2), source=openreact))
    assert curved.seconds["multiplied"] > 3 * compared.seconds["multiplied"]
    held_out = work.errors(job(size, *members(3), split=Split(test=0.2, held_out=["far"])))
    assert held_out.seconds["calls"] == 3 * size.atoms
    (tmp_path / "suite.h5").write_bytes(bytes(24_000_000))
    suites = {"suites": {"s": str(tmp_path / "suite.h5")}}
    suite = work.comp6(job(size, *members(3), comp6=suites))
    assert suite.seconds["calls"] == 3 * 1_000_000
    assert suite.megabytes["data"] > 10 * labelled.megabytes["data"]


def test_datasets_are_made_or_read(size, tmp_path):
    emt = {"reader": "aluminium-emt", "configurations": 64}
    made = work.dataset(job(size, about=METAL, source=emt))
    assert made.seconds == {"start": 1, "calls": 64, "file": 0}
    reactions = {"reader": "reactions", "reactions": ["ammonia"]}
    curved = work.dataset(job(size, about=METAL, source=reactions))
    assert curved.seconds["calls"] > 2 * 3 * (1 + 20 + 10)
    (tmp_path / "a.xyz").write_bytes(bytes(2_000_000))
    files = {"reader": "ase", "files": [str(tmp_path / "a.xyz")]}
    read = work.dataset(job(size, about=METAL, source=files))
    assert read.seconds == {"start": 1, "calls": 0, "file": 2.0}


def test_products_cost_the_same_for_any_molecule_and_hessians_do_not(size):
    larger = replace(size, configurations=500)
    for curvature, growth in (("hvp", 1), ("hessian", 2)):
        small, large = (
            work.train(job(each, settings(forces=True, curvature=curvature))).seconds["multiplied"]
            - work.train(job(each, settings(forces=True))).seconds["multiplied"]
            for each in (size, larger)
        )
        assert large / small == pytest.approx(growth)


def test_labelling_with_hessians_takes_all_their_columns(size):
    """A student learns from them; a calculator displaces the atoms instead."""
    student = settings(seed=1, curvature="hessian", labels="teacher")
    plain = work.predict(job(size, settings(), about=MODEL.member(0)))
    curved = work.predict(job(size, settings(), student, about=MODEL.member(0)))
    ratio = curved.seconds["multiplied"] / plain.seconds["multiplied"]
    assert ratio == pytest.approx(1 + 2 * 300)
    emt = ModelPaths("metal", "emt", "calculator").member(0)
    small = replace(size, atoms=10_000)
    calculated = work.predict(job(small, student, about=emt))
    assert calculated.kind == "calculation"
    assert calculated.seconds["calls"] == 10_000 * 61


def test_transferred_models_are_those_of_another_dataset(size):
    there = ModelPaths("oxide", "borrowed", "m")
    borrowed = job(size, *members(3), about=there)
    assert borrowed.members == members(3)
    with pytest.raises(KeyError, match=r"results/oxide/borrowed/n/settings\.yaml"):
        _ = job(size, *members(3), about=ModelPaths("oxide", "borrowed", "n")).members


def test_dynamics_count_steps(size):
    packed = work.stability(job(size, *members(3), stability=STABILITY))
    assert packed.seconds["calls"] == 3 * (2000 + 1000 + 500)  # of 0.5, 1 and 2 fs in 1 ps
    single = work.stability(job(size, *members(3), stability={**STABILITY, "engine": "ase"}))
    assert single.seconds["calls"] == 2 * 3 * 3500
    with pytest.raises(InputError, match="expected a molecule of ASE"):
        work.stability(job(size, *members(3), stability={"molecule": "H9"}))
    liquid = {"temperature": 1000, "density": 2.0, "duration": 1.0, "timestep": 2.0}
    # 10 ps of melting, 20 of equilibration, 1 of sampling and 5 without a thermostat.
    assert work.liquid(job(size, settings(), liquid=liquid)).seconds["calls"] == 36e3 / 2


def test_liquids_are_as_dense_as_the_dataset_or_as_water(size):
    """Water has 33 molecules in a cubic nanometre."""
    crystal, molecules = (
        work.stability(job(each, settings(), stability=STABILITY)).seconds["pairs"]
        for each in (size, replace(size, periodic=False))
    )
    assert crystal == pytest.approx(3500 * 2 * 30 * 64)
    assert molecules / 3500 / 60 == pytest.approx(0.1003 * 4 / 3 * pi * 4.0**3, rel=4e-3)


def test_members_sample_replicas_together(size):
    replicas = {"temperature": 300, "replicas": 4}
    alone = work.replicas(job(size, *members(3), about=MODEL.member(0), replicas=replicas))
    together = work.replicas(job(size, *members(3), about=MODEL.ensemble, replicas=replicas))
    assert together.seconds["multiplied"] == 3 * alone.seconds["multiplied"]
    assert together.megabytes == alone.megabytes
