"""What families stand on: families that teach them, and models and data of other datasets."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlipkd.config.dataset import AnySource, Pooled, Split, paths_of

if TYPE_CHECKING:
    from mlipkd.config.campaign import Campaign, DatasetSection


def lineage(
    campaign: "Campaign", dataset: str, family: str
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """A family, what it learns from or is transferred from, and so on to one that needs no other.

    Returns:
        Their names, each with its dataset's; and, where they do not come to an end, why: (YAML
        path, what is wrong and the remedy).
    """
    chain = [(dataset, family)]
    place = ""  # of what the family itself stands on
    while True:
        name, last = chain[-1]
        families = campaign.datasets[name].families
        path = f"datasets.{name}.families.{last}"
        if teacher := families[last].learns_from:
            path, following = f"{path}.learns_from", (name, teacher)
            if teacher not in families:
                wanted = f"wanted one of the families {', '.join(families)}, got {teacher!r}"
                return chain, [(path, wanted)]
        elif origin := families[last].transferred_from:
            path, following = f"{path}.transferred_from", (origin.dataset, origin.family)
            if found := list(_transfer_faults(campaign, name, *following)):
                return chain, [(f"{path}.{key}", fault) for key, fault in found]
        else:
            return chain, []
        place = place or path
        if following in chain:
            return chain, [(place, _circle([*chain[chain.index(following) :], following]))]
        chain.append(following)


def faults_of_origins(campaign: "Campaign") -> Iterator[tuple[str, str]]:
    """All that is wrong: (YAML path, what is wrong and the remedy)."""
    for name, dataset in campaign.datasets.items():
        if isinstance(dataset.source, Pooled):
            yield from _pooled_faults(campaign, name, dataset.source)
        for family, section in dataset.families.items():
            if section.transferred_from:
                yield from lineage(campaign, name, family)[1]


def transfer(campaign: "Campaign") -> None:
    """Give the families of other datasets the architectures and seeds that they have there."""
    for dataset, section in campaign.datasets.items():
        for family in section.families:
            for name, one in reversed(lineage(campaign, dataset, family)[0]):
                families = campaign.datasets[name].families
                if origin := families[one].transferred_from:
                    there = campaign.datasets[origin.dataset]
                    same = {"model": there.grid(origin.family), "seeds": there.seeds(origin.family)}
                    families[one] = families[one].model_copy(update=same)


def _circle(families: list[tuple[str, str]]) -> str:
    several = len({dataset for dataset, _ in families}) > 1
    names = (f"{dataset}/{family}" if several else family for dataset, family in families)
    return f"families learn in a circle: {' → '.join(names)}; break it"


def _pooled_faults(campaign: "Campaign", name: str, source: Pooled) -> Iterator[tuple[str, str]]:
    others = [
        other
        for other, section in campaign.datasets.items()
        if not isinstance(section.source, Pooled)
    ]
    for other in source.datasets:
        if other not in others:
            wanted = f"wanted some of the datasets {', '.join(others)}, got {other!r}"
            yield f"datasets.{name}.source.datasets", wanted
    if len(set(source.datasets)) < len(source.datasets):
        yield f"datasets.{name}.source.datasets", "wanted each dataset once; remove repetitions"
    if "split" in campaign.datasets[name].model_fields_set:
        yield f"datasets.{name}.split", "pooled configurations stay in their splits; remove split"


def _transfer_faults(
    campaign: "Campaign", dataset: str, origin: str, family: str
) -> Iterator[tuple[str, str]]:
    """Why there is no such family of another dataset: the key, and the fault."""
    if origin not in campaign.datasets or origin == dataset:
        known = ", ".join(other for other in campaign.datasets if other != dataset) or "none"
        yield "dataset", f"wanted another of the datasets ({known}), got {origin!r}"
        return
    there = campaign.datasets[origin].families
    trained = [name for name, section in there.items() if section.recipe]
    if family not in trained:
        known = ", ".join(trained)
        yield "family", f"wanted one of the families trained there, {known}, got {family!r}"
    elif _may_have_seen(campaign, origin, dataset):
        yield (
            "dataset",
            f"wanted data to train on that {dataset!r} does not test on, but {origin!r} has the "
            "same and divides them otherwise; give both one source and, in split, the same test, "
            "by, held_out and seed",
        )


def _may_have_seen(campaign: "Campaign", origin: str, dataset: str) -> bool:
    """Whether what one dataset trains on may be among what another tests on."""
    return any(
        _overlap(there.source, here.source)
        and (there.source, _tested(there.split)) != (here.source, _tested(here.split))
        for there in _parts(campaign, origin)
        for here in _parts(campaign, dataset)
    )


def _parts(campaign: "Campaign", dataset: str) -> list["DatasetSection"]:
    """The datasets that are pooled in one, each in its own splits, or that one."""
    source = campaign.datasets[dataset].source
    names = source.datasets if isinstance(source, Pooled) else [dataset]
    return [campaign.datasets[name] for name in names if name in campaign.datasets]


def _overlap(one: AnySource, other: AnySource) -> bool:
    """Whether two sources read a file both, or compute the same configurations."""
    return one == other or not set(paths_of(one)).isdisjoint(paths_of(other))


def _tested(split: Split) -> dict:
    """All of a split that decides on what is tested on."""
    return split.model_dump(include={"test", "by", "held_out", "seed"})
