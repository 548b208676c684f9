"""Recipes: how a family is trained. Data, not code."""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.quantities import QUANTITIES, Quantity
from mlipkd.config.section import Section

LabelSource = Literal["reference", "teacher"]


class Trust(Section):
    """A teacher's label counts 1 / (1 + (s / (scale · s̃))²): s its spread, s̃ the median spread."""

    per: Literal["atom", "configuration"] = "atom"
    """Whether s is that of an atom's label, or of all labels of its configuration."""
    scale: PositiveFloat = 1.0
    """In units of the median: labels of this spread count half."""


class Probes(Section):
    """The vectors v that Hessians are compared along: one of each configuration, of ⟨|v|²⟩ = 1."""

    kind: Literal["one_hot", "rademacher", "gaussian"]
    """One coordinate of one atom; random signs, all of the same size; or normal random numbers."""
    fresh: bool = True
    """Draw a new one in each epoch, or keep the first; validation always keeps the first."""


class LossTerm(Section):
    """One term of the loss: weight · Err(prediction, label), with Err = RMSE + MAE.

    Of `hessian` and `hvp` Err is the mean square.
    """

    quantity: Literal[tuple(QUANTITIES)]  # type: ignore[valid-type]
    """What is compared, in eV and Å. `hvp` is the product of the Hessian with a vector, for which
    there need be labels of `hessian`. Both are of free molecules."""
    labels: LabelSource
    """Whose labels: the dataset's `reference`, or the mean of the `teacher` family learned from.

    Energies of another method differ by a constant for each element, which nothing takes off; from
    a calculator, learn forces."""
    weight: NonNegativeFloat | dict[PositiveInt, NonNegativeFloat]
    """A weight, or a schedule {epoch: weight} whose entries hold from their epoch on."""
    trust: Trust | None = None
    """Weigh a teacher's labels by how far its members agree; all count the same if left out."""
    probes: Probes | None = None
    """The vectors of `hvp`."""

    @model_validator(mode="after")
    def _trusts_teachers(self) -> Self:
        if self.trust and self.labels != "teacher":
            raise ValueError("expected trust with labels: teacher alone; reference has no spread")
        if self.trust and self.compared.curvature:
            raise ValueError(
                f"expected trust with quantities of each atom or configuration, got "
                f"{self.quantity}; remove it"
            )
        return self

    @model_validator(mode="after")
    def _products_have_probes(self) -> Self:
        if self.quantity == "hvp" and self.probes is None:
            raise ValueError("expected vectors to multiply by; add probes: {kind: rademacher}")
        if self.quantity != "hvp" and self.probes is not None:
            raise ValueError(f"expected probes with hvp alone, got {self.quantity}; remove them")
        return self

    @model_validator(mode="after")
    def _starts_at_one(self) -> Self:
        if isinstance(self.weight, dict) and 1 not in self.weight:
            raise ValueError("expected a schedule that starts at epoch 1; add the key 1")
        return self

    @property
    def name(self) -> str:
        """What it is called in histories: no other term of a recipe has the same labels and
        quantity."""
        return f"{self.labels} {self.quantity}"

    @property
    def compared(self) -> Quantity:
        """What is known of the quantity."""
        return QUANTITIES[self.quantity]

    @property
    def label(self) -> str:
        """The label that the quantity is computed from."""
        return self.compared.label or self.quantity

    def weight_at(self, epoch: int) -> float:
        """The weight that holds in ``epoch`` (counted from 1)."""
        if not isinstance(self.weight, dict):
            return self.weight
        return self.weight[max(start for start in self.weight if start <= epoch)]

    @property
    def final_weight(self) -> float:
        """The weight that holds in the end; models are selected by it, whatever the epoch."""
        return self.weight[max(self.weight)] if isinstance(self.weight, dict) else self.weight


class Regularisation(Section):
    """Terms of the loss that need no labels."""

    l2: NonNegativeFloat = 1e-6
    """Weight w_L2 of the sum of squared weights (docs/conventions.md, "The loss", lists which)."""
    hierarchicality: NonNegativeFloat = 0.01
    """Weight w_R of the hierarchicality, the mean over atoms of R_i."""


class Optimiser(Section):
    """Adam, with its rate halved on a plateau of the validation loss."""

    learning_rate: PositiveFloat = 1e-3
    """First learning rate."""
    halve_after: PositiveInt = 30
    """Epochs without progress after which the rate is halved."""
    stop_after: PositiveInt = 50
    """Epochs without progress after which training ends."""
    epochs: PositiveInt = 1000
    """Epochs at most."""
    clip: PositiveFloat | None = None
    """A derivative of the loss by the weights whose norm is larger is shortened to this; recipes
    with Hessians need it, since a few mini-batches have mean squares far above the others'."""


class BatchSize(Section):
    """The size of a mini-batch: so many configurations, or about so many pairs of neighbours."""

    configurations: PositiveInt | None = None
    """Configurations in a mini-batch."""
    pairs: PositiveInt | None = None
    """Directed neighbour pairs in a mini-batch, on average over the dataset."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.configurations is None) == (self.pairs is None):
            raise ValueError("expected either configurations or pairs; give exactly one of them")
        return self


class Recipe(Section):
    """How every member of a family is trained."""

    loss: Annotated[list[LossTerm], Field(min_length=1)]
    """The terms of the loss."""
    regularisation: Regularisation = Regularisation()
    """Terms of the loss that need no labels."""
    optimiser: Optimiser = Optimiser()
    """Optimiser, learning-rate schedule and the end of training."""
    batch: BatchSize
    """Size of a mini-batch."""
    split: Literal["shared", "per_seed"] = "shared"
    """Whether all seeds train on one split, or each draws one; all have the same test split."""
    precision: Literal["float32", "float64"] = "float32"
    """Floating-point type of the weights and of the pair terms."""

    @model_validator(mode="after")
    def _terms_differ(self) -> Self:
        terms = [(term.quantity, term.labels) for term in self.loss]
        if repeated := {term for term in terms if terms.count(term) > 1}:
            raise ValueError(f"expected each term once, got {sorted(repeated)} twice; remove one")
        return self

    @model_validator(mode="after")
    def _something_counts_in_the_end(self) -> Self:
        if not any(term.final_weight for term in self.loss):
            raise ValueError(
                "expected a loss whose final weights are not all 0, as models are selected by it; "
                "let a term keep some weight"
            )
        return self

    @property
    def needs_teacher(self) -> bool:
        """Whether a term of the loss asks for a teacher's labels."""
        return any(term.labels == "teacher" for term in self.loss)

    @property
    def needs_teachers_hessians(self) -> bool:
        """Whether a term of the loss asks for second derivatives of a teacher."""
        return any(term.labels == "teacher" and term.compared.curvature for term in self.loss)
