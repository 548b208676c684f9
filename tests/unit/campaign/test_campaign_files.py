"""The campaigns of the repository: each is one that can be run."""

from pathlib import Path

import pytest

from mlipkd.campaign import load_campaign

ROOT = Path(__file__).parents[3]
CAMPAIGNS = [
    ROOT / "config.yaml",
    ROOT / "examples/campaign.yaml",
    *sorted(ROOT.glob("campaigns/**/*.yaml")),
]


@pytest.mark.parametrize("path", CAMPAIGNS, ids=lambda path: str(path.relative_to(ROOT)))
def test_campaign(path: Path) -> None:
    """Students and controls of one model share their seeds, and with them their first weights."""
    for dataset in load_campaign(path).datasets.values():
        if {"students", "controls"} <= dataset.families.keys():
            assert dataset.seeds("students") == dataset.seeds("controls")
            assert dataset.architectures("students") == dataset.architectures("controls")


@pytest.mark.parametrize("path", CAMPAIGNS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_control_is_a_teacher(path: Path) -> None:
    """What sees no teacher is trained once: by one recipe no model has a seed in two families."""
    campaign = load_campaign(path)
    for dataset in campaign.datasets.values():
        members = [
            (campaign.recipes[family.recipe].model_dump_json(), model, seed)
            for name, family in dataset.families.items()
            if family.recipe and not family.learns_from
            for model in dataset.models(name)
            for seed in dataset.seeds(name)
        ]
        assert len(set(members)) == len(members)


def test_there_are_campaigns() -> None:
    assert len(CAMPAIGNS) >= 5
