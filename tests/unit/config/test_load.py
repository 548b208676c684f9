"""Faults of a configuration are told all at once, each with its place and the remedy."""

import pytest
import yaml

from mlipkd.campaign import ConfigError, load_campaign
from mlipkd.errors import InputError


@pytest.fixture
def lines(tmp_path, monkeypatch):
    """Write a campaign and give the lines that it is refused with."""
    monkeypatch.chdir(tmp_path)

    def refused(content: object) -> list[str]:
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(ConfigError) as caught:
            load_campaign("config.yaml")
        return str(caught.value).splitlines()

    return refused


def test_reads(content, tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    assert list(load_campaign(str(tmp_path / "config.yaml")).datasets) == ["metal"]


def test_all_at_once(content, lines):
    content["recipes"]["energies"]["optimiser"] = {"epochs": "many"}
    content["recipes"]["distil"]["loss"][0]["weight"] = {5: 1}
    content["datasets"]["metal"]["split"] = {"tset": 0.2}
    del content["datasets"]["metal"]["families"]["students"]["recipe"]
    told = lines(content)
    assert len(told) == 4
    for line, place in zip(
        told,
        [
            "recipes.energies.optimiser.epochs: ",
            "recipes.distil.loss.0: ",
            "datasets.metal.split.tset: ",
            "datasets.metal.families.students: ",
        ],
        strict=True,
    ):
        assert line.startswith(f"config.yaml: {place}")


def test_unknown_key_names_the_one_that_was_meant(content, lines):
    content["datasets"]["metal"]["split"] = {"tset": 0.2}
    assert lines(content)[0].endswith("unknown key; did you mean 'test'?")


def test_key_of_another_section_is_not_proposed_in_its_own_place(content, lines):
    content["datasets"]["metal"]["split"] = {"width": 8}
    assert "no key of this section" in lines(content)[0]


@pytest.mark.parametrize("name", ["../../x", "a;touch P", "", ".hidden", "a/b", "é", "x" * 65])
def test_names_are_plain(content, lines, name):
    content["datasets"][name] = content["datasets"].pop("metal")
    (line,) = lines(content)
    assert f"got {name!r}; rename it" in line


def test_faults_of_families_in_several_datasets(content, lines):
    content["datasets"]["other"] = yaml.safe_load(yaml.safe_dump(content["datasets"]["metal"]))
    for dataset in content["datasets"].values():
        dataset["families"]["students"]["learns_from"] = "nobody"
    assert [line.split(": ")[1] for line in lines(content)] == [
        "datasets.metal.families.students.learns_from",
        "datasets.other.families.students.learns_from",
    ]


@pytest.mark.parametrize("content", ["", "- a\n", "text\n"])
def test_not_a_mapping(lines, content):
    (line,) = lines(content)
    assert line.startswith("config.yaml: top level: expected a mapping")


def test_not_yaml(lines):
    (line,) = lines("recipes:\n  a: ]\n")
    assert line.startswith("config.yaml: line 2: ")


def test_a_key_that_stands_twice(lines):
    (line,) = lines("recipes:\n  a: {}\n  b: {}\n  a: {}\n")
    assert line == "config.yaml: line 4: 'a' stands in line 2 already; fix the YAML there"


def test_merged_keys_may_be_overridden(content, tmp_path):
    """In the order, too, in which the mapping that is merged has itself merged another."""
    text = yaml.safe_dump(content).replace(
        "recipes:\n",
        """recipes:
  first: &first
    batch: {configurations: 2}
    loss: [{quantity: energy, labels: reference, weight: 1}]
  second: {<<: &second {<<: *first, batch: {configurations: 4}}, precision: float64}
  third: {<<: *second, batch: {configurations: 8}}
""",
    )
    (tmp_path / "config.yaml").write_text(text)
    recipes = load_campaign(tmp_path / "config.yaml").recipes
    sizes = [recipes[name].batch.configurations for name in ("first", "second", "third")]
    assert sizes == [2, 4, 8]


def test_python_objects_are_not_made(lines, tmp_path):
    lines(f"recipes: !!python/object/apply:os.mkdir ['{tmp_path}/made']\n")
    assert not (tmp_path / "made").exists()


def test_no_file():
    with pytest.raises(InputError, match=r"^nowhere\.yaml: expected a YAML file"):
        load_campaign("nowhere.yaml")
