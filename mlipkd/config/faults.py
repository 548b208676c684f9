"""Faults between sections of a campaign, each with its place and the remedy.

What is wrong within a section, pydantic finds when it reads that section; what is wrong between
them is found here, once all are read.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlipkd.config.origins import lineage

if TYPE_CHECKING:
    from mlipkd.config.campaign import Campaign, DatasetSection

#: Folders of results/ that no dataset may be named like.
TAKEN = ("figures", "recommended", "simulations", "tables")


class Faults(ValueError):
    """Faults between sections: a list of (YAML path, what is wrong and the remedy)."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {text}" for path, text in faults))
        self.faults = faults


def faults(campaign: "Campaign") -> Iterator[tuple[str, str]]:
    """All that is wrong: (YAML path, what is wrong and the remedy)."""
    for name, dataset in campaign.datasets.items():
        for family in dataset.families:
            yield from _family_faults(campaign, name, family)
    for name, dataset in campaign.datasets.items():
        below = f"datasets.{name}.evaluations"
        for where, fault in _recommendation_faults(campaign, dataset):
            yield f"{below}.recommended{where}", fault
        for where, fault in _rdf_faults(dataset):
            yield f"{below}.rdf{where}", fault
        if dataset.evaluations.distributions and not dataset.evaluations.replicas:
            wanted = "wanted replicas to take them of; add evaluations.replicas"
            yield f"{below}.distributions", wanted
        for where, fault in _states_faults(dataset):
            yield f"{below}.{where}", fault
        yield from _simulation_faults(campaign, name)
    for taken in TAKEN:
        if taken in campaign.datasets:
            yield f"datasets.{taken}", f"results/{taken} holds the {taken}; rename the dataset"


def _simulation_faults(campaign: "Campaign", dataset: str) -> Iterator[tuple[str, str]]:
    """What is wrong with the simulation that a dataset is made of."""
    source = campaign.datasets[dataset].source
    if source.reader == "trajectory" and source.simulation not in (None, *campaign.simulations):
        known = ", ".join(campaign.simulations) or "of which there are none"
        yield (
            f"datasets.{dataset}.source.simulation",
            f"wanted one of the campaign's simulations, {known}, got {source.simulation!r}; name "
            "one, or add it to simulations",
        )


def _family_faults(campaign: "Campaign", dataset_name: str, name: str) -> list[tuple[str, str]]:
    """What is wrong with one family in the light of the others."""
    dataset = campaign.datasets[dataset_name]
    family = dataset.families[name]
    path = f"datasets.{dataset_name}.families.{name}"

    if family.recipe is None:  # not trained here, it knows of no other family
        return []
    if family.recipe not in campaign.recipes:
        known = ", ".join(campaign.recipes)
        return [(f"{path}.recipe", f"wanted one of the recipes {known}, got {family.recipe!r}")]
    needs_teacher = campaign.recipes[family.recipe].needs_teacher
    if needs_teacher and family.learns_from is None:
        return [(path, f"recipe {family.recipe!r} asks for a teacher's labels; add learns_from")]
    if not needs_teacher and family.learns_from is not None:
        return [
            (
                f"{path}.learns_from",
                f"recipe {family.recipe!r} has no term with labels: teacher; "
                "remove learns_from, or choose a recipe that uses it",
            )
        ]

    if found := lineage(campaign, dataset_name, name)[1]:
        return found

    if missing := dataset.grid(name).missing():
        return [
            (
                f"{path}.model",
                f"wanted values for {', '.join(missing)}; give them here or in "
                f"datasets.{dataset_name}.model",
            )
        ]
    try:
        models = dataset.architectures(name)
    except ValueError as error:
        return [(f"{path}.model", str(error))]
    for model in models:
        if family.learns_from is not None and dataset.teacher_of(name, model) is None:
            return [
                (
                    f"{path}.learns_from",
                    f"{family.learns_from!r} has several models and none is {model}; "
                    "give the same model to both, or split the teachers into families of one model",
                )
            ]
    if single := _single_teacher_faults(campaign, dataset, name):
        return [(f"{path}.supervision", fault) for fault in single]
    trusts = any(term.trust for term in campaign.recipes[family.recipe].loss)
    if trusts and family.learns_from and len(dataset.seeds(family.learns_from)) < 2:
        return [
            (
                f"{path}.recipe",
                f"{family.recipe!r} has trust, and one member of {family.learns_from!r} has no "
                "spread to go by; let several teach, or choose another recipe",
            )
        ]
    return []


