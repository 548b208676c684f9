"""The plan of small campaigns: everything that the workflow asks of it."""

from pathlib import Path

import pytest
import yaml

from mlipkd.campaign.campaign import Campaign
from mlipkd.campaign.plan import Plan
from mlipkd.errors import InputError
from mlipkd.evaluation import EVALUATIONS
from mlipkd.paths import DatasetPaths, ModelPaths

W4, W8 = "n1-l0-a1-w4-s2", "n1-l0-a1-w8-s2"

CAMPAIGN = """\
recipes:
  teaching: {loss: [{quantity: energy, labels: reference, weight: 1}], batch: {configurations: 2}}
  learning:
    loss:
      - {quantity: energy, labels: reference, weight: 1}
      - {quantity: forces, labels: teacher, weight: 1}
    batch: {configurations: 2}
datasets:
  metal:
    source: {reader: aluminium-emt}
    model:
      {n_interactions: 1, l_max: 0, atom_layers: 1, width: 4, sensitivities: 2,
       soft_min: 0.8, soft_max: 3, hard_max: 4}
    families:
      teachers: {recipe: teaching, seeds: 2}
      students: {recipe: learning, learns_from: teachers, model: {width: [4, 8]}, seeds: [5]}
      controls: {recipe: teaching, model: {width: 8}}
"""


@pytest.fixture
def config() -> dict:
    return yaml.safe_load(CAMPAIGN)


def planned(config: dict) -> Plan:
    return Plan(Campaign.model_validate(config))


def metal(family: str, model: str = W4) -> ModelPaths:
    return ModelPaths("metal", family, model)


def tables(*names: str) -> list[str]:
    return [f"results/tables/{name}.csv" for name in names]


TEACHERS, STUDENTS, WIDE, CONTROLS = (
    metal("teachers"),
    metal("students"),
    metal("students", W8),
    metal("controls", W8),
)


def inputs(plan, evaluation: str, name: str, about) -> str | list[str]:
    """What an evaluation reads."""
    (declared,) = (file for file in EVALUATIONS[evaluation].inputs if file.name == name)
    return declared.files(plan, about)


def test_models_and_members(config):
    plan = planned(config)
    assert plan.datasets == [DatasetPaths("metal")]
    assert plan.models == plan.trained == plan.potentials == [TEACHERS, STUDENTS, WIDE, CONTROLS]
    assert plan.transferred == plan.together == plan.rows["replicas"] == []
    assert plan.calculators == {}
    assert list(plan.members) == [
        *(TEACHERS.member(0), TEACHERS.member(1)),
        *(STUDENTS.member(5), WIDE.member(5)),
        CONTROLS.member(0),
    ]
    training = plan.members[WIDE.member(5)]
    assert (training.family, training.seed, training.architecture.width) == ("students", 5, 8)
    assert plan.members_of(TEACHERS) == [TEACHERS.member(0), TEACHERS.member(1)]
    first = [TEACHERS.member(0), STUDENTS.member(5), WIDE.member(5), CONTROLS.member(0)]
    assert inputs(plan, "cost", "models", DatasetPaths("metal")) == [m.weights for m in first]


def test_who_teaches_whom(config):
    plan = planned(config)
    assert [plan.teacher_of(model) for model in plan.models] == [None, TEACHERS, TEACHERS, None]
    assert plan.training_data(TEACHERS.member(1)) == "results/metal/dataset.h5"
    assert plan.training_data(WIDE.member(5)) == f"results/metal/teachers/{W4}/augmented.h5"
    assert plan.manifests == [f"results/metal/teachers/{W4}/manifest.json"]
    assert plan.compared("metal") == {W4, W8}
    assert not plan.labels_hessians(TEACHERS)


def test_a_control_of_the_same_architecture_makes_a_student_compared(config):
    config["datasets"]["metal"]["families"]["teachers"]["model"] = {"width": 16}
    assert planned(config).compared("metal") == {W8}


def test_each_seed_may_have_a_teacher_of_its_own(config):
    students = config["datasets"]["metal"]["families"]["students"]
    students.update(supervision="single", seeds=[1])
    plan = planned(config)
    merged = f"results/metal/teachers/{W4}/seed1/augmented.h5"
    assert plan.training_data(STUDENTS.member(1)) == merged
    assert plan.manifests == []


