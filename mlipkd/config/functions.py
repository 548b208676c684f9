"""The user's code, or that of any package, which a campaign names by its import path: functions,
and ASE calculators as reference methods or as families that are not trained here.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue

from mlipkd.config.section import Section

PATTERN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


def _import_path(value: str) -> str:
    if not PATTERN.fullmatch(value):
        raise ValueError(
            f"expected an import path as package.module:name, got {value!r}; e.g. tblite.ase:TBLite"
        )
    return value


ImportPath = Annotated[str, AfterValidator(_import_path)]


class OwnFunction(Section):
    """A user's function. Whoever may write this section may run code: it is imported and called
    with its options."""

    function: ImportPath
    """The function, as `module:name`, of a module on `PYTHONPATH`."""
    options: dict[str, JsonValue] = Field(default={})
    """Its keyword arguments; paths are relative to the folder that the campaign runs in."""


#: The name of the model of a calculator's family, which has no architecture, and its only seed.
CALCULATOR = "calculator"
SEED = 0


class Calculator(Section):
    """An ASE calculator, in place of files with labels or of a family that is trained here.

    Whoever may write this section may run code: its class is imported and called with its options.
    """

    type: ImportPath
    """The calculator's class, as `package.module:Name`."""
    options: dict[str, JsonValue] = Field(default={})
    """Its keyword arguments; paths are relative to the folder that the campaign runs in."""
