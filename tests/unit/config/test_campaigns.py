"""The campaigns of the repository: each is one that can be run."""

from pathlib import Path

import pytest

from mlipkd.config.load import load_campaign

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


def test_there_are_campaigns() -> None:
    assert len(CAMPAIGNS) >= 5
