"""The campaign: everything that one ``config.yaml`` holds, checked as a whole."""

from pathlib import Path
from typing import Self

from pydantic import model_validator

from mlipkd.campaign.faults import faults, inherit_from_origins, origin_faults
from mlipkd.campaign.sections import Sections
from mlipkd.config.load import load_section
from mlipkd.config.section import Faults


class Campaign(Sections):
    """One campaign."""

    @model_validator(mode="after")
    def _families_fit_together(self) -> Self:
        if errors := list(origin_faults(self)):
            raise Faults(errors)
        inherit_from_origins(self)
        if errors := list(faults(self)):
            raise Faults(errors)
        return self


def load_campaign(path: Path | str) -> Campaign:
    """Read and check a campaign.

    Raises:
        ConfigError: all faults of the file, each with its YAML path.
    """
    return load_section(Campaign, path)
