"""Predict: a member labels its whole dataset, slab by slab."""

import json
from pathlib import Path

import numpy as np
import torch

from mlipkd import artefacts, provenance
from mlipkd.datasets.dataset import LABELS
from mlipkd.datasets.file import DatasetFile
from mlipkd.datasets.output import writing_hdf5
from mlipkd.datasets.slabs import slabs
from mlipkd.distillation.predictions import FORMAT, create, rows_of
from mlipkd.hipnn.file import load_potential
from mlipkd.hipnn.prediction import predict
from mlipkd.progress import progress


def label(model: Path, dataset: Path, output: Path, device: torch.device) -> None:
    """Write a member's energies, forces, atomic energies and, if all is periodic, stresses.

    Raises:
        InputError: a file is damaged, or the dataset holds an element that the model does not know.
    """
    potential = load_potential(model, device)
    with (
        DatasetFile(dataset) as labelled,
        writing_hdf5(output) as file,
    ):
        file.attrs["format"] = FORMAT
        file.attrs["record"] = json.dumps(
            provenance.record(
                member=potential.metadata,
                model_file=str(model),
                model_sha256=artefacts.verify(model),
                dataset=labelled.name,
                dataset_sha256=labelled.sha256,
            )
        )
        quantities = [q for q in LABELS if q != "stress" or labelled.periodic.all()]
        arrays = {quantity: create(file, quantity, labelled.offsets) for quantity in quantities}
        cuts = slabs(labelled.sizes)
        for slab in progress(cuts, len(cuts), "slabs labelled"):
            configurations = labelled.read(np.arange(slab.start, slab.stop))
            for quantity, values in predict(potential, configurations, quantities).items():
                arrays[quantity][rows_of(quantity, slab, labelled.offsets)] = values
