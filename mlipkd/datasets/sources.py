"""Sources: from a source's section of the configuration to a dataset."""

from collections.abc import Iterable
from pathlib import Path

from mlipkd.artefacts import sha256
from mlipkd.config.ase_file import AseFile
from mlipkd.config.dataset import (
    AluminiumEMT,
    Ani1x,
    AniAl,
    AnySource,
    Comp6,
    MappedHDF5,
    MappedNumPy,
    MoleculesXTB,
    Pooled,
    Trajectory,
    paths_of,
)
from mlipkd.config.molecules import OpenReact, Reactions
from mlipkd.config.own import OwnReader
from mlipkd.datasets import aluminium_emt, computed, molecules_xtb, pooled, reactions_sampled
from mlipkd.datasets.beads import Bead
from mlipkd.datasets.blocks import Block, assemble
from mlipkd.datasets.dataset import Dataset
from mlipkd.datasets.readers import (
    ani1x,
    ani_al,
    ase_file,
    comp6,
    mapped_hdf5,
    mapped_numpy,
    openreact,
    own,
    trajectory,
)
from mlipkd.imports import module_file
from mlipkd.provenance import record


def read_source(name: str, source: AnySource) -> Dataset:
    """The dataset of a source: made, or read from its files, not yet checked.

    Only what is pooled is split already.

    Raises:
        InputError: a file that cannot be read, or does not have the reader's layout; or a
            calculator that cannot be made, or fails.
    """
    match source:
        case AluminiumEMT():
            return aluminium_emt.make(name, source)
        case MoleculesXTB():
            return molecules_xtb.make(name, source)
        case Reactions():
            return reactions_sampled.make(name, source)
        case Pooled():
            return pooled.pool(name, [Path(path) for path in paths_of(source)])
    notes: list[str] = []
    masked: tuple[str, ...] = ()
    beads: tuple[Bead, ...] = ()
    blocks: Iterable[Block]
    match source:
        case AniAl():
            blocks = ani_al.read(source)
        case Ani1x():
            blocks, masked = ani1x.read(source, notes), ani1x.MASKED
        case Comp6():
            blocks = comp6.read(source)
        case OpenReact():
            blocks = openreact.read(source)
        case AseFile():
            blocks, masked = ase_file.read(source), ase_file.masked(source)
        case OwnReader():
            blocks, masked = own.read(source)
        case Trajectory():
            beads, blocks = trajectory.read(source)
        case MappedHDF5():
            beads, blocks = mapped_hdf5.read(source)
        case MappedNumPy():
            beads, blocks = mapped_numpy.read(source)
    kept = list(blocks)
    files = list(paths_of(source))
    if isinstance(source, OwnReader):
        files.append(str(module_file("source.function", source.function)))
    provenance = record(
        source=source.model_dump(mode="json"),
        source_sha256={path: sha256(Path(path)) for path in files},
        masked=list(masked),
        notes=notes,
    )
    found = assemble(name, kept, provenance, beads)
    if isinstance(source, AseFile) and source.calculator:
        return computed.label(found, source.calculator, source.hessian)
    return found