def test_hessians_are_labelled_where_somebody_learns_them(config):
    term = {"quantity": "hvp", "labels": "teacher", "weight": 1, "probes": {"kind": "one_hot"}}
    config["recipes"]["learning"]["loss"].append(term)
    plan = planned(config)
    assert [m.family for m in plan.models if plan.labels_hessians(m)] == ["teachers"]


def test_seeds_that_train_together(config):
    config["datasets"]["metal"]["families"]["students"]["together"] = True
    assert planned(config).together == [STUDENTS, WIDE]


def test_calculators_have_settings_in_place_of_model_files(config):
    config["datasets"]["metal"]["families"]["teachers"] = {
        "calculator": {"type": "ase.calculators.emt:EMT"}
    }
    plan = planned(config)
    oracle = metal("teachers", "calculator")
    assert plan.models[0] == oracle
    assert oracle not in plan.trained and oracle not in plan.potentials
    assert list(plan.calculators) == [oracle.member(0)]
    assert plan.model_file(oracle.member(0)) == (
        "results/metal/teachers/calculator/seed0/settings.yaml"
    )
    assert plan.model_file(WIDE.member(0)).endswith(f"students/{W8}/seed0/model.safetensors")
    assert plan.training_data(STUDENTS) == "results/metal/teachers/calculator/augmented.h5"
    assert oracle.rows("errors") in plan.rows["errors"]


@pytest.fixture
def transferred(config) -> Plan:
    metals = config["datasets"]["metal"]
    config["datasets"]["other"] = metals | {
        "source": {"reader": "aluminium-emt", "seed": 1},
        "families": {"moved": {"transferred_from": {"dataset": "metal", "family": "students"}}},
    }
    return planned(config)


def test_transferred_families_are_evaluated_and_not_trained(transferred):
    moved = [ModelPaths("other", "moved", model) for model in (W4, W8)]
    assert transferred.transferred == moved
    assert transferred.potentials == [*transferred.trained, *moved]
    assert transferred.original(moved[1]) == WIDE
    assert not any(member.dataset == "other" for member in transferred.members)
    assert transferred.members_of(moved[0]) == [moved[0].member(5)]
    assert [moved[0].rows("errors"), moved[1].rows("errors")] == transferred.rows["errors"][-2:]


def test_each_kind_of_rows_is_of_those_who_are_asked(config):
    plan = planned(config)
    assert {table: rows for table, rows in plan.rows.items() if rows} == {
        "errors": [model.rows("errors") for model in plan.models],
        "learning": [model.rows("learning") for model in plan.models],
    }
    config["datasets"]["metal"]["evaluations"] = {
        "cost": {},
        "stability": {},
        "liquid": {"temperature": 1000, "density": 2.3},
        "rdf": {"teacher": "teachers"},
        "replicas": {"temperature": 1000},
        "distributions": {"adf": {"cutoffs": [3.0]}},
        "recommended": {"teacher": "teachers", "by": "energy"},
        "own": {"bulk": {"function": "mlipkd.units:any"}},
    }
    config["datasets"]["metal"]["families"]["oracle"] = {
        "calculator": {"type": "ase.calculators.emt:EMT"}
    }
    plan = planned(config)
    oracle, dataset = metal("oracle", "calculator"), DatasetPaths("metal")
    members = [m for model in plan.potentials for m in plan.members_of(model)]
    assert {evaluation: rows for evaluation, rows in plan.rows.items() if rows} == {
        "recommended": [dataset.rows("recommended")],
        "errors": [model.rows("errors") for model in [*plan.potentials, oracle]],
        "stability": [model.rows("stability") for model in plan.potentials],
        "liquid": [member.rows("liquid") for member in members],
        "rdf": [model.rows("rdf") for model in plan.potentials],
        "structure": [model.rows("structure") for model in plan.potentials],
        "replicas": [
            *(member.rows("replicas") for member in members),
            f"results/metal/teachers/{W4}/ensemble/replicas.csv",
        ],
        "deviations": [of.rows("deviations") for of in (dataset, *plan.potentials)],
        "own": [model.rows("own.bulk") for model in [*plan.potentials, oracle]],
        "cost": [dataset.rows("cost")],
        "learning": [model.rows("learning") for model in plan.trained],
    }
    assert inputs(plan, "distributions", "trajectories", TEACHERS) == [
        f"results/metal/teachers/{W4}/{place}/replicas.h5"
        for place in ("seed0", "seed1", "ensemble")
    ]
    assert inputs(plan, "distributions", "trajectories", WIDE) == [
        f"results/metal/students/{W8}/seed5/replicas.h5"
    ]
    assert inputs(plan, "structure", "teacher", WIDE) == f"results/metal/teachers/{W4}/rdf.csv"
    assert inputs(plan, "recommended", "models", dataset) == [
        member.weights for model in (TEACHERS, STUDENTS, WIDE) for member in plan.members_of(model)
    ]
    curves = [of.rows("distributions") for of in (dataset, *plan.potentials)]
    assert plan.figures(dataset) == {
        "errors": tables("errors"),
        "stability": tables("stability"),
        "learning": tables("learning"),
        "capacity": tables("errors"),
        "pareto": tables("errors", "cost"),
        "weights": tables("errors", "cost", "structure"),
        "deviations": tables("deviations"),
        "pairs": curves,
        "adf": curves,
        "cdf": curves,
        "rdf": tables("rdf", "recommended"),
    }


