"""The pairs of one big system: rows of a Verlet list, their vectors, and sums of forces.

By compiled kernels on the CPU, where they are built, or else in NumPy and PyTorch. A pair is the
sender's number and the number of a periodic image; ``shifts`` (images, 3), Å, is what an image
adds to a position. Opposite images have numbers that add up to the last one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mlipkd.hipnn.engines.cpu.library import call, library


@dataclass
class Rows:
    """The neighbours of all atoms, sorted by element and distance, in rows of equal length."""

    senders: Tensor  # (atoms, neighbours) int32; unused slots name the atom of the row
    images: Tensor  # (atoms, neighbours) int32
    bounds: Tensor  # (atoms, elements + 1) int32, where each element's neighbours start
    shifts: Tensor  # (images, 3) float64, Å

    def to(self, device: torch.device) -> "Rows":
        """The rows on a device."""
        tensors = (self.senders, self.images, self.bounds, self.shifts)
        return Rows(*(tensor.to(device) for tensor in tensors))


def make_rows(
    i: np.ndarray,
    j: np.ndarray,
    images: np.ndarray,
    shifts: np.ndarray,
    positions: np.ndarray,
    elements: np.ndarray,
    number: int,
) -> Rows:
    """Rows from pairs of which each is given in one direction.

    Args:
        i: (pairs,) int64.
        j: (pairs,) int64.
        images: (pairs,) int32, of j as i sees it.
        shifts: (images, 3) float64, Å.
        positions: (atoms, 3) float64, Å.
        elements: (atoms,) int64, which of the model's elements each atom is.
        number: of elements.
    """
    atoms, last = len(positions), len(shifts) - 1
    width = int((np.bincount(i, minlength=atoms) + np.bincount(j, minlength=atoms)).max(initial=0))
    if library() is None:
        return _rows_by_sorting(i, j, images, shifts, positions, elements, number, width)
    given = [
        torch.from_numpy(np.ascontiguousarray(array))
        for array in (i, j, images, positions, shifts, elements)
    ]
    senders, row_images = (torch.empty(atoms, width, dtype=torch.int32) for _ in range(2))
    bounds = torch.empty(atoms, number + 1, dtype=torch.int32)
    sizes = (len(i), *given[:3], atoms, width, number, last)
    out = (senders, row_images, bounds)
    call("verlet_rows", None, *sizes, *given[3:], torch.get_num_threads(), *out)
    return Rows(senders, row_images, bounds, given[4])


def _rows_by_sorting(i, j, images, shifts, positions, elements, number, width) -> Rows:
    atoms, last = len(positions), len(shifts) - 1
    i, j = np.concatenate([i, j]), np.concatenate([j, i])
    images = np.concatenate([images, last - images])
    distances = np.linalg.norm(positions[j] - positions[i] + shifts[images], axis=1)
    order = np.lexsort((images, j, distances, elements[j], i))
    i, j, images = i[order], j[order], images[order]
    counts = np.bincount(i * number + elements[j], minlength=atoms * number)
    bounds = np.zeros((atoms, number + 1), np.int32)
    np.cumsum(counts.reshape(atoms, number), axis=1, out=bounds[:, 1:])
    starts = np.cumsum(bounds[:, -1]) - bounds[:, -1]  # (atoms,)
    slots = np.arange(len(i)) - starts[i]
    senders = np.repeat(np.arange(atoms, dtype=np.int32)[:, None], width, axis=1)
    row_images = np.full((atoms, width), last // 2, np.int32)
    senders[i, slots], row_images[i, slots] = j, images
    tensors = (torch.from_numpy(array) for array in (senders, row_images, bounds, shifts))
    return Rows(*tensors)


def nearest_neighbours(rows: Rows, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance (Å) to every atom's nearest neighbour, infinite without any, and which it is.

    Args:
        rows: new ones, so that the first neighbours of each element are the closest.
        positions: (atoms, 3) float64, Å.

    Returns:
        (atoms,) and (atoms,).
    """
    atoms, width = rows.senders.shape
    if width == 0:
        return np.full(atoms, np.inf), np.arange(atoms)
    bounds, senders, images = (t.numpy() for t in (rows.bounds, rows.senders, rows.images))
    row = np.arange(atoms)
    slots = np.minimum(bounds[:, :-1], width - 1)  # (atoms, elements)
    others = senders[row[:, None], slots]
    vectors = positions[others] - positions[:, None]
    vectors += rows.shifts.numpy()[images[row[:, None], slots]]  # (atoms, elements, 3)
    squares = np.einsum("nsa,nsa->ns", vectors, vectors)
    squares[bounds[:, :-1] == bounds[:, 1:]] = np.inf  # none of this element
    nearest = squares.argmin(1)
    return np.sqrt(squares[row, nearest]), others[row, nearest]


