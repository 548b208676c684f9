"""What the source may never do: load pickles, start shells, or put names into one unquoted."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMON = ROOT / "workflow" / "rules" / "common.smk"  # which is plain Python
MODULES = sorted(
    [*ROOT.glob("mlipkd/**/*.py"), *ROOT.glob("benchmarks/*.py"), ROOT / "setup.py", COMMON]
)
RULES = sorted(
    [*ROOT.glob("workflow/**/*.smk"), *ROOT.glob("workflow/**/Snakefile"), ROOT / "Snakefile"]
)

#: Modules that load objects, and so may run whatever they hold.
LOADERS = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
#: Calls that run text as code or in a shell, or load objects, whatever their arguments are.
CALLS = {
    *("eval", "exec", "compile", "__import__"),
    *("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"),
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load"),
    *("torch.jit.load", "torch.hub.load", "torch.package.PackageImporter"),
    *("pandas.read_pickle", "pd.read_pickle"),
}
#: Calls whose first argument is a command: words, and never one text, which a shell might read.
COMMANDS = {f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output")}
#: What stands for a number in the commands of rules.
NUMBERS = {"{threads}", "{resources.runtime}"}
#: The same under other names, which the lists above do not contain.
UNDER_OWN_NAMES = {"os", "subprocess", "yaml", "torch.jit", "torch.hub"}
#: What h5py stores objects of any length or references as; ours are plain numbers.
OBJECTS = {"special_dtype", "vlen_dtype", "string_dtype", "ref_dtype", "regionref_dtype"}


def faults(source: str) -> Iterator[str]:
    """What a module does that it may not."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if _root(alias.name) in LOADERS)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported(node)
        elif isinstance(node, ast.Call):
            yield from _called(node)
        elif isinstance(node, ast.Attribute) and node.attr in OBJECTS:
            yield ast.unparse(node)


def _imported(node: ast.ImportFrom) -> Iterator[str]:
    # LAMMPS wants a pickle, which may be written; what would read one is not at hand then.
    if _root(node.module or "") in LOADERS and ast.unparse(node) != "from pickle import dumps":
        yield ast.unparse(node)
    if node.module == "torch":
        yield from (alias.name for alias in node.names if alias.name == "load")
    if node.module in UNDER_OWN_NAMES:
        names = {f"{node.module}.{alias.name}" for alias in node.names}
        yield from names & (CALLS | COMMANDS)


def _called(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func)
    keywords = {word.arg: word.value for word in node.keywords}
    if name in CALLS or re.match(r"os\.(exec|spawn|posix_spawn)", name):
        yield name
    # Anything but the constants below might be true.
    for key, harmless in (("shell", False), ("allow_pickle", False)):
        if key in keywords and not _is(keywords[key], harmless):
            yield f"{name}({key})"
    if name == "torch.load" and not _is(keywords.get("weights_only"), True):
        yield name
    if name in COMMANDS and node.args and isinstance(node.args[0], ast.JoinedStr | ast.Constant):
        yield f"{name} of a text"
    if name.endswith(("dtype", "create_dataset", "astype")):
        arguments = [*node.args, *keywords.values()]
        if any(_is(a, "O") or ast.unparse(a) == "object" for a in arguments):
            yield f"{name} of objects"


def _root(module: str) -> str:
    return module.split(".")[0]


def _is(node: ast.expr | None, value: object) -> bool:
    return (
        isinstance(node, ast.Constant) and type(node.value) is type(value) and node.value == value
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules(path: Path) -> None:
    assert not list(faults(path.read_text()))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import pickle as p",
        "import shelve, os",
        "from pickle import loads",
        "from pickle import dumps, loads",
        "from torch import load",
        "from os import system",
        "from subprocess import run",
        "from yaml import load",
        "eval('1')",
        "exec(text)",
        "os.system('ls')",
        "os.popen('ls')",
        "os.execvp('ls', words)",
        "os.spawnl(0, 'ls')",
        "subprocess.getoutput('ls')",
        "subprocess.run('ls')",
        "subprocess.Popen(f'ls {folder}')",
        "subprocess.run(words, shell=True)",
        "subprocess.run(words, shell=flag)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=flag)",
        "torch.jit.load(path)",
        "np.load(path, allow_pickle=True)",
        "numpy.load(path, None, allow_pickle=flag)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.SafeLoader)",
        "yaml.unsafe_load(text)",
        "pd.read_pickle(path)",
        "h5py.special_dtype(vlen=str)",
        "file.create_dataset('a', (3,), h5py.vlen_dtype(int))",
        "file.create_dataset('a', (3,), dtype=object)",
        "file.create_dataset('a', (3,), 'O')",
        "__import__(name)",
    ],
)
def test_the_test_sees_what_modules_may_not_do(source: str) -> None:
    assert list(faults(source))


@pytest.mark.parametrize(
    "source",
    [
        "from pickle import dumps",
        "subprocess.run([sys.executable, '-m', 'mlipkd'])",
        "torch.load(path, weights_only=True)",
        "np.load(path, allow_pickle=False)",
        "yaml.safe_load(text)",
        "json.load(file)",
        "file.create_dataset('a', (3,), float)",
    ],
)
def test_the_test_lets_the_rest_be(source: str) -> None:
    assert not list(faults(source))


def faults_of_rules(text: str) -> Iterator[str]:
    """What a file of rules does that it may not."""
    yield from re.findall(r"^\s*(run|script|notebook|wrapper|retries):", text, flags=re.MULTILINE)
    commands = re.findall(r'shell:\n((?:\s+".*"\n?)+)', text)
    # A command written otherwise would not be looked into.
    if len(commands) != len(re.findall(r"^\s*shell\b", text, re.MULTILINE)):
        yield "shell"
    yield from re.findall(r"\bshell\(", text)
    for command in commands:
        words = re.findall(r"\{[^{}]*\}", command)
        yield from (word for word in words if not word.endswith(":q}") and word not in NUMBERS)


@pytest.mark.parametrize("path", RULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rules(path: Path) -> None:
    assert not list(faults_of_rules(path.read_text()))


@pytest.mark.parametrize(
    "text",
    [
        '    shell:\n        "mlipkd {input.model} --output {output:q}"\n',
        '    shell:\n        "mlipkd {wildcards.seed}"\n        " {output:q}"\n',
        '    shell: "mlipkd {output}"\n',
        "    shell:\n        f'mlipkd {path}'\n",
        "    run:\n        print(1)\n",
        '    script:\n        "a.py"\n',
        "    retries: 3\n",
        "shell('ls')\n",
    ],
)
def test_the_test_sees_what_rules_may_not_do(text: str) -> None:
    assert list(faults_of_rules(text))


def test_the_test_finds_rules() -> None:
    texts = [path.read_text() for path in RULES]
    assert sum(len(re.findall(r"^ +shell:", text, re.MULTILINE)) for text in texts) >= 11
