"""Merge: the predictions of an ensemble's members become a teacher's labels of their dataset.

The augmented dataset is the dataset itself with two more sets of labels: ``teacher``, the mean over
the members, and ``teacher_spread``, their standard deviation. Outliers are left out of both, and
the manifest says which and why. Where a calculator failed, its labels are NaN; the manifest counts
them.
"""

import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np

from mlipkd.datasets.file import DatasetFile
from mlipkd.datasets.hdf5 import writing_hdf5
from mlipkd.distillation.ensemble import (
    COMPARED,
    RULE,
    Member,
    leave_out_outliers,
    mean,
    refuse_mismatches,
    spread,
    stacked,
)
from mlipkd.distillation.predictions import PredictionsFile, create, memory_batches_of, rows_of
from mlipkd.errors import InputError
from mlipkd.jobs import artefacts, provenance


def merge(dataset: Path, predictions: list[Path], output: Path, manifest: Path) -> list[Member]:
    """Write the augmented dataset and its manifest.

    Args:
        dataset: the one that the members labelled, without a teacher's labels.
        predictions: a file of each member.
        output: the augmented dataset to write.
        manifest: the JSON file to write.

    Returns:
        The members, with their deviations and, of those left out, the reasons.

    Raises:
        InputError: the members are not of one family, model and dataset; one is given twice; or
            half of them or more would be left out.
    """
    with ExitStack() as stack:
        labelled = stack.enter_context(DatasetFile(dataset))
        if "teacher" in labelled.labels:
            raise InputError(
                f"{dataset}: expected a dataset without a teacher's labels, got one with them; "
                "give the dataset.h5 that it was made from"
            )
        members = [Member(stack.enter_context(PredictionsFile(path))) for path in predictions]
        refuse_mismatches(labelled, members)
        leave_out_outliers(labelled, members)
        _write_augmented(labelled, members, output)
        artefacts.write_text(manifest, _manifest(labelled, members, output))
    return members


def _write_augmented(dataset: DatasetFile, members: list[Member], output: Path) -> None:
    included = [member for member in members if member.kept]
    quantities = included[0].predictions.quantities
    statistics = {"teacher": mean}
    if len(included) > 1:
        statistics["teacher_spread"] = spread
    with writing_hdf5(output, copy_of=dataset.path) as file:
        _record_teacher(file, dataset, included)
        arrays = {}
        for name in statistics:
            group = file.create_group(f"labels/{name}")
            for quantity in quantities:
                arrays[name, quantity] = create(group, quantity, dataset.offsets)
        for batch in memory_batches_of(dataset, "batches merged", quantities):
            for quantity in quantities:
                rows = rows_of(quantity, batch, dataset.offsets)
                # (members, rows, …)
                predicted = stacked(included, quantity, batch, dataset.offsets)
                for name, statistic in statistics.items():
                    arrays[name, quantity][rows] = statistic(predicted)


def _record_teacher(file: h5py.File, dataset: DatasetFile, members: list[Member]) -> None:
    """Add to the dataset's provenance which teacher's labels it now holds."""
    teacher = provenance.record(
        family=members[0].predictions.family,
        model=members[0].predictions.model,
        seeds=[member.predictions.seed for member in members],
        augmented_dataset_sha256=dataset.sha256,
        failed=sum(len(member.predictions.failed) for member in members),
    )
    text = json.dumps({**dataset.provenance, "teacher": teacher}, sort_keys=True)
    del file["provenance"]
    file["provenance"] = np.frombuffer(text.encode(), np.uint8)


def _manifest(dataset: DatasetFile, members: list[Member], output: Path) -> str:
    first = members[0].predictions
    record = provenance.record(
        dataset=dataset.name,
        dataset_sha256=dataset.sha256,
        augmented=str(output),
        augmented_sha256=artefacts.verify(output),
        family=first.family,
        model=first.model,
        left_out_if=RULE,
        deviation_units=COMPARED,
        members=[
            {
                "seed": member.predictions.seed,
                "model_file": member.predictions.model_file,
                "model_sha256": member.predictions.model_sha256,
                "base_dataset_sha256": member.predictions.trained_on,
                "predictions": str(member.predictions.path),
                "predictions_sha256": member.predictions.sha256,
                "deviation": member.deviation,
                "kept": member.kept,
                "left_out_because": member.left_out_because,
                "failed": len(member.predictions.failed),
                "failed_because": dict(Counter(member.predictions.failed.values())),
            }
            for member in members
        ],
    )
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"
