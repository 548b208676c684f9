"""What jobs have to do, in proportions that are known without the code."""

import numpy as np
import pytest

from mlipkd.config.split import Split
from mlipkd.datasets import splits
from mlipkd.datasets.dataset import TRAIN, VALIDATION
from mlipkd.readers.aluminium_emt import AluminiumEMT
from mlipkd.readers.ase_file import AseFile
from mlipkd.readers.reactions import Reactions
from mlipkd.sizing import work
from mlipkd.sizing.counts import multiplications
from mlipkd.testing import small_shape
from tests.unit.sizing.conftest import settings


def test_multiplications_of_one_layer():
    shape = small_shape(width=6, sensitivities=5, atom_layers=1, l_max=1)
    # 4 components × 5 sensitivities × 2 elements × 6 features, and 3 matrices of 6 × 6.
    assert multiplications(shape, elements=2, atoms=10, pairs=0) == 10 * (240 + 108)
    assert multiplications(shape, elements=2, atoms=0, pairs=10) == 10 * 20


def test_multiplications_of_later_layers_grow_with_the_width():
    one, two = (small_shape(n_interactions=n, width=6, sensitivities=5) for n in (1, 2))
    later = multiplications(two, 2, 0, 1) - multiplications(one, 2, 0, 1)
    assert later == 6 * (5 + 4)


def test_training_counts_epochs_batches_and_pairs(size):
    found = work.train(size, [settings(epochs=10, batch=8)])
    assert found.seconds["batches"] == 10 * 100  # 800 configurations
    assert found.seconds["gathered"] == pytest.approx(10 * 80_000 * 64)
    assert work.train(size, [settings()], epochs=5).seconds["batches"] == 5 * 100
    kept = (80_000 * 64 * work.PAIR + 0.8 * size.bytes) / 1e6
    assert found.megabytes["kept"] == pytest.approx(kept)


def test_forces_are_another_sweep_and_members_share_the_pairs(size):
    plain = work.train(size, [settings()])
    forces = work.train(size, [settings(forces=True)])
    together = work.train(size, [settings(seed=seed) for seed in range(4)])
    assert forces.seconds["multiplied"] == 2 * plain.seconds["multiplied"]
    assert together.seconds["multiplied"] == 4 * plain.seconds["multiplied"]
    assert together.seconds["gathered"] == plain.seconds["gathered"]
    assert together.megabytes["batch"] == 4 * plain.megabytes["batch"]


def test_no_more_neighbours_are_kept_than_a_block(size):
    larger = type(size)(**{**vars(size), "atoms": 10**9, "configurations": 10**7})
    kept = work.train(larger, [settings()]).megabytes["kept"]
    assert kept == pytest.approx((4 * 2**30 + 0.8 * size.bytes) / 1e6)


def test_a_limited_training_set(size):
    split = Split(test=0.2, validation=0.1, train=100)
    found = work.train(size, [settings(epochs=1, split=split)])
    assert found.seconds["gathered"] == pytest.approx(20_000 * 64)  # 100 and 100 of 1000


def test_seeds_draw_their_splits_from_one_limited_training_set(size):
    split = Split(test=0.2, validation=0.1, train=100)
    clusters = np.arange(size.configurations)
    shared = splits.split(clusters, split)
    drawn = [splits.per_seed(shared, clusters, split, seed) for seed in range(8)]
    used = np.isin(drawn, (TRAIN, VALIDATION)).any(axis=0).sum()
    members = [settings(epochs=1, split=split, seed=seed) for seed in range(8)]
    members = [
        own.model_copy(update={"recipe": own.recipe.model_copy(update={"split": "per_seed"})})
        for own in members
    ]
    found = work.train(size, members)
    assert found.seconds["gathered"] == pytest.approx(used * 100 * 64)


def test_inference_is_in_memory_batches_but_for_comp6(size):
    shape = settings().architecture
    labelled = work.predict(size, shape)
    compared = work.errors(size, Split(test=0.2), shape, 3)
    assert labelled.seconds["labelled"] == size.atoms
    assert compared.seconds["labelled"] == pytest.approx(3 * 0.2 * size.atoms)
    curved = work.errors(size, Split(test=0.2), shape, 3, hessians=True)
    assert curved.seconds["multiplied"] > 3 * compared.seconds["multiplied"]
    held_out = work.errors(size, Split(test=0.2, held_out=["far"]), shape, 3)
    assert held_out.seconds["labelled"] == 3 * size.atoms
    suite = work.comp6(size, 24_000_000, shape, 3)
    assert suite.seconds["labelled"] == 3 * 1_000_000
    assert suite.megabytes["kept"] > 10 * labelled.megabytes["kept"]


def test_datasets_are_made_or_read():
    made = work.dataset(AluminiumEMT(reader="aluminium-emt", configurations=64), 0)
    assert made.seconds == {"start": 1, "aluminium-emt": 64, "molecules-xtb": 0, "file": 0}
    curved = work.dataset(Reactions(reader="reactions", reactions=["ammonia"]), 0)
    assert curved.seconds["molecules-xtb"] > 2 * 3 * (1 + 20 + 10)
    read = work.dataset(AseFile(reader="ase", files=["a.xyz"]), 2_000_000)
    assert read.seconds == {"start": 1, "aluminium-emt": 0, "molecules-xtb": 0, "file": 2.0}


def test_products_cost_the_same_for_any_molecule_and_hessians_do_not(size):
    larger = type(size)(**{**vars(size), "configurations": 500})
    for curvature, growth in (("hvp", 1), ("hessian", 2)):
        small, large = (
            work.train(one, [settings(forces=True, curvature=curvature)]).seconds["multiplied"]
            - work.train(one, [settings(forces=True)]).seconds["multiplied"]
            for one in (size, larger)
        )
        assert large / small == pytest.approx(growth)


def test_labelling_with_hessians_takes_all_their_columns(size):
    shape = settings().architecture
    plain, curved = (work.predict(size, shape, hessians) for hessians in (False, True))
    ratio = curved.seconds["multiplied"] / plain.seconds["multiplied"]
    assert ratio == pytest.approx(1 + 2 * 300)
    assert work.calculate(100, hessians_of=10).seconds["atoms"] == 100 * 61
