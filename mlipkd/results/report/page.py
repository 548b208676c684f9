"""Page: tables, figures and facts of a campaign as one HTML file that needs nothing else."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from mlipkd.campaign import load_campaign
from mlipkd.campaign.campaign import Campaign
from mlipkd.errors import InputError
from mlipkd.evaluation import EVALUATIONS
from mlipkd.evaluation.core.grid import Grid
from mlipkd.evaluation.core.rows import Row, Source, beside, read_notes, read_rows
from mlipkd.jobs import artefacts, provenance
from mlipkd.results.left_out import notes_of
from mlipkd.results.report.comparison import comparison
from mlipkd.results.report.families import families_of
from mlipkd.results.report.hours import hours
from mlipkd.results.report.sections import TITLES, sections_of
from mlipkd.results.report.thinning import thinned
from mlipkd.results.summary import made_by_line


class Picture(NamedTuple):
    """A figure as it stands on the page."""

    path: Path
    title: str
    caption: str
    address: str
    """A data URI: what is in an image of its own clashes with no other, and never runs."""
    sha256: str


@dataclass(frozen=True)
class Table:
    """A table as it was read."""

    path: Path
    rows: list[Row]
    source: Source
    notes: list[str]
    stands_on: list[dict] = field(default_factory=list)
    """The sources of its rows: file and sha256."""

    def of(self, dataset: str) -> Grid | None:
        """What it says of a dataset, if anything."""
        rows = [row for row in self.rows if row.dataset == dataset]
        return EVALUATIONS[self.path.stem].layout(thinned(rows)) if rows else None


def report(
    campaign: Path,
    tables: Sequence[Path],
    figures: Sequence[Path],
    captions: Path,
    logs: Path,
    manifests: Sequence[Path] = (),
) -> str:
    """The report of a campaign, HTML.

    Args:
        campaign: its configuration.
        tables: that ``mlipkd collect`` wrote.
        figures: that ``mlipkd figure`` wrote, each in a folder with the name of its dataset.
        captions: folder with a text for each kind of figure, ``<figure>.rst``.
        logs: folder with the benchmarks of all jobs.
        manifests: that ``mlipkd merge`` wrote; whom these leave out, a note says.

    Raises:
        InputError: a file is damaged, or a figure has no caption.
    """
    loaded = load_campaign(campaign)
    read = {path.stem: _table(path) for path in tables}
    pictures: dict[str, dict[str, Picture]] = {dataset: {} for dataset in loaded.datasets}
    for path in figures:
        if path.parent.name not in pictures:
            known = ", ".join(pictures)
            raise InputError(
                f"{path}: expected a figure of one of the datasets {known}; give those of "
                f"{campaign}"
            )
        pictures[path.parent.name][path.stem] = _picture(path, captions)
    versions = sorted({version for table in read.values() for version in table.source.made_by})
    environment = Environment(
        loader=PackageLoader("mlipkd.results.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        datasets=[_dataset(loaded, name, read, pictures[name]) for name in loaded.datasets],
        hours=hours(logs),
        tables=list(read.values()),
        notes=[*notes_of(manifests), *(note for table in read.values() for note in table.notes)],
        one_version=len(versions) == 1,
        made_by=made_by_line(versions),
        record=provenance.record(),
        campaign=campaign.read_text(),
        campaign_file=campaign.name,
        campaign_sha256=artefacts.sha256(campaign),
    )


def _dataset(
    campaign: Campaign, name: str, tables: Mapping[str, Table], pictures: Mapping[str, Picture]
) -> dict:
    """All that the page says of a dataset."""
    section = campaign.datasets[name]
    grids = {table: grid for table, own in tables.items() if (grid := own.of(name))}
    errors = tables["errors"].rows if "errors" in tables else []
    members = [
        len(section.models(family)) * len(section.seeds(family))
        for family, own in section.families.items()
        if own.recipe
    ]
    return {
        "name": name,
        "reader": section.source.reader,
        "members": sum(members),
        "families": families_of(campaign, name),
        "comparison": comparison(section, [row for row in errors if row.dataset == name]),
        "recommends": section.evaluations.recommended,
        "sections": [
            {
                "title": found.title,
                "pictures": [pictures[figure] for figure in found.figures],
                "tables": {table: grids[table] for table in found.tables},
            }
            for found in sections_of(pictures, grids)
        ],
    }


def _table(path: Path) -> Table:
    rows, source = read_rows(path)
    stands_on = json.loads(beside(path).read_text())["sources"]
    return Table(path, rows, source, read_notes(path), stands_on)


def _picture(path: Path, captions: Path) -> Picture:
    digest = artefacts.verify(path)
    caption = captions / f"{path.stem}.rst"
    if not caption.is_file():
        raise InputError(f"{caption}: expected a caption of {path}, found none; write one")
    content = base64.b64encode(path.read_bytes()).decode()
    title = TITLES.get(path.stem, path.stem)
    text = " ".join(caption.read_text().split())
    return Picture(path, title, text, f"data:image/svg+xml;base64,{content}", digest)
