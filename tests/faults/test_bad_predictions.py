"""Predictions that cannot be used, merges cut short: one line, and nothing half-written."""

import json
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest

from mlipkd.datasets import file as dataset_file
from mlipkd.distillation.merge import merge
from mlipkd.errors import InputError
from mlipkd.jobs import artefacts
from mlipkd.testing import dataset_of, random_molecule

CONFIGURATIONS, ATOMS = 50, 200


@pytest.fixture
def dataset(tmp_path):
    generator = np.random.default_rng(1)
    made = dataset_of(
        [random_molecule(generator, 4) for _ in range(CONFIGURATIONS)],
        energy=generator.normal(size=CONFIGURATIONS),
    )
    dataset_file.write(made, tmp_path / "dataset.h5")
    return tmp_path / "dataset.h5"


@pytest.fixture
def predictions(dataset, write_predictions):
    """The predictions of three good members."""
    generator = np.random.default_rng(2)
    return [
        write_predictions(
            f"predictions{seed}.h5",
            dataset,
            {
                "energy": generator.normal(size=CONFIGURATIONS),
                "forces": generator.normal(size=(ATOMS, 3)),
                "atomic_energies": generator.normal(size=ATOMS),
            },
            seed,
        )
        for seed in range(3)
    ]


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-1000])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def lose_the_hash(path):
    artefacts.sidecar(path).unlink()


def lose_the_file(path):
    path.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_short, "expected SHA-256"),
        (flip_a_bit, "expected SHA-256"),
        (lose_the_hash, "expected its hash"),
        (lose_the_file, "expected a file, found none"),
    ],
)
def test_damage_is_seen(dataset, predictions, tmp_path, inject, damage, message) -> None:
    inject("damage: predictions, cut short, lost or a bit flipped", "refused")
    damage(predictions[1])
    refused(dataset, predictions, tmp_path, message)


def external_link(file):
    del file["forces"]
    file["forces"] = h5py.ExternalLink("/etc/passwd", "/")


def declare_a_lot(file):
    del file["energy"]
    file.create_dataset("energy", (10**12,), "f8", chunks=(1000,))


def no_forces(file):
    del file["forces"]


def no_record(file):
    del file.attrs["record"]


def no_json(file):
    file.attrs["record"] = "{"


def other_format(file):
    file.attrs["format"] = "mlipkd predictions 9"


def other_shape(file):
    del file["forces"]
    file["forces"] = np.zeros((ATOMS, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (external_link, "external link"),
        (declare_a_lot, "declares 8 TB"),
        (no_forces, "expected a member's predictions"),
        (no_record, "expected a member's predictions"),
        (no_json, "expected a member's predictions"),
        (other_format, "expected a member's predictions .* got something else .*predictions 9"),
        (other_shape, r"expected forces of shape \(200, 3\), got \(200, 2\)"),
    ],
)
def test_wrong_content_is_refused(dataset, predictions, tmp_path, inject, change, message) -> None:
    inject("hostile: predictions with other content, links or 8 TB", "refused")
    with artefacts.writing(predictions[1]) as temporary:
        temporary.write_bytes(predictions[1].read_bytes())
        with h5py.File(temporary, "r+") as file:
            change(file)
    refused(dataset, predictions, tmp_path, message)


def test_no_hdf5_is_refused(dataset, predictions, tmp_path) -> None:
    artefacts.write_text(predictions[1], "energy: 3\n")
    refused(dataset, predictions, tmp_path, "expected a whole HDF5 file")


def refused(dataset, predictions, folder, message) -> None:
    """Merging fails with one line that names the second file, and leaves nothing."""
    with pytest.raises(InputError, match=message) as error:
        merge(dataset, predictions, folder / "augmented.h5", folder / "manifest.json")
    assert str(predictions[1]) in str(error.value) or "hash" in message
    assert "\n" not in str(error.value)
    assert not [*folder.glob("*augmented*"), *folder.glob("*manifest*")]


STALLING_MERGE = """
import sys, time
from pathlib import Path
from mlipkd.distillation import merge

def stall(members):
    print("in the middle", flush=True)
    time.sleep(60)

merge.spread = stall
dataset, output, manifest, *predictions = map(Path, sys.argv[1:])
merge.merge(dataset, predictions, output, manifest)
"""


@pytest.mark.parametrize("older", [False, True])
def test_a_killed_merge_leaves_the_whole_file_or_none(
    dataset, predictions, tmp_path, inject, older
) -> None:
    inject("kill -9: merge", "recovered")
    output, manifest = tmp_path / "out" / "augmented.h5", tmp_path / "out" / "manifest.json"
    if older:
        merge(dataset, predictions[:2], output, manifest)
        before = output.read_bytes()
    words = [str(path) for path in (dataset, output, manifest, *predictions)]
    process = subprocess.Popen(
        [sys.executable, "-c", STALLING_MERGE, *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in the middle\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if older:
        assert output.read_bytes() == before
        artefacts.verify(output)
    else:
        assert not output.exists()
        assert not manifest.exists()

    merge(dataset, predictions, output, manifest)
    assert len(json.loads(manifest.read_text())["members"]) == 3
    assert len(dataset_file.read(output).labels["teacher"]["energy"]) == CONFIGURATIONS


FULL_DISK_MERGE = """
import resource, sys
from pathlib import Path
from mlipkd.distillation.merge import merge
from mlipkd.errors import InputError

size, dataset, output, manifest, *predictions = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), int(size)))
try:
    merge(Path(dataset), [Path(path) for path in predictions], Path(output), Path(manifest))
except InputError as error:
    sys.exit(f"refused: {error}")
"""


@pytest.mark.parametrize("more", [-1000, 100, 3000, 6000])
def test_a_full_disk_leaves_nothing(dataset, predictions, tmp_path, inject, more) -> None:
    inject("disk full: augmented dataset", "refused")
    output, manifest = tmp_path / "out" / "augmented.h5", tmp_path / "out" / "manifest.json"
    size = dataset.stat().st_size + more
    words = [str(word) for word in (size, dataset, output, manifest, *predictions)]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK_MERGE, *words], capture_output=True, text=True
    )
    assert done.stderr.startswith(f"refused: {output}: could not be written (File too large)")
    assert done.stderr.count("\n") == 1
    assert done.returncode == 1
    assert not list(output.parent.iterdir())
