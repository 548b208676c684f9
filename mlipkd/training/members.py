"""The members that train together: their weights, stacked, and one optimiser for all of them.

The model holds the weights of all members in one tensor each, which is what makes one pass of them.
For the optimiser each member has parameters of its own that are views of those tensors, in groups
of its own: its rate is its own, and a member that has stopped is left alone.
"""

from collections.abc import Mapping, Sequence

import torch

from mlipkd.config.recipe import Recipe
from mlipkd.hipnn.network import HIPNN
from mlipkd.training.loss import mixing_weights


class Members:
    """Models of one architecture in training."""

    def __init__(self, models: Sequence[HIPNN], recipe: Recipe) -> None:
        self.model = HIPNN.ensemble(models)
        """The members that go on, as one model."""
        self.active = list(range(len(models)))
        """Which they are."""
        self._models = list(models)
        self.weights: list[dict[str, torch.nn.Parameter]] = [
            {name: torch.nn.Parameter(w[k]) for name, w in self.model.named_parameters()}
            for k in self.active
        ]
        """The weights of each member by name, without the members' dimension."""
        self.adam = _adam(self.model, self.weights, recipe)
        self._clip = recipe.optimiser.clip

    def set_rates(self, rates: Sequence[float]) -> None:
        """Set the learning rate of each member."""
        for group in self.adam.param_groups:
            group["lr"] = rates[group["member"]]

    def step(self, gradients: Sequence[torch.Tensor]) -> None:
        """One step of Adam, with the derivatives of the model's parameters."""
        for (name, _), gradient in zip(self.model.named_parameters(), gradients, strict=True):
            # The fused optimiser takes a derivative to lie in memory as its weights do.
            for number, own in zip(self.active, gradient.contiguous(), strict=True):
                self.weights[number][name].grad = own
        if self._clip is not None:
            for number in self.active:
                torch.nn.utils.clip_grad_norm_(self.weights[number].values(), self._clip)
        self.adam.step()

    def keep(self, numbers: list[int]) -> None:
        """Leave all members but these behind."""
        if numbers == self.active:
            return
        for number in self.active:
            for view in self.weights[number].values():
                view.grad = None
        self.model = HIPNN.ensemble([self.single(n, self.weights[n]) for n in numbers])
        for place, number in enumerate(numbers):
            for name, weights in self.model.named_parameters():
                self.weights[number][name].data = weights.data[place]
        self.active = numbers

    def single(self, number: int, weights: Mapping[str, torch.Tensor]) -> HIPNN:
        """One member as a model by itself, with the given weights."""
        model = self._models[number]
        for name, own in model.named_parameters():
            own.data.copy_(weights[name][None])
        return model


def _adam(
    model: HIPNN, weights: list[dict[str, torch.nn.Parameter]], recipe: Recipe
) -> torch.optim.Adam:
    """The optimiser; the groups of a member are those that w_L2 acts on, and the others."""
    mixing = {id(one) for one in mixing_weights(model)}
    decayed = [name for name, one in model.named_parameters() if id(one) in mixing]
    groups = [
        {
            "params": [one for name, one in own.items() if (name in decayed) == decays],
            "weight_decay": 2 * recipe.regularisation.l2 if decays else 0.0,
            "member": number,
        }
        for number, own in enumerate(weights)
        for decays in (True, False)
    ]
    return torch.optim.Adam(groups, lr=recipe.optimiser.learning_rate, fused=True)