def test_figures_follow_from_the_evaluations(config):
    metals = config["datasets"]["metal"]
    plan = planned(config)
    assert plan.figures(DatasetPaths("metal")) == {
        "errors": tables("errors"),
        "learning": tables("learning"),
        "capacity": tables("errors"),
    }
    assert plan.drawn == [
        f"results/figures/metal/{figure}.svg" for figure in ("errors", "capacity", "learning")
    ]
    metals["evaluations"] = {"cost": {"growth": [10, 100]}, "comp6": {"suites": {"s": "s.h5"}}}
    assert planned(config).figures(DatasetPaths("metal")) == {
        "errors": tables("errors"),
        "comp6": tables("comp6"),
        "learning": tables("learning"),
        "capacity": tables("comp6"),
        "pareto": tables("errors", "cost"),
        "weights": tables("errors", "cost"),
        "growth": tables("cost"),
    }
    metals["families"] = {"teachers": {"recipe": "teaching"}}
    assert planned(config).figures(DatasetPaths("metal")) == {
        "errors": tables("errors"),
        "comp6": tables("comp6"),
        "growth": tables("cost"),
    }
    metals["families"] = {"oracle": {"calculator": {"type": "ase.calculators.emt:EMT"}}}
    plan = planned(config)
    assert plan.figures(DatasetPaths("metal")) == {
        "errors": tables("errors"),
        "comp6": tables("comp6"),
    }
    assert plan.rows["cost"] == []


def test_settings_of_every_job(config):
    config["datasets"]["metal"]["evaluations"] = {
        "cost": {},
        "own": {"bulk": {"function": "mlipkd.units:any"}},
    }
    config["datasets"]["metal"]["families"]["oracle"] = {
        "calculator": {"type": "ase.calculators.emt:EMT"}
    }
    config["simulations"] = {
        "hot": {
            "molecules": {"W": {"number": 3, "structure": "w.gro"}},
            "topology": "w.top",
            "box": 30,
            "temperature": 300,
        }
    }
    plan = planned(config)
    assert set(plan.settings) == {
        "results/simulations/hot/settings.yaml",
        "results/metal/settings.yaml",
        "results/metal/cost.settings.yaml",
        "results/metal/own.bulk.settings.yaml",
        "results/metal/oracle/calculator/seed0/settings.yaml",
        *(member.settings for member in plan.members),
    }
    cost = yaml.safe_load(plan.settings["results/metal/cost.settings.yaml"].to_yaml())
    assert list(cost) == ["cost"]
    assert cost["cost"]["steps"] == 10  # defaults are written out


def test_modules_of_functions(config):
    own = {"bulk": {"function": "mlipkd.units:any"}}
    config["datasets"]["metal"]["evaluations"] = {"own": own}
    config["datasets"]["metal"]["source"] = {
        "reader": "own",
        "files": ["a.txt"],
        "function": "mlipkd.errors:any",
    }
    files = planned(config).modules("config.yaml")
    assert {path: Path(file).name for path, file in files.items()} == {
        "results/metal/settings.yaml": "errors.py",
        "results/metal/own.bulk.settings.yaml": "units.py",
    }
    own["bulk"]["function"] = "nowhere:any"
    with pytest.raises(
        InputError,
        match=r"^config.yaml: datasets.metal.evaluations.own.bulk.function: .*nowhere",
    ):
        planned(config).modules("config.yaml")
