"""Code of one's own, or of any package: what a campaign names by its import path."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue

from mlipkd.config.files import Files
from mlipkd.config.section import Section

PATTERN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


def _import_path(value: str) -> str:
    if not PATTERN.fullmatch(value):
        raise ValueError(
            f"wanted an import path as package.module:name, got {value!r}; e.g. tblite.ase:TBLite"
        )
    return value


ImportPath = Annotated[str, AfterValidator(_import_path)]


class OwnFunction(Section):
    """A function of one's own. Whoever may write this section may run code: it is imported and
    called with its options."""

    function: ImportPath
    """The function, as `module:name`, of a module on `PYTHONPATH`."""
    options: dict[str, JsonValue] = Field(default={})
    """Its keyword arguments; paths count from the folder that the campaign runs in."""


class OwnReader(OwnFunction):
    """Configurations from a reader of one's own: `read(files, **options)` yields `ase.Atoms`, whose
    calculator's results are the labels in eV and Å and whose `info["group"]` is the group."""

    reader: Literal["own"]
    files: Files
    """Paths of the files that it reads."""
