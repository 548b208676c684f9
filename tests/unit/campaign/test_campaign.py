"""What families inherit, whom they learn from, and what is wrong between them."""

import copy
import datetime
import re

import pytest

from mlipkd.campaign.campaign import Campaign
from mlipkd.config.load import ConfigError, parse_section


@pytest.fixture
def families(content) -> dict:
    """The families of the campaign's only dataset, to be changed."""
    return content["datasets"]["metal"]["families"]


EMT = {"type": "ase.calculators.emt:EMT", "options": {"asap_cutoff": True}}


def metal(content):
    return parse_section(Campaign, content, "config.yaml").datasets["metal"]


def fault(content) -> tuple[str, str]:
    """The one fault of a campaign: where, and what."""
    with pytest.raises(ConfigError) as caught:
        parse_section(Campaign, content, "config.yaml")
    (one,) = caught.value.faults
    return one


def test_models_and_seeds_are_inherited(content, families):
    families["students2"] = {"recipe": "distil", "learns_from": "students"}
    dataset = metal(content)
    assert list(dataset.architectures("teachers")) == ["n1-l0-a2-w8-s4"]
    grid = ["n1-l0-a2-w4-s4", "n1-l0-a2-w8-s4"]
    assert list(dataset.architectures("students")) == grid
    assert list(dataset.architectures("students2")) == grid
    assert dataset.seeds("students2") == dataset.seeds("teachers") == list(range(8))


def test_seeds_are_a_number_or_a_list_or_one(content, families):
    families["some"] = {"recipe": "energies", "seeds": [7, 3]}
    families["one"] = {"recipe": "energies"}
    assert metal(content).seeds("some") == [7, 3]
    assert metal(content).seeds("one") == [0]


def test_one_teacher_model_teaches_all_and_several_teach_their_like(content, families):
    families["students2"] = {"recipe": "distil", "learns_from": "students"}
    dataset = metal(content)
    for model in dataset.architectures("students"):
        assert dataset.teacher_of("students", model) == ("teachers", "n1-l0-a2-w8-s4")
        assert dataset.teacher_of("students2", model) == ("students", model)
    assert dataset.teacher_of("teachers", "n1-l0-a2-w8-s4") is None


def test_chains_of_any_depth(content, families):
    for depth in range(3, 30):
        teacher = f"students{depth - 1}" if depth > 3 else "students"
        families[f"students{depth}"] = {"recipe": "distil", "learns_from": teacher}
    assert metal(content).teacher_of("students29", "n1-l0-a2-w4-s4")[0] == "students28"


def test_a_calculator_is_a_family_of_one_and_teaches_all(content, families):
    families["teachers"] = {"calculator": EMT}
    dataset = metal(content)
    assert (dataset.models("teachers"), dataset.seeds("teachers")) == (["calculator"], [0])
    assert dataset.models("students") == ["n1-l0-a2-w4-s4", "n1-l0-a2-w8-s4"]
    assert dataset.seeds("students") == [0]
    for model in dataset.models("students"):
        assert dataset.teacher_of("students", model) == ("teachers", "calculator")


def test_options_of_a_calculator_are_plain_values(content, families):
    families["added"] = {"calculator": EMT | {"options": {"when": datetime.date(2025, 1, 1)}}}
    assert fault(content)[0].startswith("datasets.metal.families.added.calculator.options.when")


@pytest.mark.parametrize(
    ("family", "place", "words"),
    [
        ({"recipe": "distill"}, ".recipe", "expected one of the recipes energies, distil"),
        ({"recipe": "distil"}, "", "add learns_from"),
        ({"recipe": "energies", "learns_from": "teachers"}, ".learns_from", "remove learns_from"),
        ({"recipe": "distil", "learns_from": "nobody"}, ".learns_from", "got 'nobody'"),
        ({"recipe": "distil", "learns_from": "added"}, ".learns_from", "added → added"),
        (
            {"recipe": "distil", "learns_from": "students", "model": {"width": 16}},
            ".learns_from",
            "none is n1-l0-a2-w16-s4",
        ),
        ({"recipe": "energies", "model": {"soft_max": 5}}, ".model", "ascending order"),
        ({"recipe": "energies", "seeds": [1, 1]}, "", "expected seeds that differ"),
        ({}, "", "expected a recipe, a calculator or transferred_from"),
        (
            {"recipe": "energies", "calculator": EMT},
            "",
            "expected a recipe, a calculator or transferred_from",
        ),
        ({"calculator": EMT, "learns_from": "teachers"}, "", "got learns_from; remove it"),
        ({"calculator": EMT, "seeds": 2, "together": True}, "", "got seeds, together; remove it"),
        ({"calculator": EMT, "model": {"width": 4}}, "", "got model; remove it"),
        (
            {"calculator": {"type": "EMT"}},
            ".calculator.type",
            "expected an import path as package.module:",
        ),
        ({"calculator": {"type": "a.b:c()"}}, ".calculator.type", "got 'a.b:c()'; e.g."),
        ({"calculator": {"type": "../a:b"}}, ".calculator.type", "got '../a:b'; e.g."),
    ],
)
def test_family_that_does_not_fit(content, families, family, place, words):
    families["added"] = family
    where, what = fault(content)
    assert where == f"datasets.metal.families.added{place}"
    assert words in what


def test_model_that_is_nowhere_complete(content):
    del content["datasets"]["metal"]["model"]["soft_min"]
    del content["datasets"]["metal"]["families"]["students"]
    where, what = fault(content)
    assert where == "datasets.metal.families.teachers.model"
    assert what.startswith("expected values for soft_min")