def _recommendation_faults(
    campaign: "Campaign", dataset: "DatasetSection"
) -> Iterator[tuple[str, str]]:
    """What keeps a dataset's recommendation from being made: the key below it, and the fault."""
    wanted = dataset.evaluations.recommended
    if wanted is None:
        return
    yield from _teacher_faults(dataset, wanted.teacher)
    compared = {dataset.families[name].recipe for name in dataset.candidates()}
    if wanted.teacher in dataset.families:
        compared.add(dataset.families[wanted.teacher].recipe)
    for name, recipe in campaign.recipes.items():
        terms = [(term.quantity, term.labels) for term in recipe.loss]
        if name in compared and (wanted.by, "reference") not in terms:
            yield (
                ".by",
                f"wanted a reference term of {wanted.by} in all recipes of {wanted.teacher!r} and "
                f"of families that learn, found none in {name!r}; add one, of weight 0 if it shall "
                "only be measured, or choose the other label",
            )
    if not dataset.candidates():
        yield "", "wanted a family that learns from another, found none; add students"
    if dataset.evaluations.cost is None:
        yield "", "wanted costs to compare; add evaluations.cost"


def _rdf_faults(dataset: "DatasetSection") -> Iterator[tuple[str, str]]:
    """What keeps radial distribution functions from being compared: the same."""
    wanted = dataset.evaluations.rdf
    if wanted is None:
        return
    if dataset.evaluations.liquid is None:
        yield "", "wanted a liquid to take it from; add evaluations.liquid"
    untrained = list(_teacher_faults(dataset, wanted.teacher))
    yield from untrained
    if not untrained and len(models := dataset.models(wanted.teacher)) != 1:
        yield (
            ".teacher",
            f"wanted a family of one model, got {wanted.teacher!r} of {len(models)}; choose "
            "another, or split it",
        )


def _states_faults(dataset: "DatasetSection") -> Iterator[tuple[str, str]]:
    """What is asked of one state where several are pooled: the evaluation, and the fault."""
    if dataset.source.reader == "pooled":
        for evaluation in ("replicas", "distributions"):
            if getattr(dataset.evaluations, evaluation):
                yield (
                    evaluation,
                    f"wanted a dataset of one state, got {', '.join(dataset.source.datasets)} "
                    "pooled, whose mean is the liquid of none; ask it of each of these, with "
                    "transferred_from for the families that are trained here",
                )


def _teacher_faults(dataset: "DatasetSection", teacher: str) -> Iterator[tuple[str, str]]:
    """What is wrong with the family that an evaluation measures others by."""
    trained = [name for name, family in dataset.families.items() if family.recipe]
    if teacher not in trained:
        known = ", ".join(trained)
        yield ".teacher", f"wanted one of the trained families {known}, got {teacher!r}"


def _single_teacher_faults(campaign: "Campaign", dataset: "DatasetSection", name: str) -> list[str]:
    """What is wrong with a family whose seeds learn from a teacher each, if it is one."""
    family = dataset.families[name]
    if family.supervision != "single":
        return []
    if family.learns_from is None:
        return ["wanted learns_from beside single; add it, or remove supervision"]
    if family.together:
        return [
            "seeds that learn from a teacher each train on other labels each; remove together, or "
            "let the ensemble teach"
        ]
    recipe = campaign.recipes[family.recipe or ""]
    if any(term.trust for term in recipe.loss):
        return [
            f"recipe {family.recipe!r} has trust, and a single teacher has no spread to go by; let "
            "the ensemble teach, or choose another recipe"
        ]
    if strangers := set(dataset.seeds(name)) - set(dataset.seeds(family.learns_from)):
        return [
            f"wanted seeds of {family.learns_from!r}, {dataset.seeds(family.learns_from)}, got "
            f"{sorted(strangers)} besides; choose the seeds among those"
        ]
    return []
