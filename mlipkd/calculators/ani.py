"""ANI networks in NeuroChem's files, such as the eight of ANI-1ccx, evaluated by TorchANI.

ANI-1ccx: J. S. Smith et al., Nat. Commun. 10, 2903 (2019), doi 10.1038/s41467-019-10827-4.
TorchANI: X. Gao et al., J. Chem. Inf. Model. 60, 3408 (2020), doi 10.1021/acs.jcim.0c00451.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.units import Hartree

from mlipkd.errors import InputError

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message="The extensions")  # for CUDA, which it can do without
    from torchani.arch import ANI as Network
    from torchani.ase import Calculator, from_ase
    from torchani.grad import single_point
    from torchani.neurochem import NeurochemInfo, modules_from_info


class ANI(Calculator):
    """The mean of an ensemble of ANI networks: ``ANI("ani-1ccx_8x")``, in float64.

    Energy eV, forces eV/Å, stress eV/Å³ (3 × 3), atomic energies eV.
    """

    implemented_properties = [*Calculator.implemented_properties, "energies"]  # noqa: RUF012

    def __init__(self, folder: str, device: str = "cpu") -> None:
        """Read the networks. TorchANI runs code from ``.nnf`` files: use those that you trust.

        Args:
            folder: as in the ANI model zoo, with one ``*.params``, ``sae_linfit.dat`` and, for each
                member, ``train0/networks`` and so on.
            device: where to compute.

        Raises:
            InputError: the folder holds something else.
        """
        constants = list(Path(folder).glob("*.params"))
        members = list(Path(folder).glob("train*/networks"))
        energies = Path(folder, "sae_linfit.dat")
        if len(constants) != 1 or not members or not energies.is_file():
            raise InputError(
                f"{folder}: expected a folder of ANI networks, with one *.params, sae_linfit.dat "
                "and train0/networks, train1/networks, …, got something else; check the path"
            )
        info = NeurochemInfo(energies, constants[0], Path(folder, "train"), len(members))
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)  # in float32, self energies are rounded to 0.1 meV
        try:
            features, networks, self_energies, symbols = modules_from_info(info)
            network = Network(symbols, features, networks, self_energies)
        finally:
            torch.set_default_dtype(default)
        super().__init__(network.to(device).requires_grad_(False))

    def calculate(
        self,
        atoms=None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """ASE's entry point: fills ``results`` with the properties."""
        super().calculate(atoms, list(properties), list(system_changes))
        if "energies" in properties:
            species, positions, cell, periodic = from_ase(self.atoms, self._device, self._dtype)
            energies = self.model.atomic_energies((species, positions), cell, periodic).energies
            self.results["energies"] = energies[0].numpy(force=True) * Hartree  # (atoms,)

    def get_hessian(self, atoms: Atoms) -> np.ndarray:
        """Second derivatives of the energy by automatic differentiation: (3 atoms, 3 atoms), eV/Å².

        The networks' activation, CELU, has a second derivative that jumps, so differences of forces
        over 0.004 Å are off by up to some eV/Å².
        """
        species, positions, cell, periodic = from_ase(atoms, self._device, self._dtype)
        results = single_point(self.model, species, positions, cell, periodic, hessians=True)
        return results["hessians"][0].numpy(force=True) * Hartree
