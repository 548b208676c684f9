"""A trained potential as an ASE calculator."""

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from mlipkd.datasets.dataset import Dataset
from mlipkd.hipnn.batch import Batcher
from mlipkd.hipnn.file import load_potential
from mlipkd.hipnn.prediction import evaluate


class MLIPKD(Calculator):
    """The ASE calculator of a model file: ``MLIPKD("model.safetensors")``.

    Energy eV, forces eV/Å, stress eV/Å^3 (Voigt order, periodic systems only), atomic energies eV.
    """

    implemented_properties = ["energy", "energies", "forces", "stress", "free_energy"]  # noqa: RUF012

    def __init__(self, path: str, device: torch.device | str = "cpu", **options) -> None:
        """Load a model file.

        Raises:
            InputError: missing, damaged, or not a model file.
        """
        super().__init__(**options)
        self.potential = load_potential(path, device)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """ASE's entry point: fills ``results``."""
        super().calculate(atoms, properties, system_changes)
        structure = self.atoms
        assert structure is not None  # set by the line above
        model = self.potential.model
        batcher = Batcher(
            one_configuration(structure),
            model.species,
            model.architecture.hard_max,
            self.potential.dtype,
        )
        batch = batcher.batch(torch.tensor([0])).to(self.potential.device)
        found = evaluate(self.potential, batch, ("energy", "atomic_energies", "forces", "stress"))
        values = {name: value.cpu().numpy().astype(np.float64) for name, value in found.items()}
        self.results = {
            "energy": float(values["energy"][0]),
            "free_energy": float(values["energy"][0]),
            "energies": values["atomic_energies"],
            "forces": values["forces"],
        }
        if structure.pbc.all():
            self.results["stress"] = full_3x3_to_voigt_6_stress(values["stress"][0])


def one_configuration(atoms: Atoms) -> Dataset:
    """An ASE structure as a dataset of one configuration without labels."""
    return Dataset(
        name="ase",
        species=atoms.numbers.astype(np.uint8),
        positions=atoms.positions,
        offsets=np.array([0, len(atoms)]),
        cells=atoms.cell.array[None],
        periodic=atoms.pbc[None],
        groups=np.zeros(1, np.int64),
        splits=np.zeros(1, np.uint8),
        labels={},
        provenance={},
    )
