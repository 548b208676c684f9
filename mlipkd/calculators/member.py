"""The member: a calculator asked for all configurations of a dataset, one after the other.

A configuration that the calculator cannot compute gets NaN for every label, and its reason is kept.
"""

import importlib.metadata
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import BaseCalculator, all_changes
from ase.stress import voigt_6_to_full_3x3_stress

from mlipkd import artefacts, provenance
from mlipkd.calculators.load import load_calculator
from mlipkd.config.calculator import CALCULATOR, SEED
from mlipkd.config.settings import CalculatorSettings
from mlipkd.datasets.atoms import PROPERTIES, atoms_of
from mlipkd.datasets.dataset import LABELS, Dataset, columns_of, row_offsets
from mlipkd.datasets.normal_modes import blocks
from mlipkd.datasets.stationary_points import hessian
from mlipkd.errors import InputError
from mlipkd.imports import in_words
from mlipkd.openmp import one_thread
from mlipkd.progress import progress

#: Packages that take all cores for the smallest molecule.
ONE_THREAD = {"tblite"}


def is_calculator(path: Path) -> bool:
    """Whether what stands for a member is the settings of a calculator, and no model file."""
    return Path(path).suffix in (".yaml", ".yml")


class CalculatorMember:
    """The one member of a calculator's family."""

    def __init__(self, path: Path) -> None:
        """Read a settings file and make its calculator.

        Raises:
            InputError: faulty settings, or a calculator that cannot be made.
        """
        settings = CalculatorSettings.read(path)
        self.calculator = load_calculator(str(path), settings.calculator)
        self.sha256 = artefacts.sha256(path)
        self.metadata = provenance.record(
            dataset=settings.dataset,
            dataset_sha256=None,  # it was not trained on any
            family=settings.family,
            model=CALCULATOR,
            seed=SEED,
            calculator=settings.calculator.model_dump(mode="json"),
            packages=_versions(self.calculator),
        )

    @property
    def quantities(self) -> list[str]:
        """The labels that the calculator gives; stress only of what is periodic."""
        given = self.calculator.implemented_properties
        return [label for label in PROPERTIES if PROPERTIES[label] in given]

    def threads(self) -> AbstractContextManager[None]:
        """Within, it takes no more threads than are good for it."""
        return one_thread() if _packages(self.calculator) & ONE_THREAD else nullcontext()

    def predict(
        self, dataset: Dataset, quantities: Sequence[str]
    ) -> tuple[dict[str, np.ndarray], dict[int, str]]:
        """Labels of all configurations, and why there are none for some of them.

        Returns:
            For each quantity an array of the dataset's layout, float64, eV and Å, NaN where the
            calculator failed; and the reasons of failures by the number of the configuration.
        """
        rows = {quantity: row_offsets(quantity, dataset.offsets) for quantity in quantities}
        values = {
            quantity: np.full((ends[-1], *columns_of(quantity)), np.nan)
            for quantity, ends in rows.items()
        }
        failed = {}
        with self.threads():
            for m in progress(range(len(dataset)), len(dataset), "configurations"):
                try:
                    found = self._labels(atoms_of(dataset, m), quantities)
                except Exception as error:  # calculators raise anything
                    failed[m] = in_words(error)
                    continue
                for quantity, label in found.items():
                    own = values[quantity][slice(*rows[quantity][m : m + 2])]
                    own[:] = label.reshape(own.shape)
        return values, failed

    def _labels(self, atoms: Atoms, quantities: Sequence[str]) -> dict[str, np.ndarray]:
        """One configuration's labels; all are there and finite, or an error is raised."""
        given = [quantity for quantity in quantities if quantity in PROPERTIES]
        properties = [PROPERTIES[quantity] for quantity in given]
        # All changed, for calculators that start from what they found last: labels then don't
        # depend on the order of the configurations, and nothing stays from one that failed.
        self.calculator.results = {}
        self.calculator.calculate(atoms, properties, all_changes)
        found = {}
        for quantity, name in zip(given, properties, strict=True):
            if self.calculator.results.get(name) is None:
                raise ValueError(f"no {name} in its results")
            label = np.asarray(self.calculator.results[name], float)
            if name == "stress" and label.shape == (6,):
                label = voigt_6_to_full_3x3_stress(label)
            wanted = tuple(len(atoms) if axis == "atoms" else axis for axis in LABELS[quantity][0])
            if label.shape != wanted:
                raise ValueError(f"{name} of shape {label.shape} instead of {wanted}")
            if not np.isfinite(label).all():
                raise ValueError(f"{name} not finite")
            found[quantity] = label
        if "hessian" in quantities:
            atoms.calc = self.calculator
            found["hessian"] = blocks(hessian(atoms))
            if not np.isfinite(found["hessian"]).all():
                raise ValueError("forces of displaced atoms not finite")
        return found


def refuse_most(where: str, reasons: Collection[str], asked: int) -> None:
    """Refuse a calculator that failed on more than half of what it was asked.

    Raises:
        InputError: with the first reason.
    """
    if 2 * len(reasons) > asked:
        raise InputError(
            f"{where}: wanted labels of most of {asked} configurations, but the calculator failed "
            f"on {len(reasons)} of them, on the first for this reason: {next(iter(reasons))}; see "
            "whether calculator.options and the elements are what it is made for"
        )


def counted(reasons: Collection[str]) -> str:
    """Reasons in words, the most frequent first."""
    return "; ".join(f"{n} × {reason}" for reason, n in Counter(reasons).most_common())


def _packages(calculator: BaseCalculator) -> set[str]:
    """The packages that a calculator's class and its bases come from."""
    return {own.__module__.partition(".")[0] for own in type(calculator).__mro__}


def _versions(calculator: BaseCalculator) -> dict[str, str]:
    """Their versions, by the names they are installed by."""
    installed = importlib.metadata.packages_distributions()
    names = {name for root in _packages(calculator) for name in installed.get(root, ())}
    return {name: importlib.metadata.version(name) for name in sorted(names)}
