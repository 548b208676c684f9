"""What a change of the campaign, or of a file it names, makes Snakemake do again: exactly that."""

import shutil
from pathlib import Path

import pytest
import yaml

from mlipkd.campaign.campaign import Campaign
from mlipkd.campaign.plan import Plan
from tests.workflow.workspace import Workspace

W4, W8, W16 = (f"n1-l0-a1-w{width}-s2" for width in (4, 8, 16))


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A campaign that ran to its end."""
    workspace = Workspace.make(tmp_path_factory.mktemp("finished") / "campaign")
    done = workspace.snakemake("--cores", "2")
    assert done.returncode == 0, done.stderr
    return workspace.folder


@pytest.fixture
def workspace(finished, tmp_path) -> Workspace:
    """A copy of the finished campaign, with its times and Snakemake's records."""
    shutil.copytree(finished, tmp_path / "campaign")
    return Workspace(tmp_path / "campaign")


def trained(family: str, model: str = W4, seeds=(0, 1)) -> set[str]:
    return {f"{family}/{model}/seed{seed}/model.safetensors" for seed in seeds}


def labelled(family: str, model: str = W4, seeds=(0, 1)) -> set[str]:
    predictions = {f"{family}/{model}/seed{seed}/predictions.h5" for seed in seeds}
    return predictions | {f"{family}/{model}/augmented.h5"}


def evaluated(*families: str, model: str = W4) -> set[str]:
    """The rows of families: errors, learning where students have controls, and comp6 where the
    dataset asks for it."""
    kinds = {
        "water": ("errors", "learning", "comp6"),
        "metal": ("errors", "learning"),
        "metal2": ("errors",),
    }
    return {
        f"{family}/{model}/{kind}.csv"
        for family in families
        for kind in kinds[family.split("/")[0]]
    }


def tables(*names: str) -> set[str]:
    return {f"tables/{name}.csv" for name in names} | {"summary.md"}


def figures(config: dict, jobs: set[str]) -> set[str]:
    """The figures that are drawn again: those of the tables that are made again."""
    plan = Plan(Campaign.model_validate(config))
    tables = {Path(job).stem for job in jobs if job.startswith("tables/")}
    return {
        dataset.figure(figure).removeprefix("results/")
        for dataset in plan.datasets
        for figure, drawn_from in plan.figures(dataset).items()
        if tables.intersection(Path(file).stem for file in drawn_from)
    }


WATER_FROM_STUDENTS = (
    trained("water/students")
    | labelled("water/students")
    | trained("water/students2", seeds=[0])
    | evaluated("water/students", "water/students2")
    | tables("errors", "learning", "comp6")
)
WATER_FROM_TEACHERS = (
    trained("water/teachers")
    | labelled("water/teachers")
    | evaluated("water/teachers")
    | WATER_FROM_STUDENTS
)
METAL_STUDENTS = {
    job
    for model in (W4, W8)
    for job in trained("metal/students", model) | evaluated("metal/students", model=model)
}
METAL_CONTROLS = {job.replace("students", "controls") for job in METAL_STUDENTS}
METAL_FROM_TEACHERS = (
    trained("metal/teachers")
    | labelled("metal/teachers")
    | evaluated("metal/teachers")
    | METAL_STUDENTS
    | {"metal/cost.csv"}
    | tables("errors", "learning", "cost")
)
COMP6 = {f"water/{family}/{W4}/comp6.csv" for family in ("teachers", "students", "students2")}


def add_dataset(config: dict) -> None:
    config["datasets"]["metal2"] = {
        "source": {"reader": "aluminium-emt", "seed": 1},
        "model": config["datasets"]["metal"]["model"],
        "families": {"teachers": {"recipe": "teaching", "seeds": 1}},
    }


def rename_recipe(config: dict) -> None:
    config["recipes"]["renamed"] = config["recipes"].pop("control")
    config["datasets"]["metal"]["families"]["controls"]["recipe"] = "renamed"


def setting(path: str, value: object):
    """A change that sets one key, by its YAML path."""

    def change(config: dict) -> None:
        *above, key = path.split(".")
        section = config
        for name in above:
            section = section.setdefault(name, {})
        section[key] = value

    return change


def without(path: str):
    """A change that removes one key, by its YAML path."""

    def change(config: dict) -> None:
        *above, key = path.split(".")
        section = config
        for name in above:
            section = section[name]
        del section[key]

    return change


