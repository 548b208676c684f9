"""Reference labels that a calculator computes, of configurations that are given."""

from dataclasses import replace

from mlipkd.calculators.labelling import counted, labels_of, quantities_of, refuse_most
from mlipkd.calculators.load import load_calculator, versions
from mlipkd.checks.hessians import periodic_hessians
from mlipkd.config.functions import Calculator
from mlipkd.datasets.dataset import Dataset
from mlipkd.errors import InputError


def label(dataset: Dataset, settings: Calculator, hessians: bool) -> Dataset:
    """The same with energies, with forces if the calculator gives them, and with Hessians if asked.

    Where the calculator fails, labels are missing, and a note says how often and why.

    Raises:
        InputError: the calculator cannot be made, or fails on more than half of the configurations;
            or Hessians are asked for where there is a cell or no force.
    """
    calculator = load_calculator(dataset.name, settings)
    given = quantities_of(calculator)
    asked = [quantity for quantity in given if quantity in ("energy", "forces")]
    if hessians:
        if "hessian" not in given:
            raise InputError(
                f"{dataset.name}: expected a calculator with forces for Hessians, got "
                f"{settings.type}, which gives {', '.join(given)}; choose another"
            )
        if faults := periodic_hessians(dataset):
            raise InputError("\n".join(faults))
        asked.append("hessian")
    labels, failed = labels_of(calculator, dataset, asked)
    refuse_most(dataset.name, failed.values(), len(dataset))
    facts: dict[str, object] = {"packages": versions(calculator)}
    if failed:
        note = (
            f"no labels for {len(failed)} of {len(dataset)} configurations, where the calculator "
            f"failed: {counted(failed.values())}"
        )
        facts |= {"masked": asked, "notes": [*dataset.provenance["notes"], note]}
    return replace(
        dataset, labels={"reference": labels}, provenance={**dataset.provenance, **facts}
    )
