"""The report: tables, figures and facts of a campaign as one HTML file that needs nothing else."""

import base64
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from mlipkd.campaign import load_campaign
from mlipkd.campaign.campaign import Campaign
from mlipkd.errors import InputError
from mlipkd.evaluation import EVALUATIONS, FIGURES
from mlipkd.evaluation.core.grid import Grid
from mlipkd.jobs import artefacts, provenance
from mlipkd.results.facts import comparison, families_of, hours
from mlipkd.results.tables import Table, left_out, made_by_line


class Picture(NamedTuple):
    """A figure on the page."""

    path: Path
    title: str
    caption: str
    address: str
    """A data URI: separate images cannot clash, and nothing in them runs."""
    sha256: str


class Shown(NamedTuple):
    """A table on the page."""

    name: str
    introduction: str
    """What stands above it; without, the table is folded."""
    grid: Grid


class Section(NamedTuple):
    """Figures and tables of a dataset below one heading."""

    title: str
    pictures: list[Picture]
    tables: list[Shown]
    missing: list[str]
    """Notes on evaluations that were requested and have no rows."""


def report(
    campaign: Path,
    tables: Sequence[Path],
    figures: Sequence[Path],
    logs: Path,
    manifests: Sequence[Path] = (),
) -> str:
    """The report of a campaign, HTML.

    Args:
        campaign: its configuration.
        tables: that ``mlipkd collect`` wrote.
        figures: that ``mlipkd figure`` wrote, each in a folder with the name of its dataset.
        logs: folder with the benchmarks of all jobs.
        manifests: that ``mlipkd merge`` wrote; whom these leave out, a note says.

    Raises:
        InputError: a file is damaged, or called like no evaluation, no figure or no dataset.
    """
    loaded = load_campaign(campaign)
    read = {table.name: table for table in map(Table.read, tables)}
    pictures: dict[str, dict[str, Picture]] = {dataset: {} for dataset in loaded.datasets}
    for path in figures:
        if path.parent.name not in pictures:
            known = ", ".join(pictures)
            raise InputError(
                f"{path}: expected a figure of one of the datasets {known}; give those of "
                f"{campaign}"
            )
        pictures[path.parent.name][path.stem] = _picture(path)
    versions = sorted({version for table in read.values() for version in table.source.made_by})
    environment = Environment(
        loader=PackageLoader("mlipkd.results", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        datasets=[_dataset(loaded, name, read, pictures[name]) for name in loaded.datasets],
        hours=hours(logs),
        tables=list(read.values()),
        notes=[*left_out(manifests), *(note for table in read.values() for note in table.notes)],
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
    errors = tables["errors"].rows if "errors" in tables else []
    members = [
        len(section.models(family)) * len(section.seeds(family))
        for family, settings in section.families.items()
        if settings.recipe
    ]
    return {
        "name": name,
        "reader": section.source.reader,
        "members": sum(members),
        "families": families_of(campaign, name),
        "comparison": comparison(section, [row for row in errors if row.dataset == name]),
        "sections": list(_sections(campaign, name, tables, pictures)),
    }


def _sections(
    campaign: Campaign, dataset: str, tables: Mapping[str, Table], pictures: Mapping[str, Picture]
) -> Iterator[Section]:
    """The headings of a dataset, each with what there is below it."""
    evaluations = campaign.datasets[dataset].evaluations
    for title, group in itertools.groupby(EVALUATIONS.values(), lambda e: e.title):
        section = Section(title, [], [], [])
        for evaluation in group:
            section.pictures.extend(
                pictures[figure.name] for figure in evaluation.figures if figure.name in pictures
            )
            table = tables.get(evaluation.name)
            if table and dataset in table.datasets:
                above = (
                    evaluation.introduction(getattr(evaluations, evaluation.name))
                    if evaluation.introduction
                    else ""
                )
                section.tables.append(Shown(evaluation.name, above, table.grid(dataset)))
            elif evaluation.missing and evaluation.requested(evaluations):
                section.missing.append(evaluation.missing)
        if any(section[1:]):
            yield section


def _picture(path: Path) -> Picture:
    digest = artefacts.verify(path)
    if path.stem not in FIGURES:
        known = ", ".join(FIGURES)
        raise InputError(f"{path}: expected one of the figures {known}; leave it out")
    figure = FIGURES[path.stem]
    content = base64.b64encode(path.read_bytes()).decode()
    address = f"data:image/svg+xml;base64,{content}"
    return Picture(path, figure.title, figure.caption, address, digest)
