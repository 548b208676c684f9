"""Sources: from a source's section of the configuration to a dataset.

Fetch: files of the web, pinned by their hash.
"""

from collections.abc import Iterable
from pathlib import Path

import pooch
from requests.exceptions import RequestException

from mlipkd.calculators import computed
from mlipkd.config.functions import OwnReader
from mlipkd.config.sources import (
    AluminiumEMT,
    Ani1x,
    AniAl,
    AnySource,
    AseFile,
    Comp6,
    MappedHDF5,
    MappedNumPy,
    MoleculesXTB,
    OpenReact,
    Pooled,
    Reactions,
    Trajectory,
    paths_of,
)
from mlipkd.datasets.blocks import Block, assemble
from mlipkd.datasets.dataset import Bead, Dataset
from mlipkd.errors import InputError
from mlipkd.imports import module_file
from mlipkd.jobs import artefacts
from mlipkd.jobs.artefacts import sha256
from mlipkd.jobs.provenance import record
from mlipkd.readers import (
    aluminium_emt,
    ani1x,
    ani_al,
    ase_file,
    comp6,
    mapped_hdf5,
    mapped_numpy,
    molecules_xtb,
    openreact,
    own,
    pooled,
    reactions,
    trajectory,
)


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
            return reactions.make(name, source)
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


def fetch(url: str, sha256: str, output: Path) -> None:
    """Download a file; nothing is left of one that is not what was meant.

    Args:
        url: where it is, http or https.
        sha256: 64 hexadecimal digits.
        output: where it goes.

    Raises:
        InputError: it is no address of the web, cannot be had, or its hash is another.
    """
    if not url.startswith(("http://", "https://")):
        raise InputError(
            f"{output}: expected an address that starts with http:// or https://, got {url}; "
            "complete it"
        )
    with artefacts.writing(output) as temporary:
        try:
            pooch.retrieve(
                url,
                known_hash=f"sha256:{sha256}",
                fname=temporary.name,
                path=temporary.parent,
                progressbar=True,
            )
        except RequestException as error:
            raise InputError(
                f"{output}: expected {url}, got an error ({error}); check the address and the "
                "network, or download it elsewhere and put it there"
            ) from error
        except ValueError as error:  # pooch: another hash
            raise InputError(
                f"{output}: expected {url} with SHA-256 {sha256}, got another file ({error}); "
                "check address and hash: the release may have changed"
            ) from error
