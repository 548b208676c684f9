"""Import paths of user functions, as a campaign may name them."""

import pytest
from pydantic import ValidationError

from mlipkd.campaign.campaign import Campaign
from mlipkd.config.functions import OwnFunction


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
