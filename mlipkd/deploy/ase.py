"""A trained potential as an ASE calculator."""

import torch
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from mlipkd.dynamics.evaluation import evaluate
from mlipkd.dynamics.verlet import VerletList
from mlipkd.hipnn.file import load_potential


class MLIPKD(Calculator):
    """The ASE calculator of a model file: ``MLIPKD("model.safetensors")``.

    Energy eV, forces eV/Å, stress eV/Å^3 (Voigt order, periodic systems only), atomic energies eV.
    """

    implemented_properties = ["energy", "energies", "forces", "stress", "free_energy"]  # noqa: RUF012

    def __init__(
        self, path: str, device: torch.device | str = "cpu", skin: float = 1.0, **options
    ) -> None:
        """Load a model file.

        Args:
            path: a model.safetensors.
            device: where to compute.
            skin: of the Verlet list, Å: a larger one is made anew less often, but holds more pairs.
            options: of every ASE calculator.

        Raises:
            InputError: missing, damaged, or not a model file.
        """
        super().__init__(**options)
        self.potential = load_potential(path, device)
        model = self.potential.model
        self.neighbours = VerletList(
            model.species, model.architecture.hard_max, skin, self.potential.dtype, device
        )

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """ASE's entry point: fills ``results``."""
        super().calculate(atoms, properties, system_changes)
        structure = self.atoms
        assert structure is not None  # set by the line above
        self.neighbours.update(structure)
        found = evaluate(self.potential.model, self.neighbours)
        values = {name: value[0].cpu().numpy() for name, value in found.items()}
        self.results = {
            "energy": float(values["energy"]),
            "free_energy": float(values["energy"]),
            "energies": values["atomic_energies"],
            "forces": values["forces"],
        }
        if structure.pbc.all():
            self.results["stress"] = full_3x3_to_voigt_6_stress(values["stress"])
