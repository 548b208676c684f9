"""Faults between sections of a campaign, each with its place and the remedy.

Faults within a section are found by pydantic when it reads that section; those between sections
are found here, once all are read. Many are about what families depend on: families that teach them,
and models and data of other datasets.
"""

from collections.abc import Iterator

from mlipkd.campaign.sections import DatasetSection, Sections
from mlipkd.config.split import Split
from mlipkd.paths import RESERVED
from mlipkd.readers import AnySource


def faults(campaign: Sections) -> Iterator[tuple[str, str]]:
    """All faults between sections: (YAML path, what is wrong and the remedy)."""
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
            missing = "expected replicas to take them of; add evaluations.replicas"
            yield f"{below}.distributions", missing
        for where, fault in _pooled_state_faults(dataset):
            yield f"{below}.{where}", fault
        yield from _simulation_faults(campaign, name)
    for name in RESERVED:
        if name in campaign.datasets:
            yield f"datasets.{name}", f"results/{name} holds the {name}; rename the dataset"


def _family_faults(campaign: Sections, dataset_name: str, name: str) -> list[tuple[str, str]]:
    """Faults of one family, given the others."""
    dataset = campaign.datasets[dataset_name]
    family = dataset.families[name]
    path = f"datasets.{dataset_name}.families.{name}"

    if family.recipe is None:  # not trained here, so it depends on no other family
        return []
    if family.recipe not in campaign.recipes:
        known = ", ".join(campaign.recipes)
        return [(f"{path}.recipe", f"expected one of the recipes {known}, got {family.recipe!r}")]
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

    if broken := lineage(campaign, dataset_name, name)[1]:
        return broken

    if missing := dataset.grid(name).missing():
        return [
            (
                f"{path}.model",
                f"expected values for {', '.join(missing)}; give them here or in "
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


def _single_teacher_faults(campaign: Sections, dataset: DatasetSection, name: str) -> list[str]:
    """Faults of a family, if each of its seeds learns from a different teacher."""
    family = dataset.families[name]
    if family.supervision != "single":
        return []
    if family.learns_from is None:
        return ["expected learns_from with supervision: single; add it, or remove supervision"]
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
    if unknown := set(dataset.seeds(name)) - set(dataset.seeds(family.learns_from)):
        return [
            f"expected seeds of {family.learns_from!r}, {dataset.seeds(family.learns_from)}, got "
            f"{sorted(unknown)} besides; choose the seeds among those"
        ]
    return []


def _recommendation_faults(
    campaign: Sections, dataset: DatasetSection
) -> Iterator[tuple[str, str]]:
    """Faults of a dataset's recommendation: the key below it, and the fault."""
    section = dataset.evaluations.recommended
    if section is None:
        return
    yield from _reference_family_faults(dataset, section.teacher)
    compared = {dataset.families[name].recipe for name in dataset.candidates()}
    if section.teacher in dataset.families:
        compared.add(dataset.families[section.teacher].recipe)
    for name, recipe in campaign.recipes.items():
        terms = [(term.quantity, term.labels) for term in recipe.loss]
        if name in compared and (section.by, "reference") not in terms:
            yield (
                ".by",
                f"expected a reference term of {section.by} in all recipes of {section.teacher!r} "
                f"and of families that learn, found none in {name!r}; add one, of weight 0 if it "
                "shall only be measured, or choose the other label",
            )
    if not dataset.candidates():
        yield "", "expected a family that learns from another, found none; add students"
    if dataset.evaluations.cost is None:
        yield "", "expected costs to compare; add evaluations.cost"


def _rdf_faults(dataset: DatasetSection) -> Iterator[tuple[str, str]]:
    """Faults of comparing radial distribution functions: the key below it, and the fault."""
    section = dataset.evaluations.rdf
    if section is None:
        return
    if dataset.evaluations.liquid is None:
        yield "", "expected a liquid to take it from; add evaluations.liquid"
    untrained = list(_reference_family_faults(dataset, section.teacher))
    yield from untrained
    if not untrained and len(models := dataset.models(section.teacher)) != 1:
        yield (
            ".teacher",
            f"expected a family of one model, got {section.teacher!r} of {len(models)}; choose "
            "another, or split it",
        )


def _pooled_state_faults(dataset: DatasetSection) -> Iterator[tuple[str, str]]:
    """Evaluations of one state, of a dataset that pools several: the evaluation, and the fault."""
    if pooled := dataset.source.needs_datasets:
        for evaluation in ("replicas", "distributions"):
            if getattr(dataset.evaluations, evaluation):
                yield (
                    evaluation,
                    f"expected a dataset of one state, got {', '.join(pooled)} "
                    "pooled, whose mean is the liquid of none; ask it of each of these, with "
                    "transferred_from for the families that are trained here",
                )


def _reference_family_faults(dataset: DatasetSection, teacher: str) -> Iterator[tuple[str, str]]:
    """Faults of the family that an evaluation compares others with."""
    trained = [name for name, family in dataset.families.items() if family.recipe]
    if teacher not in trained:
        known = ", ".join(trained)
        yield ".teacher", f"expected one of the trained families {known}, got {teacher!r}"


def _simulation_faults(campaign: Sections, dataset: str) -> Iterator[tuple[str, str]]:
    """Faults of the simulation that a dataset is made from."""
    simulation = campaign.datasets[dataset].source.needs_simulation
    if simulation not in (None, *campaign.simulations):
        known = ", ".join(campaign.simulations) or "of which there are none"
        yield (
            f"datasets.{dataset}.source.simulation",
            f"expected one of the campaign's simulations, {known}, got {simulation!r}; name "
            "one, or add it to simulations",
        )


def origin_faults(campaign: Sections) -> Iterator[tuple[str, str]]:
    """Faults of pooled datasets and transferred families: (YAML path, fault and remedy)."""
    for name, dataset in campaign.datasets.items():
        if dataset.source.needs_datasets:
            yield from _pooled_faults(campaign, name)
        for family, section in dataset.families.items():
            if section.transferred_from:
                yield from lineage(campaign, name, family)[1]


def inherit_from_origins(campaign: Sections) -> None:
    """Give transferred families the architectures and seeds that they have in their datasets."""
    for dataset, section in campaign.datasets.items():
        for family in section.families:
            for name, ancestor in reversed(lineage(campaign, dataset, family)[0]):
                families = campaign.datasets[name].families
                if origin := families[ancestor].transferred_from:
                    there = campaign.datasets[origin.dataset]
                    same = {"model": there.grid(origin.family), "seeds": there.seeds(origin.family)}
                    families[ancestor] = families[ancestor].model_copy(update=same)


def lineage(
    campaign: Sections, dataset: str, family: str
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """A family, the one that it learns from or is transferred from, and so on to one without any.

    Returns:
        Their datasets and names; and faults that break the chain: (YAML path, what is wrong and the
        remedy).
    """
    chain = [(dataset, family)]
    place = ""  # where the family itself names the next one
    while True:
        name, last = chain[-1]
        families = campaign.datasets[name].families
        path = f"datasets.{name}.families.{last}"
        if teacher := families[last].learns_from:
            path, following = f"{path}.learns_from", (name, teacher)
            if teacher not in families:
                fault = f"expected one of the families {', '.join(families)}, got {teacher!r}"
                return chain, [(path, fault)]
        elif origin := families[last].transferred_from:
            path, following = f"{path}.transferred_from", (origin.dataset, origin.family)
            if broken := list(_transfer_faults(campaign, name, *following)):
                return chain, [(f"{path}.{key}", fault) for key, fault in broken]
        else:
            return chain, []
        place = place or path
        if following in chain:
            return chain, [(place, _cycle([*chain[chain.index(following) :], following]))]
        chain.append(following)


def _cycle(families: list[tuple[str, str]]) -> str:
    """The fault of families that depend on each other."""
    several = len({dataset for dataset, _ in families}) > 1
    names = (f"{dataset}/{family}" if several else family for dataset, family in families)
    return f"families learn in a circle: {' → '.join(names)}; break it"


def _pooled_faults(campaign: Sections, name: str) -> Iterator[tuple[str, str]]:
    """Faults of a dataset that pools others: (YAML path, fault and remedy)."""
    pooled = campaign.datasets[name].source.needs_datasets
    others = [
        other for other, section in campaign.datasets.items() if not section.source.needs_datasets
    ]
    for other in pooled:
        if other not in others:
            fault = f"expected some of the datasets {', '.join(others)}, got {other!r}"
            yield f"datasets.{name}.source.datasets", fault
    if len(set(pooled)) < len(pooled):
        yield f"datasets.{name}.source.datasets", "expected each dataset once; remove repetitions"
    if "split" in campaign.datasets[name].model_fields_set:
        yield f"datasets.{name}.split", "pooled configurations stay in their splits; remove split"


def _transfer_faults(
    campaign: Sections, dataset: str, origin: str, family: str
) -> Iterator[tuple[str, str]]:
    """Why there is no such family of another dataset: the key, and the fault."""
    if origin not in campaign.datasets or origin == dataset:
        known = ", ".join(other for other in campaign.datasets if other != dataset) or "none"
        yield "dataset", f"expected another of the datasets ({known}), got {origin!r}"
        return
    there = campaign.datasets[origin].families
    trained = [name for name, section in there.items() if section.recipe]
    if family not in trained:
        known = ", ".join(trained)
        yield "family", f"expected one of the families trained there, {known}, got {family!r}"
    elif _may_train_on_tests_of(campaign, origin, dataset):
        yield (
            "dataset",
            f"expected data to train on that {dataset!r} does not test on, but {origin!r} has the "
            "same and divides them otherwise; give both one source and, in split, the same test, "
            "by, held_out and seed",
        )


def _may_train_on_tests_of(campaign: Sections, origin: str, dataset: str) -> bool:
    """Whether one dataset may train on configurations that another tests on."""
    return any(
        _overlap(there.source, here.source)
        and (there.source, _test_split_keys(there.split))
        != (here.source, _test_split_keys(here.split))
        for there in _pooled_or_itself(campaign, origin)
        for here in _pooled_or_itself(campaign, dataset)
    )


def _pooled_or_itself(campaign: Sections, dataset: str) -> list[DatasetSection]:
    """The datasets that are pooled in a dataset, each with its splits, or the dataset itself."""
    names = campaign.datasets[dataset].source.needs_datasets or [dataset]
    return [campaign.datasets[name] for name in names if name in campaign.datasets]


def _overlap(one: AnySource, other: AnySource) -> bool:
    """Whether two sources read the same file, or compute the same configurations."""
    return one == other or not set(one.paths).isdisjoint(other.paths)


def _test_split_keys(split: Split) -> dict:
    """The keys of a split that decide on the test split."""
    return split.model_dump(include={"test", "by", "held_out", "seed"})
