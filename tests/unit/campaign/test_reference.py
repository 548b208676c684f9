"""docs/config.md is what ``make docs`` writes."""

from pathlib import Path

from mlipkd.campaign.reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "config.md"


def test_page_is_up_to_date():
    assert PAGE.read_text() == reference(), "the configuration changed: run make docs"


def test_keys_are_told_once_with_limits_and_defaults():
    page = reference()
    assert page.count("\n| `learning_rate` | number > 0 | `0.001` | First learning rate. |") == 1
    assert page.count("\n| `width` | integer ≥ 1, ≤ 4096 or a list of such | none |") == 1
    assert "## `datasets.NAME.families.NAME`" in page
    assert "## `datasets.NAME.source` with `reader: molecules-xtb`" in page
