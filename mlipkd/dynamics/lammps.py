"""Dynamics at constant temperature by LAMMPS: opened and advanced like ASE in ``ase.py``."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from ase import Atoms
from ase.units import bar

from mlipkd.deploy.lammps import attach, lammps
from mlipkd.dynamics.trajectories import DAMPING, Advance, FailureWatch, Frame, RunawayError
from mlipkd.hipnn.file import Potential
from mlipkd.units import FEMTOSECOND

#: LAMMPS's unit of velocity in ASE's.
ANGSTROM_PER_PS = 1 / (1000 * FEMTOSECOND)
#: Parts of what LAMMPS says when atoms have flown away.
FLOWN_AWAY = ("Lost atoms", "Non-numeric")


@contextmanager
def lammps_nvt(
    potential: Potential,
    start: Atoms,
    timestep: float,
    closest: float,
    device: torch.device | str = "cpu",
) -> Iterator[Advance]:
    """Open LAMMPS on a periodic structure of one element in a right-angled cell, with momenta.

    Each step is a separate LAMMPS run, after which, as with ASE, the watch looks whether the
    dynamics have failed. That takes 0.3 ms at 2,048 atoms; forces of a small model take 10 ms.

    Args:
        potential: whose forces.
        start: left as it is.
        timestep: fs.
        closest: atoms that come closer have collided, Å.
        device: where forces are computed.
    """
    threads = torch.get_num_threads()
    lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
    torch.set_num_threads(threads)  # which LAMMPS has changed
    watch = FailureWatch(start, closest)
    current: float | None = None  # the temperature of LAMMPS's thermostat

    def advance(temperature: float, steps: int) -> Frame:
        nonlocal current
        if current != temperature:
            if current is not None:
                lmp.command("unfix thermostat")
            lmp.command(f"fix thermostat all nvt temp {temperature} {temperature} {DAMPING / 1000}")
            current = temperature
        for step in range(steps):
            try:
                lmp.command(f"run 1 pre {'no' if step else 'yes'} post no")
            except Exception as error:  # LAMMPS raises no other class
                if any(part in str(error) for part in FLOWN_AWAY):
                    raise RunawayError from error
                raise
            positions, velocities = _state(lmp, len(start))
            moves = velocities * timestep * FEMTOSECOND
            if watch.has_failed(positions, moves, lmp.get_thermo("pe")):
                raise RunawayError
        return _frame(lmp, start)

    try:
        _fill(lmp, start, timestep)
        with attach(lmp, potential, {1: start.symbols[0]}, device):
            yield advance
    finally:
        lmp.close()


def _fill(lmp: lammps, start: Atoms, timestep: float) -> None:
    """Make the box and its atoms."""
    a, b, c = start.cell.lengths()
    lmp.commands_string(
        f"""
        units metal
        timestep {timestep / 1000}
        region cell block 0 {a} 0 {b} 0 {c}
        create_box 1 cell
        mass 1 {start.get_masses()[0]}
        """
    )
    lmp.create_atoms(
        len(start),
        list(range(1, len(start) + 1)),
        [1] * len(start),
        start.get_positions(wrap=True).ravel().tolist(),
        (start.get_velocities() / ANGSTROM_PER_PS).ravel().tolist(),
    )


def _state(lmp: lammps, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions, Å, and velocities in ASE's unit, (atoms, 3) each, in the order of the start."""
    order = np.argsort(lmp.numpy.extract_atom("id", nelem=size))  # (atoms,)
    x, v = (lmp.numpy.extract_atom(name, nelem=size).take(order, axis=0) for name in ("x", "v"))
    return x, v * ANGSTROM_PER_PS


def _frame(lmp: lammps, start: Atoms) -> Frame:
    positions, velocities = _state(lmp, len(start))
    atoms = start.copy()
    atoms.set_positions(positions)
    atoms.set_velocities(velocities)
    return Frame(atoms, lmp.get_thermo("pe"), lmp.get_thermo("press") * bar)
