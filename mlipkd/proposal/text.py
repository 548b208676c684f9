"""The text of a proposed campaign, with comments on what a user may want to change."""

from dataclasses import dataclass

import yaml

from mlipkd.proposal.units import Guess
from mlipkd.readers import AnySource

#: Teachers on energies and forces, students on the forces of their ensemble besides (EKD): its mean
#: is better than any of them. Atomic energies (KD-Al) want teachers that trained for longer.
WITH_FORCES = """\
recipes:
  # Teachers learn energies and forces of the reference …
  reference: &reference
    loss:
      - {{quantity: energy, labels: reference, weight: 1}}
      - {{quantity: forces, labels: reference, weight: 10}}
{stress}\
    regularisation: {{l2: 1.0e-6, hierarchicality: 0.01}}
    # On a plateau the rate is halved, and at last training ends; epochs are at most.
    optimiser: {{learning_rate: 1.0e-2, halve_after: {halve}, stop_after: {stop}, epochs: {epochs}}}
    batch: {{configurations: {batch}}}
  # … and students the forces of all teachers besides, whose mean is better than any of them (EKD).
  distilled:
    <<: *reference
    loss:
      - {{quantity: energy, labels: reference, weight: 1}}
      - {{quantity: forces, labels: reference, weight: 10}}
      - {{quantity: forces, labels: teacher, weight: 20}}
"""
#: Teachers on energies alone, students on the forces of their ensemble besides (EKD).
WITHOUT_FORCES = """\
recipes:
  # There are no forces: teachers learn energies of the reference, each on its own split …
  reference: &reference
    loss:
      - {{quantity: energy, labels: reference, weight: 1}}
    regularisation: {{l2: 1.0e-4, hierarchicality: 0.1}}
    # On a plateau the rate is halved, and at last training ends; epochs are at most.
    optimiser: {{learning_rate: 1.0e-3, halve_after: {halve}, stop_after: {stop}, epochs: {epochs}}}
    batch: {{configurations: {batch}}}
    split: per_seed
  # … and students the forces of all teachers besides, less and less (EKD).
  distilled:
    <<: *reference
    loss:
      - {{quantity: energy, labels: reference, weight: 1}}
      - quantity: forces
        labels: teacher
        weight: {{1: 10, {early}: 5, {late}: 1}}
"""
STRESS = "      # - {quantity: stress, labels: reference, weight: 100}   # they are there, too\n"
DATASET = """
datasets:
  {name}:
    source:
{source}\
    # Nothing ever trains on the test split.{alike}
    split: {{{split}}}
    model:
      {{n_interactions: 1, l_max: 1, atom_layers: 3, sensitivities: 16,
       # from the closest contacts to about {neighbours:.0f} neighbours of each atom, Å
       soft_min: {soft_min:g}, soft_max: {soft_max:g}, hard_max: {hard_max:g}}}
    families:
      # More seeds and more width make better teachers.
      teachers: {{recipe: reference, model: {{width: 32}}, seeds: 4, together: true}}
      # The smallest student that is good enough is what you will use.
      students:
        recipe: distilled
        learns_from: teachers
        model: {{width: [8, 16, 32]}}
        seeds: [4, 5]   # not the teachers', or the widest controls would be two of the teachers
        together: true
      # The same without a teacher: what the teacher is good for.
      controls: {{recipe: reference, model: {{width: [8, 16, 32]}}, seeds: [4, 5], together: true}}
    evaluations:
      cost: {{atoms: 500, steps: 10}}
      # A student may be so much worse than its teacher on the validation split, as a fraction.
      recommended: {{teacher: teachers, by: {by}, within: 0.2}}
"""
ALIKE = """
    # If frames of one trajectory follow each other, say by which key, and split by group: frames
    # near in time are alike, and errors on the test split come out too low.
    #   source.group_key: …   split.by: group"""

FEWER = "\n    # So few are trained on for the first look; without `train` all that are left."


@dataclass(frozen=True)
class Cutoffs:
    """Distances of ``model`` in a campaign, Å."""

    soft_min: float
    soft_max: float
    hard_max: float


@dataclass(frozen=True)
class Choices:
    """What a campaign is made of, but for what depends on the time that it may take."""

    name: str
    """Of the dataset."""
    source: AnySource
    guesses: list[Guess]
    """Why units and signs are what they are; of some of them, that nothing tells."""
    labels: frozenset[str]
    """Reference labels."""
    by_group: bool
    """Whether groups are many enough to split by them."""
    test: float
    """Fraction of the configurations."""
    validation: float
    """Fraction of the configurations."""
    cutoffs: Cutoffs
    neighbours: float
    """Of an atom within the cut-off, on average."""


def campaign_text(choices: Choices, train: int | None, epochs: int, batch: int) -> str:
    """The campaign in YAML.

    Args:
        choices: what it is made of.
        train: configurations to train on, all if none.
        epochs: at most.
        batch: configurations in a mini-batch.
    """
    forces = "forces" in choices.labels
    recipes = (WITH_FORCES if forces else WITHOUT_FORCES).format(
        stress=STRESS if "stress" in choices.labels else "",
        halve=max(3, epochs // 12) if forces else max(5, epochs // 5),
        stop=max(10, epochs * 2 // 5),
        epochs=epochs,
        batch=batch,
        early=epochs // 4,
        late=epochs // 2,
    )
    split = [f"test: {choices.test:g}", f"validation: {choices.validation:g}"]
    split += ["by: group"] * choices.by_group + [f"train: {train}"] * (train is not None)
    return recipes + DATASET.format(
        name=choices.name,
        source=_source(choices),
        alike=("" if choices.by_group else ALIKE) + (FEWER if train is not None else ""),
        split=", ".join(split),
        neighbours=choices.neighbours,
        by="forces" if forces else "energy",
        **vars(choices.cutoffs),
    )


def _source(choices: Choices) -> str:
    """The source's keys, one a line; what is not for certain is said, and left to its default."""
    reasons = {guess.key: guess for guess in choices.guesses}
    given = {"reader", "files", *choices.source.model_fields_set}
    lines = []
    for key, value in choices.source.model_dump(include=given).items():
        line = _yaml(key, value)
        if (guess := reasons.pop(key, None)) and guess.reason:
            line += f"   # {guess.reason}"
        lines.append(line)
    for guess in reasons.values():
        lines.append(f"# {_yaml(guess.key, guess.value)}   # {guess.doubt}; is it so?")
    return "".join(f"      {line}\n" for line in lines)


def _yaml(key: str, value: object) -> str:
    """A key and its value on one line."""
    flow = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=float("inf"))
    return f"{key}: {flow.strip()[1:-1]}"
