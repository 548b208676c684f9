"""A trained potential as an ASE calculator."""

from collections.abc import Sequence
from pathlib import Path

import torch
from ase.calculators.calculator import Calculator, PropertyNotImplementedError, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from mlipkd.errors import InputError
from mlipkd.hipnn.file import Potential, load_members
from mlipkd.hipnn.network import HIPNN
from mlipkd.jobs.device import device_of
from mlipkd.neighbours.chunks import evaluate_system
from mlipkd.neighbours.verlet import VerletList


class NoVolumeError(InputError, PropertyNotImplementedError):
    """A stress was requested of a system without a volume; ASE's own programs expect its kind."""


class MLIPKD(Calculator):
    """The ASE calculator of a model file: ``MLIPKD("model.safetensors")``.

    Energy eV, forces eV/Å, stress eV/Å^3 (Voigt order), atomic energies eV. The stress is per
    volume of the cell, as with ASE's own calculators: that of a slab depends on its vacuum.

    Of several files, the members of an ensemble, it gives the mean; ``results`` then holds the
    standard deviation over the members, too, as ``energy_std`` and ``forces_std``.

    Threads may share a calculator through structures' methods (``atoms.get_forces()``); they wait
    for each other.
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
            InputError: missing, damaged, not a model file, or of another architecture; a device
                that is not there; a negative skin.
        """
        super().__init__(**options)
        device = device_of(device)
        self.potentials = load_members(path, device)
        self.model = HIPNN.ensemble([potential.model for potential in self.potentials]).to(device)
        cutoff = self.model.architecture.hard_max
        self.neighbours = VerletList(self.model.species, cutoff, skin, self.model.dtype, device)

    def get_property(self, name, atoms=None, allow_calculation=True):
        """ASE's way to a result; another thread has to wait for it."""
        with self.neighbours.lock:
            return super().get_property(name, atoms, allow_calculation)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """ASE's entry point: fills ``results``.

        Raises:
            InputError: a structure that ``VerletList.update`` refuses, or whose stress is requested
                and which has no volume.
        """
        with self.neighbours.lock:
            self._calculate(atoms, properties, system_changes)

    def _calculate(self, atoms, properties, system_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        structure = self.atoms
        assert structure is not None  # set by the line above
        self.neighbours.update(structure)
        has_volume = bool(self.neighbours.volume > 0)
        if "stress" in properties and not has_volume:
            raise NoVolumeError(
                f"stress of {structure.get_chemical_formula()}: expected a cell with a volume, got "
                f"{structure.cell.array.round(4).tolist()}; give a slab or wire a cell vector in "
                "each direction, say by atoms.center(vacuum=10, axis=2)"
            )
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
        if has_volume:
            self.results["stress"] = full_3x3_to_voigt_6_stress(values["stress"])
