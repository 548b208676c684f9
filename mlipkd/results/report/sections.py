"""Sections: what stands where in the report, and what it is called."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

#: What people call the figures; here and in Snakemake's own report.
TITLES = {
    "errors": "Errors on the test split",
    "capacity": "Errors against capacity",
    "learning": "Learning curves",
    "comp6": "Errors on COMP6",
    "curvature": "Errors of curvature",
    "pareto": "Errors against time and memory",
    "weights": "Errors against the number of weights",
    "growth": "Cost against the size of the system",
    "stability": "Stability of dynamics",
    "rdf": "Radial distribution functions",
    "deviations": "Deviations from the reference liquid",
    "pairs": "Radial distribution functions of pairs",
    "adf": "Angular distribution functions",
    "cdf": "Clusters",
}


class Section(NamedTuple):
    """Figures of a dataset, and the tables that they show."""

    title: str
    figures: tuple[str, ...]
    tables: tuple[str, ...]


SECTIONS = (
    Section("Recommendation", (), ("recommended",)),
    Section("Errors on the test split", ("errors", "capacity"), ("errors",)),
    Section("Learning", ("learning",), ("learning",)),
    Section("Larger molecules", ("comp6",), ("comp6",)),
    Section("Curvature", ("curvature",), ("curvature",)),
    Section("Cost", ("pareto", "weights", "growth"), ("cost",)),
    Section("Stability", ("stability",), ("stability",)),
    Section("The liquid", ("rdf",), ("liquid", "structure", "rdf")),
    Section(
        "Distributions in the liquid",
        ("deviations", "pairs", "adf", "cdf"),
        ("replicas", "deviations"),
    ),
    Section("Own evaluations", (), ("own",)),
)


def sections_of(figures: Collection[str], tables: Collection[str]) -> Iterator[Section]:
    """The sections with what there is of them; tables that none of them has are the last."""
    placed = {table for section in SECTIONS for table in section.tables}
    others = tuple(table for table in tables if table not in placed)
    shown = {figure for section in SECTIONS for figure in section.figures}
    further = tuple(figure for figure in figures if figure not in shown)
    for section in (*SECTIONS, Section("Further results", further, others)):
        found = Section(
            section.title,
            tuple(figure for figure in section.figures if figure in figures),
            tuple(table for table in section.tables if table in tables),
        )
        if found.figures or found.tables:
            yield found
