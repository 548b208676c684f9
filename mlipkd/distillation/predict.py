"""Predict: a member, a model or a calculator, labels a whole dataset, batch by batch."""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from mlipkd.calculators.labelling import (
    CalculatorMember,
    is_calculator,
    refuse_if_most_failed,
    refuse_without_hessians,
    summarised,
)
from mlipkd.datasets.file import DatasetFile
from mlipkd.datasets.hdf5 import writing_hdf5
from mlipkd.distillation.predictions import (
    FORMAT,
    create,
    memory_batches_of,
    rows_of,
    write_failures,
)
from mlipkd.hipnn.file import Potential, load_potential
from mlipkd.hipnn.prediction import DEFAULT, predict
from mlipkd.jobs import artefacts, provenance


def label(
    model: Path, dataset: Path, output: Path, device: torch.device, hessians: bool = False
) -> None:
    """Write a member's energies, forces, atomic energies and, if all is periodic, stresses.

    Of a calculator, those that it gives, and where it failed.

    Args:
        model: a model file, or the settings of a calculator.
        dataset: the dataset to label.
        output: the file of predictions to write.
        device: where to compute; a calculator has its own options.
        hessians: write Hessians, too.

    Raises:
        InputError: a file is damaged, the dataset holds an element that the model does not know,
            the calculator fails on more than half of the configurations, or Hessians are requested
            of configurations with a cell, or of a calculator without forces.
    """
    member: CalculatorMember | Potential
    if is_calculator(model):
        member = CalculatorMember(model)
        model_sha256 = member.sha256
        quantities = [quantity for quantity in member.quantities if quantity != "hessian"]
    else:
        member = load_potential(model, device)
        model_sha256, quantities = artefacts.verify(model), list(DEFAULT)
    with (
        DatasetFile(dataset) as labelled,
        writing_hdf5(output) as file,
    ):
        if not labelled.periodic.all():
            quantities = [quantity for quantity in quantities if quantity != "stress"]
        if hessians:
            refuse_without_hessians(str(model), quantities, labelled)
            quantities.append("hessian")
        file.attrs["format"] = FORMAT
        file.attrs["record"] = json.dumps(
            provenance.record(
                member=member.metadata,
                model_file=str(model),
                model_sha256=model_sha256,
                dataset=labelled.name,
                dataset_sha256=labelled.sha256,
                quantities=quantities,
            )
        )
        arrays = {quantity: create(file, quantity, labelled.offsets) for quantity in quantities}
        failed: dict[int, str] = {}
        for batch in memory_batches_of(labelled, "batches labelled", quantities):
            configurations = labelled.read(np.arange(batch.start, batch.stop))
            if isinstance(member, CalculatorMember):
                labels, reasons = member.predict(configurations, quantities)
                failed |= {batch.start + m: reason for m, reason in reasons.items()}
            else:
                labels = predict(member, configurations, quantities)
            for quantity, values in labels.items():
                arrays[quantity][rows_of(quantity, batch, labelled.offsets)] = values
        refuse_if_most_failed(str(model), failed.values(), len(labelled))
        if failed:
            write_failures(file, failed)
            print(
                f"no labels for {len(failed)} of {len(labelled)} configurations, where the "
                f"calculator failed: {summarised(failed.values())}",
                file=sys.stderr,
            )
