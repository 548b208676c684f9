"""Shells and paths in the words of a campaign: refused as names, and harmless where text is free.

Every key and every text of a campaign that has all sections is replaced by something a shell or a
path could read. What is then not refused must be a text that is known to be free.
"""

import copy
from collections.abc import Iterator

import yaml

from mlipkd.campaign import Campaign, ConfigError
from mlipkd.config.load import parse_section
from tests.workflow.conftest import workspace  # noqa: F401

HOSTILE = [
    "../../x",
    "/etc/passwd",
    "a;touch canary",
    "$(touch canary)",
    "`touch canary`",
    "a\ntouch canary",
    "metal\n",
    "-rf",
    "a b",
    "a'b",
    'a"b',
    "{wildcards}",
    "a|b",
    "*",
    "~",
    "",
]
MODEL = (
    "{n_interactions: 1, l_max: 0, atom_layers: 1, width: 4, sensitivities: 2, soft_min: 0.8, "
    "soft_max: 3, hard_max: 4}"
)
CAMPAIGN = f"""
downloads:
  fetched.h5: {{url: "https://example.org/a.h5", sha256: "{"0" * 64}"}}
simulations:
  salt:
    molecules: {{NaCl: {{number: 9, structure: salt.gro, residue: SALT}}}}
    topology: salt.top
    includes: [salt.itp]
    box: 30
    temperature: 300
recipes:
  teaching:
    loss: [&energy {{quantity: energy, labels: reference, weight: 1}}]
    batch: {{pairs: 9}}
  learning:
    loss: [*energy, {{quantity: forces, labels: teacher, weight: 1}}]
    batch: {{pairs: 9}}
datasets:
  metal:
    source: {{reader: ase, files: [a.xyz], energy_key: E, forces_key: F, group_key: G}}
    model: {MODEL}
    families:
      teachers: {{recipe: teaching}}
      students: {{recipe: learning, learns_from: teachers, supervision: single}}
      emt: {{calculator: {{type: "ase.calculators.emt:EMT", options: {{asap_cutoff: text}}}}}}
    evaluations:
      comp6: {{suites: {{one: one.h5, two: {{reader: ase, files: [b.xyz]}}}}}}
      stability: {{molecule: H2O}}
      liquid: {{temperature: 900, density: 2}}
      rdf: {{teacher: teachers}}
      cost: {{}}
      recommended: {{teacher: teachers, by: energy}}
  water:
    source: {{reader: ani1x, files: [c.h5], energy: e.energy, forces: e.forces}}
    model: {MODEL}
    families: {{teachers: {{recipe: teaching}}}}
  ethanol:
    source: {{reader: molecules-xtb, molecules: [CH3CH2OH]}}
    model: {MODEL}
    families: {{teachers: {{recipe: teaching}}}}
  beads:
    source: {{reader: trajectory, simulation: salt, beads: {{salt: resname SALT}}}}
    model: {MODEL}
    families: {{teachers: {{recipe: teaching}}}}
"""
#: Paths of the user's files, names in ASE's collections, keys in files, selections of MDAnalysis
#: and arguments of classes.
FREE = {
    "simulations.salt.molecules.NaCl.structure",
    "simulations.salt.topology",
    "simulations.salt.includes.0",
    "datasets.metal.source.files.0",
    "datasets.metal.source.energy_key",
    "datasets.metal.source.forces_key",
    "datasets.metal.source.group_key",
    "datasets.metal.families.emt.calculator.options.asap_cutoff",
    "datasets.metal.families.emt.calculator.options.asap_cutoff (key)",
    "datasets.metal.evaluations.comp6.suites.two.files.0",
    "datasets.metal.evaluations.stability.molecule",
    "datasets.water.source.files.0",
    "datasets.water.source.energy",
    "datasets.water.source.forces",
    "datasets.ethanol.source.molecules.0",
    "datasets.beads.source.beads.salt",
}


def places(section, above=()) -> Iterator[tuple[tuple, bool]]:
    """The way to every key and every text of a campaign, and whether it is a key."""
    entries = section.items() if isinstance(section, dict) else enumerate(section)
    for key, value in entries:
        if isinstance(key, str):
            yield (*above, key), True
        if isinstance(value, dict | list):
            yield from places(value, (*above, key))
        elif isinstance(value, str):
            yield (*above, key), False


def replaced(campaign: dict, place: tuple, is_key: bool, text: str) -> dict:
    """The campaign with another text in one place."""
    changed = copy.deepcopy(campaign)
    section = changed
    for key in place[:-1]:
        section = section[key]
    if is_key:
        section[text] = section.pop(place[-1])
    else:
        section[place[-1]] = text
    return changed


def test_the_campaign_is_good() -> None:
    parse_section(Campaign, yaml.safe_load(CAMPAIGN), "config.yaml")


def test_what_is_no_name_is_refused(inject) -> None:
    campaign = yaml.safe_load(CAMPAIGN)
    accepted = set()
    for place, is_key in places(campaign):
        where = ".".join(map(str, place)) + (" (key)" if is_key else "")
        for text in HOSTILE:
            changed = replaced(campaign, place, is_key, text)
            if where in FREE:
                parse_section(Campaign, changed, "config.yaml")
                continue
            inject("hostile: shell or path in a name of the campaign", "refused")
            try:
                parse_section(Campaign, changed, "config.yaml")
            except ConfigError:
                continue
            accepted.add((where, text))
    assert not accepted


def test_free_text_is_not_run(workspace, inject) -> None:  # noqa: F811
    """The campaign runs to its end, with files that are called so."""
    names = [text for text in HOSTILE[2:] if text and "\n" not in text and "{" not in text]
    sources = [f"{text}.xyz" for text in names]
    suites = [f"{text}.h5" for text in names]
    for name in (*sources, *suites):
        (workspace.folder / name).write_text("content\n")
    campaign = workspace.config
    water, metal = campaign["datasets"]["water"], campaign["datasets"]["metal"]
    water["source"] = {"reader": "ase", "files": sources, "energy_key": "$(touch canary)"}
    water["evaluations"]["comp6"] = {"suites": {"small": suites}}
    metal["families"]["oracle"] = {
        "calculator": {"type": "a:B", "options": {"command": "$(touch canary);touch canary"}}
    }
    url = "https://example.org/$(touch${IFS}canary);touch${IFS}canary"
    campaign["downloads"] = {"fetched.xyz": {"url": url, "sha256": "0" * 64}}
    water["source"]["files"].append("downloads/fetched.xyz")
    workspace.config = campaign
    for _ in range(len(sources) + len(suites) + 3):
        inject("hostile: shell or path in free text of the campaign", "recovered")
    done = workspace.snakemake("--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not list(workspace.folder.rglob("canary*"))
    (fetched,) = [line for line in workspace.commands if line.startswith("fetch")]
    assert f"--url {url} " in fetched
