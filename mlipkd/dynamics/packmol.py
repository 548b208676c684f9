"""Molecules in a box by packmol: L. Martínez et al., J. Comput. Chem. 30, 2157 (2009), doi
10.1002/jcc.21224."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms

from mlipkd.errors import InputError

#: Its usual tolerance, Å.
USUAL = 2.0


def pack(
    molecules: Sequence[tuple[np.ndarray, int]],
    side: float,
    seed: int,
    tolerances: Sequence[float] = (USUAL,),
) -> tuple[np.ndarray, str]:
    """Put molecules into a cubic box, half a tolerance away from the walls.

    Molecules on both sides of a wall are then a tolerance apart.

    Args:
        molecules: positions (atoms, 3) in Å, and how many of each there are.
        side: of the box, Å.
        seed: of places and orientations.
        tolerances: how far apart atoms of different molecules are, Å: the first that succeeds.

    Returns:
        Positions (all atoms, 3), molecules in their order; and what did it, in words.

    Raises:
        InputError: packmol is not installed, or cannot pack so densely.
    """
    program = shutil.which("packmol")
    if program is None:
        raise InputError(
            "wanted the program packmol, which is not installed; install it (Debian: apt-get "
            "install packmol)"
        )
    for tolerance in tolerances:
        with tempfile.TemporaryDirectory() as folder:
            for number, (positions, _) in enumerate(molecules):
                one = Atoms(f"X{len(positions)}", positions)
                ase.io.write(Path(folder, f"molecule{number}.xyz"), one, format="xyz")
            words = _input([count for _, count in molecules], side, tolerance, seed)
            Path(folder, "input").write_text(words)
            with open(Path(folder, "input")) as given:  # a file: packmol reads it twice
                done = subprocess.run(
                    [program], stdin=given, cwd=folder, capture_output=True, text=True, check=False
                )
            if "Success!" in done.stdout:
                packed = next(ase.io.iread(Path(folder, "packed.xyz"), format="xyz"))
                version = done.stdout.partition("Version")[2].split()[0]
                return packed.get_positions(), f"packmol {version}, {tolerance} Å apart"
    raise InputError(
        f"wanted {sum(count for _, count in molecules)} molecules packed into a box of {side:.2f} "
        f"Å, {min(tolerances)} Å apart; {program} could not "
        f"({(done.stderr or done.stdout).strip()[-100:]!r}); lower the density"
    )


def _input(counts: Sequence[int], side: float, tolerance: float, seed: int) -> str:
    low, high = tolerance / 2, side - tolerance / 2
    structures = [
        f"""\
structure molecule{number}.xyz
  number {count}
  inside box {low} {low} {low} {high} {high} {high}
end structure
"""
        for number, count in enumerate(counts)
    ]
    head = f"tolerance {tolerance}\nfiletype xyz\noutput packed.xyz\nseed {seed}\n"
    return head + "".join(structures)
