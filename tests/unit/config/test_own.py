"""Functions of one's own in a campaign: how they are named, and what one job gets of them."""

import pytest
from pydantic import ValidationError

from mlipkd.campaign.campaign import Campaign
from mlipkd.campaign.settings import own_settings
from mlipkd.config.functions import OwnFunction
from mlipkd.readers.own import OwnReader


def test_settings_are_of_one_evaluation(content) -> None:
    asks = {"function": "asks:f", "options": {"points": [1, 2.5, None]}}
    others = {"function": "asks.others:g"}
    content["datasets"]["metal"]["evaluations"] = {"own": {"bulk": asks, "shear": others}}
    campaign = Campaign.model_validate(content)
    assert own_settings(campaign, "metal", "bulk").own == {"bulk": OwnFunction(**asks)}
    assert own_settings(campaign, "metal", "shear").own["shear"].options == {}


def test_a_reader_names_its_files(content) -> None:
    source = {"reader": "own", "function": "reads:read", "files": ["a.txt", "b.txt"]}
    content["datasets"]["metal"]["source"] = source
    found = Campaign.model_validate(content).datasets["metal"].source
    assert isinstance(found, OwnReader)
    assert found.paths == ["a.txt", "b.txt"]


@pytest.mark.parametrize(
    "path", ["reads", "reads.read", "reads:", ":read", "a b:c", "reads:read()", "../reads:read"]
)
def test_what_is_no_import_path_is_refused(path) -> None:
    with pytest.raises(ValidationError, match="expected an import path as package"):
        OwnFunction(function=path)


def test_names_are_names(content) -> None:
    content["datasets"]["metal"]["evaluations"] = {"own": {"a/b": {"function": "asks:f"}}}
    with pytest.raises(ValidationError, match="own"):
        Campaign.model_validate(content)