CHANGES = {
    "nothing": (lambda config: None, set()),
    "name of a recipe": (rename_recipe, set()),
    "order of a grid": (
        setting("datasets.metal.families.students.model.width", [8, 4]),
        set(),
    ),
    "a default, written out": (setting("datasets.water.split.test", 0.2), set()),
    "one width of a student": (
        setting("datasets.metal.families.students.model.width", [4, 16]),
        trained("metal/students", W16)
        | {f"metal/students/{W16}/errors.csv", "metal/cost.csv"}  # no control of this width
        | tables("errors", "learning", "cost"),
    ),
    "recipe of the teachers": (
        setting("recipes.teaching.optimiser.epochs", 5),
        WATER_FROM_TEACHERS | METAL_FROM_TEACHERS,
    ),
    "recipe of the first students": (
        setting("recipes.first.optimiser.epochs", 5),
        WATER_FROM_STUDENTS
        | METAL_STUDENTS
        | {"metal/cost.csv"}
        | tables("errors", "learning", "cost"),
    ),
    "schedule in the recipe of the last in a chain": (
        setting(
            "recipes.second.loss",
            [{"quantity": "forces", "labels": "teacher", "weight": {1: 10, 30: 1}}],
        ),
        trained("water/students2", seeds=[0])
        | evaluated("water/students2")
        | tables("errors", "learning", "comp6"),
    ),
    "source of a dataset": (
        setting("datasets.metal.source.seed", 1),
        {"metal/dataset.h5"} | METAL_FROM_TEACHERS | METAL_CONTROLS,
    ),
    "split of a dataset": (
        setting("datasets.water.split.test", 0.3),
        {"water/dataset.h5"} | WATER_FROM_TEACHERS,
    ),
    "one control more": (
        setting("datasets.metal.families.controls.seeds", 3),
        trained("metal/controls", W4, [2])
        | trained("metal/controls", W8, [2])
        | evaluated("metal/controls", model=W4)
        | evaluated("metal/controls", model=W8)
        | tables("errors", "learning"),
    ),
    "one teacher more": (
        setting("datasets.metal.families.teachers.seeds", 3),
        trained("metal/teachers", seeds=[2])
        | labelled("metal/teachers", seeds=[2])
        | evaluated("metal/teachers")
        | METAL_STUDENTS
        | {"metal/cost.csv"}
        | tables("errors", "learning", "cost"),
    ),
    "a teacher for the controls": (
        lambda config: config["datasets"]["metal"]["families"]["controls"].update(
            recipe="first", learns_from="teachers"
        ),
        METAL_CONTROLS - {f"metal/controls/{W8}/learning.csv"}  # which no family has untaught
        | {"metal/cost.csv"}
        | tables("errors", "learning", "cost"),
    ),
    "setting of comp6": (
        setting("datasets.water.evaluations.comp6.ceiling", 50),
        COMP6 | tables("comp6"),
    ),
    "setting of cost": (
        setting("datasets.metal.evaluations.cost.steps", 20),
        {"metal/cost.csv"} | tables("cost"),
    ),
    "costs of several sizes": (
        setting("datasets.metal.evaluations.cost.growth", [100, 1000]),
        {"metal/cost.csv"} | tables("cost"),
    ),
    "an evaluation more": (
        setting("datasets.water.evaluations.cost", {}),
        {"water/cost.csv"} | tables("cost"),
    ),
    "stability besides": (
        setting("datasets.water.evaluations.stability", {"molecules": 2}),
        {path.replace("comp6", "stability") for path in COMP6} | tables("stability"),
    ),
    "an evaluation less": (without("datasets.metal.evaluations.cost"), {"summary.md"}),
    "a family less": (
        without("datasets.metal.families.controls"),
        {"metal/cost.csv"} | tables("errors", "learning", "cost"),
    ),
    "a dataset more": (
        add_dataset,
        {"metal2/dataset.h5"}
        | trained("metal2/teachers", seeds=[0])
        | evaluated("metal2/teachers")
        | tables("errors"),
    ),
    "a dataset less": (without("datasets.water"), tables("errors", "learning")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_change_of_the_campaign(workspace, inject, name):
    inject("campaign: changed after it ran, exactly what depends on it reruns", "recovered")
    change, wanted = CHANGES[name]
    config = workspace.config
    change(config)
    workspace.config = config
    # The report shows the campaign as it is written.
    assert workspace.planned() == wanted | figures(config, wanted) | {"report.html"}


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("water.xyz", {"water/dataset.h5"} | WATER_FROM_TEACHERS),
        ("small.h5", COMP6 | tables("comp6")),
    ],
)
def test_change_of_a_file(workspace, inject, file, wanted):
    inject("campaign: changed after it ran, exactly what depends on it reruns", "recovered")
    (workspace.folder / file).write_text("other content\n")
    assert workspace.planned() == wanted | figures(workspace.config, wanted) | {"report.html"}


def test_nothing_after_a_change_is_taken_back(workspace):
    original = workspace.config
    setting("recipes.teaching.optimiser.epochs", 5)(changed := workspace.config)
    workspace.config = changed
    wanted = WATER_FROM_TEACHERS | METAL_FROM_TEACHERS
    assert workspace.planned() == wanted | figures(changed, wanted) | {"report.html"}
    workspace.config = original
    assert workspace.planned() == {"report.html"}  # the file is written otherwise than it was


def test_nothing_on_other_hardware(workspace):
    assert workspace.planned("--cores", "64", "--set-resources", "train:mem_mb=1") == set()


def test_nothing_without_logs(workspace):
    shutil.rmtree(workspace.folder / "logs")
    assert workspace.planned() == set()


def test_a_lost_model_is_made_again_with_what_stands_on_it(workspace, inject):
    inject("campaign: a model lost, exactly what stands on it reruns", "recovered")
    (workspace.folder / f"results/metal/controls/{W8}/seed1/model.safetensors").unlink()
    wanted = trained("metal/controls", W8, [1]) | evaluated("metal/controls", model=W8)
    wanted |= tables("errors", "learning")
    assert workspace.planned() == wanted | figures(workspace.config, wanted) | {"report.html"}


def test_reruns_what_was_planned(workspace):
    before = len(workspace.commands)
    setting("recipes.second.optimiser.epochs", 5)(changed := workspace.config)
    workspace.config = changed
    planned = workspace.planned()
    assert workspace.snakemake("--cores", "2").returncode == 0
    assert len(workspace.commands) - before == len(planned)
    settings = workspace.folder / f"results/water/students2/{W4}/seed0/settings.yaml"
    assert yaml.safe_load(settings.read_text())["recipe"]["optimiser"]["epochs"] == 5
    assert workspace.planned() == set()
