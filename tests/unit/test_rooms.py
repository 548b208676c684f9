"""The rooms of the package: which may use which, as docs/architecture.md draws them.

The imports of every module are read from its syntax tree: those at its head, those inside
functions, those under TYPE_CHECKING, and modules that a string names, such as
"mlipkd.calculators.ani:ANI". All count alike: an import that is postponed hides a dependency from
Python, not from a reader.
"""

import ast
import graphlib
import statistics
from collections.abc import Iterator
from pathlib import Path

import mlipkd

PACKAGE = Path(mlipkd.__file__).parent
REPOSITORY = PACKAGE.parent

# Each room, and the rooms that its modules may import. These stand above it: arrows point up the
# page, so that a room can be read, tested and changed without those below it.
ROOMS = {
    "errors": "",
    "paths": "",
    "units": "",
    "imports": "errors",
    "jobs": "errors",
    "config": "errors",
    "datasets": "errors jobs config",
    "checks": "errors units datasets",
    "hipnn": "errors jobs config datasets",
    "neighbours": "errors datasets hipnn",
    "deploy": "errors jobs hipnn neighbours",
    "calculators": "errors imports jobs config datasets checks",
    "coarse_graining": "errors datasets",
    "readers": "errors paths units imports jobs config datasets calculators coarse_graining",
    "training": "errors jobs config datasets checks hipnn",
    "distillation": "errors jobs datasets checks hipnn calculators",
    "dynamics": "errors units jobs datasets hipnn deploy",
    "simulations": "errors units jobs config dynamics",
    "evaluation": "errors paths units imports jobs config datasets checks hipnn deploy calculators "
    "readers training dynamics",
    "campaign": "errors paths imports config readers evaluation",
    "sizing": "errors paths config datasets training dynamics campaign",
    "results": "errors paths jobs config evaluation campaign",
    "status": "errors paths evaluation campaign results",
    "proposal": "errors units config datasets checks readers campaign sizing",
    "cluster": "errors jobs",
    "cli": "errors jobs config datasets checks hipnn simulations readers training "
    "distillation evaluation campaign sizing results status proposal cluster",
    "__main__": "cli",
    "testing": "datasets hipnn",
}

LONGEST_FILE = 500
MODULES = {
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imported(source: str) -> Iterator[str]:
    """The modules of mlipkd that a module with this text imports or names."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "expected absolute imports, got a relative one"
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else str(node.module) for name in full]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value.split(":")[0]]
        else:
            continue
        yield from (name for name in names if name in MODULES and name != "mlipkd")


IMPORTS = {
    (module, name)
    for module, path in MODULES.items()
    for name in imported(path.read_text())
    if name != module
}


def room(module: str) -> str:
    return module.split(".")[1]


def test_every_kind_of_import_is_read() -> None:
    source = """
from typing import TYPE_CHECKING
import mlipkd.errors
from mlipkd import units
if TYPE_CHECKING:
    from mlipkd.config.load import ConfigError
def f():
    from mlipkd.jobs import lock
    return "mlipkd.calculators.ani:ANI", "mlipkd", "mlipkd train"
"""
    assert set(imported(source)) == {
        "mlipkd.errors",
        "mlipkd.units",
        "mlipkd.config.load",
        "mlipkd.jobs.lock",
        "mlipkd.calculators.ani",
    }


def test_the_table_has_every_room_and_rooms_use_those_above() -> None:
    assert set(ROOMS) == {room(module) for module in MODULES if module != "mlipkd"}
    above: set[str] = set()
    for name, used in ROOMS.items():
        assert set(used.split()) <= above, f"{name} uses rooms that do not stand above it"
        above.add(name)


def test_rooms_use_those_that_the_table_allows() -> None:
    between = {(a, b) for a, b in IMPORTS if room(a) != room(b)}
    against = {(a, b) for a, b in between if room(b) not in ROOMS[room(a)].split()}
    assert not against, "move what is shared up, or pass it as an argument"
    used = {(room(a), room(b)) for a, b in between}
    unused = {(a, b) for a in ROOMS for b in ROOMS[a].split()} - used
    assert not unused, "take these arrows out of the table"


def test_modules_do_not_import_each_other_in_circles() -> None:
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for importing, name in IMPORTS:
        graph[importing].add(name)
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_files_are_short_enough_to_read() -> None:
    lines = {module: len(path.read_text().splitlines()) for module, path in MODULES.items()}
    assert {module: n for module, n in lines.items() if n > LONGEST_FILE} == {}


def test_files_are_few_enough_to_know() -> None:
    """Files of one subject stand together: few are short."""
    files = [path for path in MODULES.values() if path.name != "__init__.py"]
    assert statistics.median(len(path.read_text().splitlines()) for path in files) > 110


def test_common_rules_hold_no_logic_worth_a_test() -> None:
    rules = REPOSITORY / "workflow" / "rules" / "common.smk"
    assert len(rules.read_text().splitlines()) <= 120


#: Tests in tests/unit that are about the whole repository.
WHOLE = {"benchmarks", "benchmarks_hessians", "docs", "extras", "import_time", "rooms"}


def test_unit_tests_mirror_the_package() -> None:
    """A test file is called by the module that it tests, or begins with its name."""
    unit = REPOSITORY / "tests" / "unit"
    strangers = []
    for path in unit.rglob("test_*.py"):
        folder, name = path.parent.relative_to(unit), path.stem.removeprefix("test_")
        modules = {other.stem for other in (PACKAGE / folder).iterdir()} | {folder.name}
        named = any(name == module or name.startswith(f"{module}_") for module in modules)
        if not named and not (folder == Path() and name in WHOLE):
            strangers.append(str(path.relative_to(REPOSITORY)))
    assert not strangers, "move them, or name them by the module that they test"