def reverse_slots(rows: Rows) -> Tensor:
    """For the slot of (i ← j) that of (j ← i): (atoms * neighbours,) int64."""
    (atoms, width), last = rows.senders.shape, len(rows.shifts) - 1
    if rows.senders.device.type == "cpu" and library() is not None:
        out = torch.empty(atoms * width, dtype=torch.int64)
        tensors = (rows.senders, rows.images, rows.bounds, torch.get_num_threads(), out)
        call("verlet_reverse", None, atoms, width, rows.bounds.shape[1] - 1, last, *tensors)
        return out
    receivers = torch.arange(atoms, device=rows.senders.device)[:, None].expand(atoms, width)
    slots = torch.arange(width, device=receivers.device)
    filled = slots < rows.bounds[:, -1:]  # (atoms, neighbours)
    i, j, image = receivers[filled], rows.senders[filled].long(), rows.images[filled].long()
    forth, back = (i * atoms + j) * (last + 1) + image, (j * atoms + i) * (last + 1) + last - image
    place = (receivers * width + slots)[filled]
    out = torch.arange(atoms * width, device=receivers.device)
    out[place[forth.argsort()]] = place[back.argsort()]
    return out


@dataclass
class Pairs:
    """The pairs of some of the atoms."""

    vectors: Tensor  # (atoms, neighbours, 3), R_j - R_i + shift, Å
    senders: Tensor  # (atoms, neighbours) int32
    bounds: Tensor  # (atoms, elements + 1) int32


def within(
    rows: Rows, chunk: slice, positions: Tensor, cutoff: float, far: float, dtype: torch.dtype
) -> Pairs:
    """The pairs of a chunk of atoms that are within the cut-off; a list also holds pairs beyond it.

    Args:
        rows: the neighbours of all atoms.
        chunk: first and last atom.
        positions: (atoms, 3) float64, Å, of all atoms.
        cutoff: Å; infinity keeps the slots as they are in the rows.
        far: Å, length of the vectors of unused slots.
        dtype: of the vectors.
    """
    senders, images, bounds = rows.senders[chunk], rows.images[chunk], rows.bounds[chunk]
    number, width = senders.shape
    if senders.device.type == "cpu" and library() is not None:
        vectors = torch.empty(number, width, 3, dtype=dtype)
        near, starts = torch.empty_like(senders), torch.empty_like(bounds)
        sizes = (chunk.start, number, width, rows.bounds.shape[1] - 1)
        tables = (rows.shifts, rows.senders, rows.images, rows.bounds)
        out = (cutoff, far, torch.get_num_threads(), vectors, near, starts)
        call("verlet_within", dtype, *sizes, positions, *tables, *out)
        return Pairs(vectors, near, starts)
    vectors = positions[senders] - positions[chunk, None] + rows.shifts[images]
    filled = torch.arange(width, device=vectors.device) < bounds[:, -1:]
    unused = vectors.new_tensor([far, 0, 0])
    return Pairs(torch.where(filled[..., None], vectors, unused).to(dtype), senders, bounds)


class Sums:
    """Forces and virial of a system, summed over its pairs chunk after chunk."""

    def __init__(self, rows: Rows) -> None:
        on_cpu = rows.senders.device.type == "cpu" and library() is not None
        # Kernels have an array for each thread; they are added in order, so that it is repeatable.
        self._threads = torch.get_num_threads() if on_cpu else 0
        parts = self._threads or 1
        zeros = rows.shifts.new_zeros  # float64
        self._forces, self._virials = zeros(parts, len(rows.senders), 3), zeros(parts, 3, 3)

    def add(self, chunk: slice, pairs: Pairs, gradient: Tensor) -> None:
        """Add a chunk's ∂E/∂vectors, (atoms, neighbours, 3)."""
        vectors, senders, bounds = pairs.vectors, pairs.senders, pairs.bounds
        if self._threads:
            number, width = senders.shape
            sizes = (chunk.start, number, width, bounds.shape[1] - 1, self._forces.shape[1])
            given = (tensor.contiguous() for tensor in (senders, bounds, vectors, gradient))
            out = (self._threads, self._forces, self._virials)
            call("verlet_spread", vectors.dtype, *sizes, *given, *out)
            return
        gradient = gradient.double()
        self._forces[0, chunk] += gradient.sum(1)
        self._forces[0].index_add_(0, senders.long().flatten(), -gradient.flatten(0, 1))
        self._virials[0] += torch.einsum("ija,ijb->ab", vectors.double(), gradient)

    def forces(self) -> Tensor:
        """(atoms, 3), eV/Å."""
        return self._forces.sum(0)

    def virial(self) -> Tensor:
        """Σ d ⊗ ∂E/∂d: (3, 3), eV; the stress times the volume."""
        return self._virials.sum(0)
