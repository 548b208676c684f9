"""Truncated files and flipped bits, at many places: named, or resumed from the previous file."""

import random
from functools import partial

import pytest

from mlipkd.datasets import file as dataset_file
from mlipkd.distillation.predictions import PredictionsFile
from mlipkd.errors import InputError
from mlipkd.hipnn.file import load_potential
from mlipkd.jobs import artefacts
from tests.faults.children import die_at_call, verb

PLACES = 100


def flip_a_bit(content: bytes, places: random.Random) -> bytes:
    damaged = bytearray(content)
    damaged[places.randrange(len(content))] ^= 1 << places.randrange(8)
    return bytes(damaged)


def cut_short(content: bytes, places: random.Random) -> bytes:
    return content[: places.randrange(len(content))]


DAMAGES = {"a bit flipped": flip_a_bit, "cut short": cut_short}


@pytest.fixture
def artefact(verbs):
    """Intact files, and what reads them."""
    assert verb(*verbs.words("merge", "out")).status == 0
    return {
        "model": (verbs.models[0], load_potential),
        "dataset": (verbs.dataset, dataset_file.read),
        "predictions": (verbs.predictions[0], PredictionsFile),
        "augmented dataset": (verbs.output("merge", "out"), dataset_file.read),
    }


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("what", ["model", "dataset", "predictions", "augmented dataset"])
def test_damage_is_named(artefact, inject, what, damage) -> None:
    path, read = artefact[what]
    sound, places = path.read_bytes(), random.Random(what + damage)
    for _ in range(PLACES):
        inject(f"damage: {what}, {damage}", "refused")
        path.write_bytes(DAMAGES[damage](sound, places))
        with pytest.raises(InputError) as raised:
            read(path)
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)
    path.write_bytes(sound)
    read(path)


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(training_of, inject, damage) -> None:
    training = training_of(epochs=3)
    assert training.run("whole").status == 0
    training.run("killed", partial(die_at_call, "replace", 8))
    left = {path.name: path.read_bytes() for path in training.folder("killed").iterdir()}
    newest, places = training.model("killed").name + ".checkpoint", random.Random(damage)
    assert {newest, newest + ".previous"} <= left.keys()
    for number in range(10):
        folder = training.folder(f"damaged{number}")
        folder.mkdir()
        for name, content in left.items():
            (folder / name).write_bytes(content)
        # Every fourth time the file of its hash is damaged.
        name = newest if number % 4 else artefacts.sidecar(folder / newest).name
        inject(f"damage: checkpoint, {damage}", "recovered")
        (folder / name).write_bytes(DAMAGES[damage](left[name], places))
        again = training.run(folder.name)
        assert again.status == 0
        assert "resuming after epoch" in again.error
        assert training.same("whole", folder.name)
