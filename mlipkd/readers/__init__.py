"""Readers: where datasets come from, files that others made and reference methods built in.

Each reader is one file, whose section says everything about it; add a new one to ``AnySource``.
"""

from typing import Annotated, get_args

from pydantic import Field

from mlipkd.readers.aluminium_emt import AluminiumEMT
from mlipkd.readers.ani import Ani1x, AniAl, Comp6
from mlipkd.readers.ase_file import AseFile
from mlipkd.readers.mapped import MappedHDF5, MappedNumPy
from mlipkd.readers.molecules_xtb import MoleculesXTB
from mlipkd.readers.openreact import OpenReact
from mlipkd.readers.own import OwnReader
from mlipkd.readers.pooled import Pooled
from mlipkd.readers.reactions import Reactions
from mlipkd.readers.source import Source
from mlipkd.readers.trajectory import Trajectory

AnySource = Annotated[
    AluminiumEMT
    | MoleculesXTB
    | Reactions
    | AniAl
    | Ani1x
    | Comp6
    | OpenReact
    | AseFile
    | OwnReader
    | Trajectory
    | MappedHDF5
    | MappedNumPy
    | Pooled,
    Field(discriminator="reader"),
]

#: The sections of all readers.
READERS: tuple[type[Source], ...] = get_args(get_args(AnySource)[0])
