"""What the source may never do: load pickles, start shells, or put names into one unquoted."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted([*ROOT.glob("mlipkd/**/*.py"), *ROOT.glob("benchmarks/*.py"), ROOT / "setup.py"])
RULES = sorted([*ROOT.glob("workflow/rules/*.smk"), ROOT / "Snakefile"])


def calls(tree: ast.AST):
    """Every call with its dotted name and its keyword arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {word.arg: word.value for word in node.keywords}


def is_constant(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = {
        name.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [ast.alias(node.module or "")] if isinstance(node, ast.ImportFrom) else node.names
        )
        # LAMMPS wants a pickle, which may be written; what would read one is not at hand then.
        if ast.unparse(node) != "from pickle import dumps"
    }
    assert not imported & {
        "pickle",
        "cPickle",
        "dill",
        "cloudpickle",
        "joblib",
        "shelve",
        "marshal",
    }
    for name, keywords in calls(tree):
        assert name not in {"eval", "exec", "os.system", "os.popen", "yaml.load"}
        assert not is_constant(keywords.get("shell"), True)
        assert not is_constant(keywords.get("allow_pickle"), True)
        if name == "torch.load":
            assert is_constant(keywords.get("weights_only"), True)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_rules(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"^\s*(run|script|retries):", text, flags=re.MULTILINE)
    for command in re.findall(r'shell:\n((?:\s+".*"\n?)+)', text):
        for word in re.findall(r"\{[^{}]*\}", command):
            number = word in ("{threads}", "{resources.runtime}")
            assert number or word.endswith(":q}"), f"{word} is not quoted"


def test_the_test_sees_commands() -> None:
    found = sum(len(re.findall(r"^ +shell:", path.read_text(), re.MULTILINE)) for path in RULES)
    quoted = sum(len(re.findall(r'shell:\n((?:\s+".*"\n?)+)', path.read_text())) for path in RULES)
    assert found == quoted >= 11
