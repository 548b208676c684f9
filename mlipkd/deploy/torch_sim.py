"""A trained potential as a model of torch-sim, for batches of systems.

torch-sim: https://github.com/radical-ai/torch-sim, doi 10.5281/zenodo.15127004.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from torch_sim.models.interface import ModelInterface
from torch_sim.state import SimState

from mlipkd.errors import InputError
from mlipkd.hipnn.file import Potential, load_members
from mlipkd.hipnn.network import HIPNN
from mlipkd.jobs.device import device_of
from mlipkd.neighbours.chunks import chunks
from mlipkd.neighbours.rows import Sums
from mlipkd.neighbours.verlet import VerletBatch


class MLIPKD(ModelInterface):
    """The torch-sim model of a model file: ``MLIPKD("model.safetensors")``.

    Energy eV, forces eV/Å and, on demand, stress eV/Å^3. Its ``dtype``, which torch-sim gives to
    positions and momenta, is float64 whatever the precision of the weights: wrapping positions into
    the cell after each step would round them in float32. Of several files, the members of an
    ensemble, it gives the mean.

    Where a state has a flag of periodicity for each direction, slabs are slabs. torch-sim 0.3 has
    one flag for all, and makes a slab a cluster in a cell: that is refused.
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
            compute_stress: whether the results hold the stress, of systems with a volume.

        Raises:
            InputError: missing, damaged, not a model file, or of another architecture; a device
                that is not there; a negative skin.
        """
        super().__init__()
        device = device_of(device)
        members = load_members(path, device)
        self.network = HIPNN.ensemble([member.model for member in members]).to(device)
        self._device, self._dtype = device, torch.float64
        self._compute_stress, self._compute_forces = compute_stress, True
        cutoff = self.network.architecture.hard_max
        self.neighbours = VerletBatch(
            self.network.species, cutoff, skin, self.network.dtype, device
        )

    def forward(self, state: SimState | dict, **_) -> dict[str, torch.Tensor]:
        """Energy (systems,), forces (atoms, 3) and, on demand, stress (systems, 3, 3).

        Raises:
            InputError: a system that ``VerletList.update`` refuses; that has a cell, but may be
                periodic in some directions only; or that has no volume, with ``compute_stress``.
        """
        if not isinstance(state, SimState):
            state = SimState(**state)
        with self.neighbours.lock:
            return self._evaluate(state)

    def _evaluate(self, state: SimState) -> dict[str, torch.Tensor]:
        neighbours = self.neighbours
        neighbours.update(structures_of(state))
        if self.compute_stress and not bool((neighbours.volumes > 0).all()):
            system = int((neighbours.volumes == 0).nonzero()[0])
            raise InputError(
                f"stress: expected systems with a volume, got none for system {system}; give it a "
                "cell, or load the model with compute_stress=False"
            )
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
    """The systems of a state as ASE structures with periodicity, positions and cell, Å.

    Raises:
        InputError: the state has one flag for three directions, which is false, and a cell.
    """
    numbers, positions = state.atomic_numbers.cpu().numpy(), state.positions.cpu().numpy()
    cells = state.row_vector_cell.cpu().numpy()
    flags = torch.as_tensor(state.pbc).cpu().numpy()  # (), (3,) or (systems, 3)
    if flags.ndim == 0 and not flags and cells.any():
        system = int(np.flatnonzero(cells.any((1, 2)))[0])
        raise InputError(
            f"torch-sim: expected systems that are periodic in all directions, or free and without "
            f"a cell, got pbc False and a cell for system {system}; this version of torch-sim has "
            "one flag for all directions, so that nothing tells a slab from a free cluster. Make a "
            "slab periodic in all directions, with enough vacuum, before it becomes a state; set "
            "the cell of a free cluster to zero (atoms.cell = None); or take the ASE calculator"
        )
    periodic = np.broadcast_to(flags, (len(cells), 3))
    bounds = state.n_atoms_per_system.cumsum(0).tolist()
    return [
        Atoms(numbers=numbers[first:last], positions=positions[first:last], cell=cell, pbc=pbc)
        for first, last, cell, pbc in zip([0, *bounds[:-1]], bounds, cells, periodic, strict=True)
    ]
