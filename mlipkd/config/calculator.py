"""Calculators: reference methods, and families that are not trained here."""

from pydantic import Field, JsonValue

from mlipkd.config.own import ImportPath
from mlipkd.config.section import Section

#: The model of a calculator's family: it has no architecture to be named by.
CALCULATOR = "calculator"
#: And its only seed.
SEED = 0


class Calculator(Section):
    """An ASE calculator, in the place of files with labels or of a family that is trained here.

    Whoever may write this section may run code: its class is imported and called with its options.
    """

    type: ImportPath
    """The calculator's class, as `package.module:Name`."""
    options: dict[str, JsonValue] = Field(default={})
    """Arguments that it is made with; paths count from the folder that the campaign runs in."""
