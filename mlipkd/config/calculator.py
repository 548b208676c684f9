"""Calculators: families that are not trained here."""

import re

from pydantic import Field, JsonValue, field_validator

from mlipkd.config.section import Section

#: The model of a calculator's family: it has no architecture to be named by.
CALCULATOR = "calculator"
#: And its only seed.
SEED = 0

IMPORT_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


class Calculator(Section):
    """An ASE calculator that labels as a family of one member does.

    Whoever may write this section may run code: its class is imported and called with its options.
    """

    type: str
    """The calculator's class, as `package.module:Name`."""
    options: dict[str, JsonValue] = Field(default={})
    """Arguments that it is made with; paths count from the folder that the campaign runs in."""

    @field_validator("type")
    @classmethod
    def _names_a_class(cls, value: str) -> str:
        if not IMPORT_PATH.fullmatch(value):
            raise ValueError(
                f"wanted a class as package.module:Name, got {value!r}; e.g. tblite.ase:TBLite"
            )
        return value
