"""The contract of readers: a section of the configuration that says all about itself, and reads.

A reader is one file of this folder. It holds the section, a subclass of ``Source`` with a
``reader`` as its name, and whatever reading takes. Others use a source by the methods below and
never which reader it is. A campaign is read long before its data are, so ASE, h5py, MDAnalysis and
calculators are imported by the functions that use them.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

from mlipkd.config.section import Section
from mlipkd.datasets.blocks import Block, assemble
from mlipkd.datasets.dataset import Bead, Dataset
from mlipkd.imports import module_file
from mlipkd.jobs.artefacts import sha256
from mlipkd.jobs.provenance import record


class Source(Section):
    """Where the configurations of a dataset come from."""

    def read(self, name: str) -> Dataset:
        """The dataset, made or read from its files; not checked, and split only if it is pooled.

        Raises:
            InputError: a file that cannot be read, or does not have the reader's layout; or a
                calculator that cannot be made, or fails.
        """
        raise NotImplementedError

    @property
    def paths(self) -> list[str]:
        """The paths of all files that are read, which are those in ``files`` if there are any."""
        return list(getattr(self, "files", None) or ())

    @property
    def has_hessians(self) -> bool:
        """Whether there will be reference Hessians."""
        return False

    @property
    def computed(self) -> int:
        """How many energies and forces of small molecules take as long as what a built-in
        reference method computes."""
        return 0

    @property
    def computes_labels(self) -> bool:
        """Whether labels are computed, which takes long, and not read."""
        return self.computed > 0

    @property
    def user_function(self) -> str | None:
        """The import path of the user's own function that reads, if one does."""
        return None

    @property
    def needs_simulation(self) -> str | None:
        """The simulation of the campaign whose files are read, if they are not named here."""
        return None

    @property
    def needs_datasets(self) -> list[str]:
        """The datasets of the campaign that this one is put together from."""
        return []

    def simulated(self, temperature: float) -> Self:
        """The same with the files of its simulation, and the temperature that was at, K."""
        raise NotImplementedError

    @property
    def undeclared(self) -> tuple[str, ...]:
        """Keys of units and signs that files do not state, and that physics may tell."""
        return ()

    @classmethod
    def recognise(cls, keys: set[str]) -> dict[str, str | None] | None:
        """The keys that a section needs for an HDF5 file whose groups hold these arrays.

        None if the layout is another.
        """
        return None

    def _dataset(
        self,
        name: str,
        blocks: Iterable[Block],
        *,
        beads: tuple[Bead, ...] = (),
        masked: tuple[str, ...] = (),
        notes: list[str] | None = None,
        **facts: object,
    ) -> Dataset:
        """The dataset of some blocks, which records what it was read from.

        Args:
            name: the dataset's.
            blocks: configurations in eV and Å.
            beads: the species, where these are beads.
            masked: quantities that may be missing here and there, as NaN.
            notes: what the user should know; may be added to while blocks are read.
            facts: more for the provenance.
        """
        blocks = list(blocks)
        files = [Path(path) for path in self.paths]
        if self.user_function:
            files.append(module_file("source.function", self.user_function))
        provenance = record(
            source=self.model_dump(mode="json"),
            source_sha256={str(path): sha256(path) for path in files},
            masked=list(masked),
            notes=notes or [],
            **facts,
        )
        return assemble(name, blocks, provenance, beads)
