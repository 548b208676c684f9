"""Steps of members: which derivatives Adam is given."""

import pytest
import torch

from mlipkd.config.recipe import Recipe
from mlipkd.training.members import Members
from tests.models import random_model, small_shape

LONG, SHORT = 30.0, 0.5


def recipe(**optimiser) -> Recipe:
    loss = [{"quantity": "energy", "labels": "reference", "weight": 1}]
    content = {"loss": loss, "batch": {"configurations": 1}, "optimiser": optimiser}
    return Recipe.model_validate(content)


@pytest.mark.parametrize(("clip", "norms"), [(None, (LONG, SHORT)), (2.0, (2.0, SHORT))])
def test_a_long_derivative_is_shortened_and_no_other(clip, norms) -> None:
    members = Members(
        [random_model(small_shape(), (1, 8), seed) for seed in (0, 1)], recipe(clip=clip)
    )
    generator = torch.Generator().manual_seed(0)
    shapes = [one.shape[1:] for one in members.model.parameters()]
    of_members = []
    for length in (LONG, SHORT):
        gradients = [torch.randn(shape, generator=generator).double() for shape in shapes]
        norm = torch.cat([one.flatten() for one in gradients]).norm()
        of_members.append([one * length / norm for one in gradients])
    members.step([torch.stack(both) for both in zip(*of_members, strict=True)])
    for weights, gradients, norm in zip(members.weights, of_members, norms, strict=True):
        taken = torch.cat([one.grad.flatten() for one in weights.values()])
        expected = torch.cat([one.flatten() for one in gradients])
        assert taken.norm().item() == pytest.approx(norm, rel=1e-6)
        torch.testing.assert_close(taken / taken.norm(), expected / expected.norm())
