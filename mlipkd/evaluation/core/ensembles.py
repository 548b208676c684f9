"""Ensembles: the members of one family and model, and what they and their mean predict."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from ase.calculators.calculator import BaseCalculator

from mlipkd.calculators.labelling import (
    CalculatorMember,
    is_calculator,
    refuse_if_most_failed,
    summarised,
)
from mlipkd.calculators.load import accommodated
from mlipkd.config.functions import SEED
from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.file import DatasetFile
from mlipkd.deploy.ase import MLIPKD
from mlipkd.errors import InputError
from mlipkd.evaluation.core.rows import ENSEMBLE, Row, Source, made_by
from mlipkd.hipnn.file import Potential, load_potential
from mlipkd.hipnn.network import HIPNN
from mlipkd.hipnn.prediction import predict_members
from mlipkd.jobs import artefacts


@dataclass
class Ensemble:
    """The members of one family and model."""

    dataset: str
    family: str
    model: str
    species: list[int] | None
    """Atomic numbers that the members know; none of calculators, which do not say."""
    members: dict[int, Potential] = field(default_factory=dict)
    """Potentials by seed."""

    def predictions(
        self, dataset: Dataset, quantities: Sequence[str]
    ) -> Iterator[tuple[int | str, dict[str, np.ndarray]]]:
        """What each member predicts, by seed, and then, of several, what their mean does.

        NaN is where a calculator failed.

        Raises:
            InputError: a trained member's prediction is not finite.
        """
        predicted = predict_together(list(self.members.values()), dataset, quantities)
        for number, seed in enumerate(self.members):
            if not all(np.isfinite(predicted[quantity][number]).all() for quantity in quantities):
                raise InputError(
                    f"{self.family}/{self.model} seed {seed}: expected finite predictions of "
                    f"{dataset.name}, got NaN or infinity; train that member again or remove it"
                )
        for number, seed in enumerate(self.members):
            yield seed, {quantity: predicted[quantity][number] for quantity in quantities}
        if len(self.members) > 1:
            yield ENSEMBLE, {quantity: predicted[quantity].mean(0) for quantity in quantities}

    def calculators(self) -> Iterator[tuple[int | str, BaseCalculator]]:
        """Each member as an ASE calculator, by its seed, and then, of several, their mean."""
        for seed, potential in self.members.items():
            yield seed, MLIPKD(potential, potential.device)
        if len(self.members) > 1:
            together = list(self.members.values())
            yield ENSEMBLE, MLIPKD(together, together[0].device)

    def notes(self) -> list[str]:
        """What a reader of the rows should know about them."""
        return []

    def row(self, seed: int | str, metric: str, value: float, unit: str, subset: str = "") -> Row:
        """A row about one member, or about their mean."""
        return Row(self.dataset, self.family, self.model, seed, metric, value, unit, subset)


@dataclass(kw_only=True)
class CalculatorEnsemble(Ensemble):
    """A calculator, in the place of an ensemble of one."""

    calculator: CalculatorMember
    requested: int = 0
    """Configurations whose predictions were requested so far."""
    failed: list[str] = field(default_factory=list)
    """Why there are none of some."""

    def predictions(
        self, dataset: Dataset, quantities: Sequence[str]
    ) -> Iterator[tuple[int | str, dict[str, np.ndarray]]]:
        """What the calculator predicts, of those quantities that it gives."""
        given = [quantity for quantity in quantities if quantity in self.calculator.quantities]
        predicted, failed = self.calculator.predict(dataset, given)
        self.requested += len(dataset)
        self.failed += failed.values()
        yield SEED, predicted

    def calculators(self) -> Iterator[tuple[int | str, BaseCalculator]]:
        """The calculator itself."""
        with accommodated(self.calculator.calculator):
            yield SEED, self.calculator.calculator

    def notes(self) -> list[str]:
        """How often it failed, if it did.

        Raises:
            InputError: on more than half of the configurations.
        """
        if not self.failed:
            return []
        refuse_if_most_failed(f"{self.family}/{self.model}", self.failed, self.requested)
        return [
            f"{self.family}/{self.model}: {len(self.failed)} of {self.requested} configurations "
            f"are left out, where the calculator failed: {summarised(self.failed)}"
        ]


def predict_together(
    potentials: Sequence[Potential], dataset: Dataset, quantities: Sequence[str]
) -> dict[str, np.ndarray]:
    """What each member predicts, in one pass: arrays with a leading dimension for the members."""
    ensemble = HIPNN.ensemble([potential.model for potential in potentials])
    return predict_members(ensemble, dataset, quantities)


def load_ensembles(
    paths: Sequence[Path], device: torch.device
) -> tuple[list[Ensemble], list[Source]]:
    """Load model files and put those of one family and model together; settings of calculators
    stand for one member each.

    Raises:
        InputError: a file is damaged, or a member is given twice.
    """
    ensembles: dict[tuple[str, str, str], Ensemble] = {}
    sources, seen = [], set()
    for path in paths:
        member = CalculatorMember(path) if is_calculator(path) else load_potential(path, device)
        record = member.metadata
        key = record["dataset"], record["family"], record["model"]
        if (key, record["seed"]) in seen:
            raise InputError(
                f"{path}: expected each member once, got seed {record['seed']} of "
                f"{record['family']}/{record['model']} twice; leave one of the two out"
            )
        seen.add((key, record["seed"]))
        if isinstance(member, CalculatorMember):
            ensembles[key] = CalculatorEnsemble(*key, species=None, calculator=member)
        else:
            ensemble = ensembles.setdefault(key, Ensemble(*key, record["species"]))
            ensemble.members[record["seed"]] = member
        sources.append(source_of(path, member))
    return list(ensembles.values()), sources


def notes_of(ensembles: Sequence[Ensemble]) -> list[str]:
    """What a reader of the rows of all of them should know; raises as their notes do."""
    return [note for ensemble in ensembles for note in ensemble.notes()]


def source_of(path: Path, member: Potential | CalculatorMember) -> Source:
    """A model file, or the settings of a calculator, as a source of rows."""
    digest = member.sha256 if isinstance(member, CalculatorMember) else artefacts.verify(path)
    return Source(str(path), digest, [made_by(member.metadata)])


def dataset_source(dataset: DatasetFile) -> Source:
    """A dataset as a source of rows."""
    return Source(str(dataset.path), dataset.sha256, [made_by(dataset.provenance)])
