"""Initial weights: the distributions of HIPNN_SPEC section 5, each tensor by itself."""

from math import sqrt

import pytest
import torch
from scipy.stats import kstest

from mlipkd.hipnn.initial import initialise
from mlipkd.hipnn.network import HIPNN
from tests.models import small_shape

SPECIES, WIDTH, SENSITIVITIES = (1, 6, 7, 8), 256, 16


@pytest.fixture(scope="module")
def model() -> HIPNN:
    """A wide one, so that each tensor has numbers enough to tell what they were drawn from."""
    wide = small_shape(
        n_interactions=3, l_max=2, atom_layers=1, width=WIDTH, sensitivities=SENSITIVITIES
    )
    model = HIPNN(wide, SPECIES)
    initialise(model, 0)
    return model.requires_grad_(False)


def assert_normal(weights: torch.Tensor, deviation: float) -> None:
    some = weights.flatten()[:20_000].double() / deviation
    assert kstest(some.numpy(), "norm").pvalue > 1e-3
    assert float(some.std()) == pytest.approx(1, abs=4 / sqrt(2 * len(some)))


def assert_uniform(weights: torch.Tensor, n_in: int) -> None:
    """Between ±1/√in."""
    some = weights.flatten()[:20_000].double() * sqrt(n_in)
    assert kstest(some.numpy(), "uniform", (-1, 2)).pvalue > 1e-3
    assert some.abs().max() <= 1 + 1e-6


def test_interaction_layers(model) -> None:
    for number, block in enumerate(model.blocks):
        base, n_in = block.interaction.base, WIDTH if number else len(SPECIES)
        assert_normal(base.V, sqrt(2 / (n_in * (WIDTH + SENSITIVITIES))))
        assert_normal(base.W, sqrt(2 / (n_in + WIDTH)))
        assert_uniform(base.b, n_in)
        assert_normal(base.tau1, 1)
        assert_normal(base.tau2, 1)
        assert hasattr(block.interaction, "skip") == (n_in != WIDTH)
        if n_in != WIDTH:
            assert_uniform(block.interaction.skip.weight, n_in)


def test_atom_layers_and_what_wraps_all_layers(model) -> None:
    for block in model.blocks:
        (atom_layer,) = block.atom_layers
        assert_normal(atom_layer.base.weight, sqrt(2 / (WIDTH + WIDTH)))
        assert_uniform(atom_layer.base.bias, WIDTH)
        for layer in (block.interaction, atom_layer):
            assert_uniform(layer.outer.weight, WIDTH)
            assert_uniform(layer.outer.bias, WIDTH)


def test_each_head_is_smaller_by_the_square(model) -> None:
    """10⁻², 10⁻⁴, 10⁻⁸: squares, not powers."""
    for n, scale in enumerate((1e-2, 1e-4, 1e-8)):
        assert_uniform(model.w[0, n] / scale, WIDTH)
        assert 0 < abs(float(model.b[0, n])) <= scale / sqrt(WIDTH)
    assert not model.E0.any()


def test_sensitivities(model) -> None:
    """Section 1: evenly apart in 1/r, and as wide as their number asks for."""
    shape = model.architecture
    step = (1 / shape.soft_min - 1 / shape.soft_max) / (SENSITIVITIES - 1)
    for block in model.blocks:
        own = block.interaction.base.sensitivity
        inverse = 1 / own.mu[0].double()
        assert float(inverse[0]) == pytest.approx(1 / shape.soft_max)
        assert inverse.diff().tolist() == pytest.approx([step] * (SENSITIVITIES - 1), rel=1e-4)
        assert own.sigma.unique().tolist() == pytest.approx([2 * SENSITIVITIES * shape.soft_min])
