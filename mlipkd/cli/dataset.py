"""``mlipkd dataset``."""

from pathlib import Path
from typing import Annotated

from typer import Option


def dataset(
    settings: Annotated[Path, Option(help="Name, source and split of the dataset, YAML.")],
    output: Annotated[Path, Option(help="Dataset to write, HDF5.")],
    size: Annotated[
        Path | None, Option(help="Its size to write, JSON: what its jobs take depends on it.")
    ] = None,
) -> None:
    """Read or make a dataset, check it, split it and write it in eV and Å.

    Example: mlipkd dataset --settings dataset.yaml --output dataset.h5 --size size.json
    """
    from dataclasses import replace

    from mlipkd.config.dataset import Pooled
    from mlipkd.config.settings import DatasetSettings
    from mlipkd.datasets.checks import check
    from mlipkd.datasets.contents import split_counts
    from mlipkd.datasets.file import write
    from mlipkd.datasets.sources import read_source
    from mlipkd.datasets.splits import apart, clusters, leaks, split
    from mlipkd.errors import InputError
    from mlipkd.sizing.size import measure

    wanted = DatasetSettings.read(str(settings))
    found = read_source(wanted.name, wanted.source)
    report = check(found)
    if report.faults:
        raise InputError("\n".join(report.faults))
    notes = [*found.provenance["notes"], *report.remarks]
    if not isinstance(wanted.source, Pooled):
        notes += leaks(found, wanted.split)
        together = clusters(found, wanted.split)
        splits = split(together, wanted.split, apart(found, together, wanted.split))
        found = replace(found, clusters=together, splits=splits)
    provenance = {**found.provenance, "notes": notes, "split": wanted.split.model_dump()}
    write(replace(found, provenance=provenance), output)
    if size:
        measure(found, output).write(size)
    for note in notes:
        print(f"{wanted.name}: {note}")
    kind = "beads" if found.beads else "atoms"
    print(f"{output}: {len(found)} configurations, {found.offsets[-1]} {kind}")
    print(f"{output}: {split_counts(found)}")
