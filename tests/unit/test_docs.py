"""The documentation: links lead somewhere, and files and names that it mentions are there."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")]
#: Pages for readers of the code, whose names of modules and objects must be right.
OF_CODE = {"CONTRIBUTING.md", "architecture.md"}
#: Pages whose files are of the past.
HISTORY = {"CHANGELOG.md", "reproducing.md"}
#: Files that commands write.
WRITTEN = {"workflow/sizing.yaml"}
#: A name in the package, as in `training.loss`, and a path in the repository.
NAME = re.compile(r"`((?:mlipkd\.)?[a-z_]+(?:\.[A-Za-z_]+)+)(?::\w+)?`")
FILE = re.compile(r"`((?:mlipkd|tests|docs|examples|workflow|benchmarks)/[\w./-]+\.\w+)`")


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_names_are_there(page: Path) -> None:
    text = page.read_text()
    for path in set(FILE.findall(text)) - WRITTEN:
        assert page.name in HISTORY or (REPOSITORY / path).exists(), path
    rooms = {path.stem for path in (REPOSITORY / "mlipkd").iterdir()}
    for name in NAME.findall(text) if page.name in OF_CODE else []:
        module, *attributes = name.removeprefix("mlipkd.").split(".")
        if (
            module in rooms
            and "NAME" not in name
            and name.rpartition(".")[2] not in ("csv", "py", "yaml")
        ):
            assert_importable(f"mlipkd.{module}", attributes)


def assert_importable(module: str, attributes: list[str]) -> None:
    found: object = importlib.import_module(module)
    for attribute in attributes:
        if isinstance(found, ModuleType) and not hasattr(found, attribute):
            importlib.import_module(f"{found.__name__}.{attribute}")
        found = getattr(found, attribute)
