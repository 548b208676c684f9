"""A trained potential as a model of torch-sim, for batches of systems.

torch-sim: https://github.com/radical-ai/torch-sim, doi 10.5281/zenodo.15127004.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from ase import Atoms
from torch_sim.models.interface import ModelInterface
from torch_sim.state import SimState

from mlipkd.hipnn.file import Potential, load_members
from mlipkd.hipnn.network import HIPNN
from mlipkd.neighbours.chunks import chunks
from mlipkd.neighbours.rows import Sums
from mlipkd.neighbours.verlet import VerletBatch


class MLIPKD(ModelInterface):
    """The torch-sim model of a model file: ``MLIPKD("model.safetensors")``.

    Energy eV, forces eV/Å and, on demand, stress eV/Å^3. Its ``dtype``, which torch-sim gives to
    positions and momenta, is float64 whatever the precision of the weights: wrapping positions into
    the cell after each step would round them in float32. Of several files, the members of an
    ensemble, it gives the mean.
    """

    def __init__(
        self,
        path: str | Path | Potential | Sequence[str | Path | Potential],
        device: torch.device | str = "cpu",
        skin: float = 1.0,
        compute_stress: bool = False,
    ) -> None:
        """Load a model file, or several of one architecture.

        Args:
            path: a model.safetensors, those of the members of an ensemble, or what was read from
                them.
            device: where to compute.
            skin: of the Verlet lists, Å: larger ones are rebuilt less often, but hold more pairs.
            compute_stress: whether the results hold the stress.

        Raises:
            InputError: missing, damaged, not a model file, or of another architecture.
        """
        super().__init__()
        members = load_members(path, device)
        self.network = HIPNN.ensemble([member.model for member in members]).to(device)
        self._device, self._dtype = torch.device(device), torch.float64
        self._compute_stress, self._compute_forces = compute_stress, True
        cutoff = self.network.architecture.hard_max
        self.neighbours = VerletBatch(
            self.network.species, cutoff, skin, self.network.dtype, device
        )

    def forward(self, state: SimState | dict, **_) -> dict[str, torch.Tensor]:
        """Energy (systems,), forces (atoms, 3) and, on demand, stress (systems, 3, 3)."""
        if not isinstance(state, SimState):
            state = SimState(**state)
        neighbours = self.neighbours
        neighbours.update(structures_of(state))
        systems = neighbours.systems
        energy = torch.zeros(state.n_systems, dtype=torch.float64, device=self.device)
        virial = torch.zeros(state.n_systems, 3, 3, dtype=torch.float64, device=self.device)
        sums = Sums(neighbours.rows)
        for chunk, pairs, energies, gradients in chunks(self.network, neighbours):
            gradient = gradients.mean(0)  # (atoms, neighbours, 3)
            energy.index_add_(0, systems[chunk], energies.mean(0))
            sums.add(chunk, pairs, gradient)
            if self.compute_stress:
                per_atom = torch.einsum("ija,ijb->iab", pairs.vectors, gradient)
                virial.index_add_(0, systems[chunk], per_atom.double())
        results = {"energy": energy, "forces": sums.forces()}
        if self.compute_stress:
            results["stress"] = virial / neighbours.volumes[:, None, None]
        return {name: values.to(state.dtype) for name, values in results.items()}


def structures_of(state: SimState) -> list[Atoms]:
    """The systems of a state as ASE structures with periodicity, positions and cell, Å."""
    numbers, positions = state.atomic_numbers.cpu().numpy(), state.positions.cpu().numpy()
    cells = state.row_vector_cell.cpu().numpy()
    bounds = state.n_atoms_per_system.cumsum(0).tolist()
    return [
        Atoms(
            numbers=numbers[first:last], positions=positions[first:last], cell=cell, pbc=state.pbc
        )
        for first, last, cell in zip([0, *bounds[:-1]], bounds, cells, strict=True)
    ]
