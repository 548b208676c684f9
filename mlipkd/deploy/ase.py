"""A trained potential as an ASE calculator."""

from collections.abc import Sequence
from pathlib import Path

import torch
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from mlipkd.hipnn.file import Potential, load_members
from mlipkd.hipnn.network import HIPNN
from mlipkd.neighbours.chunks import evaluate_system
from mlipkd.neighbours.verlet import VerletList


class MLIPKD(Calculator):
    """The ASE calculator of a model file: ``MLIPKD("model.safetensors")``.

    Energy eV, forces eV/Å, stress eV/Å^3 (Voigt order, periodic systems only), atomic energies eV.
    Of several files, the members of an ensemble, it gives the mean; ``results`` then holds the
    standard deviation over the members, too, as ``energy_std`` and ``forces_std``.
    """

    implemented_properties = ["energy", "energies", "forces", "stress", "free_energy"]  # noqa: RUF012

    def __init__(
        self,
        path: str | Path | Potential | Sequence[str | Path | Potential],
        device: torch.device | str = "cpu",
        skin: float = 1.0,
        **options,
    ) -> None:
        """Load a model file, or several of one architecture.

        Args:
            path: a model.safetensors, or those of the members of an ensemble; or potentials that
                are loaded already.
            device: where to compute.
            skin: of the Verlet list, Å: a larger one is rebuilt less often, but holds more pairs.
            options: of every ASE calculator.

        Raises:
            InputError: missing, damaged, not a model file, or of another architecture.
        """
        super().__init__(**options)
        self.potentials = load_members(path, device)
        self.model = HIPNN.ensemble([potential.model for potential in self.potentials]).to(device)
        cutoff = self.model.architecture.hard_max
        self.neighbours = VerletList(self.model.species, cutoff, skin, self.model.dtype, device)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """ASE's entry point: fills ``results``."""
        super().calculate(atoms, properties, system_changes)
        structure = self.atoms
        assert structure is not None  # set by the line above
        self.neighbours.update(structure)
        members = evaluate_system(self.model, self.neighbours)
        values = {name: value.mean(0).cpu().numpy() for name, value in members.items()}
        self.results = {
            "energy": float(values["energy"]),
            "free_energy": float(values["energy"]),
            "energies": values["atomic_energies"],
            "forces": values["forces"],
        }
        if self.model.members > 1:
            spread = {name: members[name].std(0).cpu().numpy() for name in ("energy", "forces")}
            self.results |= {
                "energy_std": float(spread["energy"]),
                "forces_std": spread["forces"],
            }
        if structure.pbc.all():
            self.results["stress"] = full_3x3_to_voigt_6_stress(values["stress"])