def test_dataset_named_like_the_folder_of_tables(content):
    content["datasets"]["tables"] = content["datasets"].pop("metal")
    assert fault(content)[0] == "datasets.tables"


def test_each_seed_may_have_a_teacher_of_its_own(content, families):
    families["students"] |= {"supervision": "single", "seeds": [7, 3]}
    assert metal(content).families["students"].supervision == "single"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"together": True}, "remove together"),
        ({"seeds": [0, 9]}, r"expected seeds of 'teachers', .* got \[9\] besides"),
        ({"recipe": "trusting"}, "has trust, and a single teacher has no spread"),
        (
            {"recipe": "energies", "learns_from": None},
            "expected learns_from with supervision: single",
        ),
    ],
)
def test_what_single_teachers_cannot_do(content, families, changes, what):
    term = {"quantity": "forces", "labels": "teacher", "weight": 1, "trust": {}}
    content["recipes"]["trusting"] = {"loss": [term], "batch": {"pairs": 100}}
    families["students"] |= {"supervision": "single", **changes}
    where, text = fault(content)
    assert where == "datasets.metal.families.students.supervision"
    assert re.search(what, text)


@pytest.mark.parametrize("calculator", [True, False])
def test_trust_needs_a_spread(content, families, calculator):
    term = {"quantity": "forces", "labels": "teacher", "weight": 1, "trust": {}}
    content["recipes"]["trusting"] = {"loss": [term], "batch": {"pairs": 100}}
    families["students"]["recipe"] = "trusting"
    families["teachers"]["seeds"] = 2
    assert metal(content)
    if calculator:
        families["teachers"] = {"calculator": EMT}
    else:
        families["teachers"]["seeds"] = [5]
    where, text = fault(content)
    assert where == "datasets.metal.families.students.recipe"
    assert "one member of 'teachers' has no spread to go by; let several teach" in text


def test_a_recommendation_goes_by_a_label_that_all_recipes_have(content, families):
    content["datasets"]["metal"]["evaluations"] = {
        "recommended": {"teacher": "teachers"},
        "cost": {},
    }
    forces = {"quantity": "forces", "labels": "reference", "weight": 0}
    place = "datasets.metal.evaluations.recommended.by"
    with pytest.raises(ConfigError) as caught:
        parse_section(Campaign, content, "config.yaml")
    assert [where for where, _ in caught.value.faults] == [place, place]
    content["recipes"]["energies"]["loss"].append(forces)
    where, what = fault(content)
    assert where == place
    assert "reference term of forces" in what and "found none in 'distil'; add one" in what
    content["recipes"]["distil"]["loss"].append(forces)
    assert metal(content)


def test_a_recommendation_needs_a_teacher_candidates_and_costs(content, families):
    for recipe in content["recipes"].values():
        recipe["loss"].append({"quantity": "forces", "labels": "reference", "weight": 1})
    evaluations = content["datasets"]["metal"]["evaluations"] = {
        "recommended": {"teacher": "teachers"},
        "cost": {},
    }
    assert metal(content).candidates() == ["students"]
    place = "datasets.metal.evaluations.recommended"
    del evaluations["cost"]
    assert fault(content) == (place, "expected costs to compare; add evaluations.cost")
    evaluations["cost"] = {}
    evaluations["recommended"]["teacher"] = "professors"
    where, what = fault(content)
    assert where == f"{place}.teacher"
    assert what == "expected one of the trained families teachers, students, got 'professors'"
    evaluations["recommended"]["teacher"] = "teachers"
    del families["students"]
    assert fault(content) == (
        place,
        "expected a family that learns from another, found none; add students",
    )


def test_liquids_of_pooled_states_are_asked_for_where_they_are_one(content):
    metal = content["datasets"]["metal"]
    content["datasets"]["hot"] = copy.deepcopy(metal)
    content["datasets"]["both"] = copy.deepcopy(metal)
    both = content["datasets"]["both"]
    both["source"] = {"reader": "pooled", "datasets": ["metal", "hot"]}
    both.pop("split", None)
    parse_section(Campaign, content, "config.yaml")
    liquid = {
        "replicas": {"temperature": 300},
        "distributions": {"adf": {"cutoffs": [4]}},
    }
    content["datasets"]["hot"]["evaluations"] = liquid
    parse_section(Campaign, content, "config.yaml")
    both["evaluations"] = liquid
    with pytest.raises(ConfigError) as caught:
        parse_section(Campaign, content, "config.yaml")
    for (where, what), evaluation in zip(caught.value.faults, liquid, strict=True):
        assert where == f"datasets.both.evaluations.{evaluation}"
        assert what.startswith("expected a dataset of one state, got metal, hot pooled")


def test_radial_distributions_need_a_liquid_and_a_teacher_of_one_model(content, families):
    evaluations = content["datasets"]["metal"]["evaluations"] = {
        "rdf": {"teacher": "teachers"},
        "liquid": {"temperature": 1200, "density": 2.3},
    }
    assert metal(content).evaluations.rdf.teacher == "teachers"
    place = "datasets.metal.evaluations.rdf"
    evaluations["rdf"]["teacher"] = "professors"
    assert fault(content)[0] == f"{place}.teacher"
    evaluations["rdf"]["teacher"] = "students"
    where, what = fault(content)
    assert where == f"{place}.teacher"
    assert "expected a family of one model, got 'students' of 2" in what
    evaluations["rdf"]["teacher"] = "teachers"
    del evaluations["liquid"]
    assert fault(content) == (
        place,
        "expected a liquid to take it from; add evaluations.liquid",
    )
