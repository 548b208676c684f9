"""The split: which configurations are trained on, steer training, or are never trained on."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from mlipkd.config.section import Name, Section

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Split(Section):
    """How configurations are divided. All families and seeds have the same test split."""

    test: Fraction = 0.2
    """Fraction of the configurations that nothing ever trains on."""
    validation: Fraction = 0.1
    """Fraction that decides on the learning rate, the end of training and the final weights."""
    by: Literal["configuration", "group"] = "configuration"
    """Whether single configurations are drawn, or whole trajectories or molecules."""
    held_out: tuple[Name, ...] = ()
    """Kinds of configurations that all belong to the test split, such as `far`; the fractions are
    of the others, and copies of what is held out go with it."""
    train: PositiveInt | None = None
    """Train on this many configurations at most; the rest of the pool is left unused."""
    seed: int = 0
    """Seed of the draw."""

    @model_validator(mode="after")
    def _something_left(self) -> Self:
        if self.test + self.validation >= 1:
            raise ValueError(
                f"expected test + validation below 1, got {self.test + self.validation:g}; "
                "leave something to train on"
            )
        return self
