"""Distributions: which are taken of liquids, and how finely."""

from typing import Annotated, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from mlipkd.config.section import Ascending, Section

Width = Annotated[float, Field(ge=0.01)]


def _whole(length: float, width: float) -> bool:
    """Whether a length is a whole number of widths, as far as decimal fractions can tell."""
    bins = length / width
    return round(bins) > 0 and abs(bins - round(bins)) < 1e-6


class RadialDistributions(Section):
    """RDF: g(r) of every pair of species."""

    cutoff: PositiveFloat = 15.0
    """How far it reaches, Å; at most half of the box, and a whole number of bins."""
    bin: Width = 0.1
    """Width of the bins, Å."""

    @model_validator(mode="after")
    def _bins_fit(self) -> Self:
        if not _whole(self.cutoff, self.bin):
            raise ValueError(
                f"wanted a cutoff that is a whole number of bins, got {self.cutoff:g} Å with bins "
                f"of {self.bin:g} Å; change one of them"
            )
        return self


class AngularDistributions(Section):
    """ADF: the angles at which two neighbours are seen, of every triplet of species."""

    cutoffs: Annotated[tuple[PositiveFloat, ...], Field(min_length=1), Ascending]
    """How far neighbours are at most, Å, ascending; there is an ADF for each cut-off."""
    bin: Annotated[float, Field(ge=0.1)] = 1.0
    """Width of the bins, degrees; 180° are a whole number of them."""

    @model_validator(mode="after")
    def _bins_fit(self) -> Self:
        if not _whole(180, self.bin):
            raise ValueError(
                f"wanted bins of which 180° are a whole number, got {self.bin:g}°; change bin"
            )
        return self


class ClusterDistributions(Section):
    """CDF: the distances at which clusters of each species merge, by single linkage."""

    bin: Width = 0.1
    """Width of the bins, Å."""
    windows: PositiveInt = 5
    """Into how many parts the trajectory is cut, each with a CDF of its own beside the whole's."""


class DistributionsEvaluation(Section):
    """Distributions of a liquid, beside those of the reference; for `evaluate-distributions`."""

    rdf: RadialDistributions = RadialDistributions()
    """g(r) of every pair of species."""
    adf: AngularDistributions
    """Angles of every triplet of species."""
    cdf: ClusterDistributions = ClusterDistributions()
    """Merge distances of every species."""
