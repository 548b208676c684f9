"""Predict: a member, trained or a calculator, labels its whole dataset, batch by batch."""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from mlipkd.calculators.labelling import refuse_if_most_failed, summarised
from mlipkd.calculators.member import CalculatorMember, is_calculator
from mlipkd.checks.hessians import refuse_periodic_hessians
from mlipkd.datasets.file import DatasetFile
from mlipkd.datasets.hdf5 import writing_hdf5
from mlipkd.distillation.ensemble import memory_batches_of
from mlipkd.distillation.predictions import FORMAT, create, rows_of, write_failures
from mlipkd.errors import InputError
from mlipkd.hipnn.file import Potential, load_potential
from mlipkd.hipnn.prediction import QUANTITIES, predict
from mlipkd.jobs import artefacts, provenance


def label(
    model: Path, dataset: Path, output: Path, device: torch.device, hessians: bool = False
) -> None:
    """Write a member's energies, forces, atomic energies and, if all is periodic, stresses.

    Of a calculator, those of them that it gives, and where it failed.

    Args:
        model: a model file, or the settings of a calculator.
        dataset: what to label.
        output: where to write the predictions.
        device: where to compute; a calculator has options of its own.
        hessians: write Hessians, too.

    Raises:
        InputError: a file is damaged, the dataset holds an element that the model does not know,
            the calculator fails on more than half of the configurations, or Hessians are asked for
            where there is a cell or no force.
    """
    member: CalculatorMember | Potential
    if is_calculator(model):
        member = CalculatorMember(model)
        model_sha256 = member.sha256
        quantities = [quantity for quantity in member.quantities if quantity != "hessian"]
    else:
        member = load_potential(model, device)
        model_sha256, quantities = artefacts.verify(model), list(QUANTITIES)
    with (
        DatasetFile(dataset) as labelled,
        writing_hdf5(output) as file,
    ):
        if not labelled.periodic.all():
            quantities = [quantity for quantity in quantities if quantity != "stress"]
        if hessians:
            _refuse_without_hessians(model, labelled, quantities)
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
                found, reasons = member.predict(configurations, quantities)
                failed |= {batch.start + m: reason for m, reason in reasons.items()}
            else:
                found = predict(member, configurations, quantities)
            for quantity, values in found.items():
                arrays[quantity][rows_of(quantity, batch, labelled.offsets)] = values
        refuse_if_most_failed(str(model), failed.values(), len(labelled))
        if failed:
            write_failures(file, failed)
            print(
                f"no labels for {len(failed)} of {len(labelled)} configurations, where the "
                f"calculator failed: {summarised(failed.values())}",
                file=sys.stderr,
            )


def _refuse_without_hessians(model: Path, dataset: DatasetFile, quantities: list[str]) -> None:
    if "forces" not in quantities:
        raise InputError(
            f"{model}: expected a calculator with forces for Hessians, got one that gives "
            f"{', '.join(quantities)}; choose another"
        )
    refuse_periodic_hessians(dataset)
