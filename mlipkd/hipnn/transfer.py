"""Transfer: a model of one dataset, to be asked about another."""

from dataclasses import replace

from mlipkd.datasets.dataset import species_name
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError
from mlipkd.hipnn.file import Potential


def transferred(potential: Potential, dataset: DatasetFile, family: str) -> Potential:
    """The same weights as a member of a family of another dataset.

    Raises:
        InputError: the dataset holds a species that the model was not trained on.
    """
    own = potential.metadata
    known = set(potential.model.species)
    if strangers := [number for number in dataset.species_present if number not in known]:
        names = ", ".join(species_name(number, dataset.beads) for number in strangers)
        raise InputError(
            f"{dataset.path}: expected species that {own['dataset']}/{own['family']} was trained "
            f"on, got {names} besides; train it on data that has them"
        )
    origin = {key: own[key] for key in ("dataset", "family")}
    new = {"dataset": dataset.name, "family": family, "transferred_from": origin}
    return replace(potential, metadata=own | new)
