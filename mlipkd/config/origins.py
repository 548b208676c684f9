"""What one dataset takes from another: configurations, and models that are trained there."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlipkd.config.dataset import Pooled

if TYPE_CHECKING:
    from mlipkd.config.campaign import Campaign


def faults_of_origins(campaign: "Campaign") -> Iterator[tuple[str, str]]:
    """All that is wrong: (YAML path, what is wrong and the remedy)."""
    for name, dataset in campaign.datasets.items():
        if isinstance(dataset.source, Pooled):
            yield from _pooled_faults(campaign, name, dataset.source)
        for family, section in dataset.families.items():
            if section.transferred_from:
                path = f"datasets.{name}.families.{family}.transferred_from"
                for where, fault in _transfer_faults(campaign, name, family):
                    yield f"{path}.{where}", fault


def transfer(campaign: "Campaign") -> None:
    """Give the families of other datasets the architectures and seeds that they have there."""
    for section in campaign.datasets.values():
        for name, family in section.families.items():
            if origin := family.transferred_from:
                there = campaign.datasets[origin.dataset]
                same = {"model": there.grid(origin.family), "seeds": there.seeds(origin.family)}
                section.families[name] = family.model_copy(update=same)


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


def _transfer_faults(campaign: "Campaign", name: str, family: str) -> Iterator[tuple[str, str]]:
    origin = campaign.datasets[name].families[family].transferred_from
    assert origin is not None
    there = campaign.datasets.get(origin.dataset)
    if there is None or origin.dataset == name:
        known = ", ".join(other for other in campaign.datasets if other != name) or "none"
        yield "dataset", f"wanted another of the datasets ({known}), got {origin.dataset!r}"
        return
    trained = [other for other, section in there.families.items() if section.recipe]
    if origin.family not in trained:
        known = ", ".join(trained)
        yield "family", f"wanted one of the families trained there, {known}, got {origin.family!r}"
    elif missing := there.grid(origin.family).missing():
        yield "family", f"its model there lacks {', '.join(missing)}; give them there"
