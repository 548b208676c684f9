"""What all sections of a configuration share: unknown keys are refused, values don't change."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

#: Names become folders and Snakemake wildcards, so they hold nothing a shell or a path could read.
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


def _ascend(numbers: tuple[float, ...]) -> tuple[float, ...]:
    if list(numbers) != sorted(set(numbers)):
        raise ValueError(
            f"wanted numbers that ascend, got {list(numbers)}; give each once, the smallest first"
        )
    return numbers


Ascending = AfterValidator(_ascend)


class Section(BaseModel):
    """One mapping of the configuration."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )
