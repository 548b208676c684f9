"""The members that train together: what each learns from, its weights, and one optimiser for all.

The model holds the weights of all members in one tensor each, so that one pass evaluates them all.
For the optimiser each member has separate parameters, which are views of those tensors, in separate
groups: members have different learning rates, and one that has stopped is not changed.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from mlipkd.config.recipe import Recipe
from mlipkd.config.settings import TrainSettings
from mlipkd.datasets.dataset import TRAIN, memory_batches
from mlipkd.datasets.file import DatasetFile
from mlipkd.datasets.splits import is_held_out, per_seed
from mlipkd.hipnn.initial import fit_element_energies, initialise
from mlipkd.hipnn.network import HIPNN
from mlipkd.hipnn.repulsion_fit import fit_repulsion
from mlipkd.training.loss import mixing_weights

PRECISION = {"float32": torch.float32, "float64": torch.float64}


def member_splits(settings: Sequence[TrainSettings], file: DatasetFile) -> list[np.ndarray]:
    """The split of each member: TRAIN, VALIDATION, … of each configuration, (configurations,)."""
    if settings[0].recipe.split == "shared":
        return [file.splits] * len(settings)
    held_out = is_held_out(file, file.clusters, settings[0].split)  # (configurations,)
    return [
        per_seed(file.splits, file.clusters, member.split, member.seed, held_out)
        for member in settings
    ]


def initial_models(
    settings: Sequence[TrainSettings], file: DatasetFile, splits: Sequence[np.ndarray]
) -> list[HIPNN]:
    """The model of each member before training.

    Weights are decided by its seed. Element energies and repulsion are fitted to the configurations
    that it trains on; once, if all train on the same.
    """
    models: list[HIPNN] = []
    for member, split in zip(settings, splits, strict=True):
        model = HIPNN(member.architecture, file.species_present)
        model.to(PRECISION[member.recipe.precision])
        initialise(model, member.seed)
        if models and member.recipe.split == "shared":
            # What is fitted to the data beforehand are the buffers.
            for buffer, fitted in zip(model.buffers(), models[0].buffers(), strict=True):
                buffer.copy_(fitted)
        else:
            _fit(model, file, np.flatnonzero(split == TRAIN))
        models.append(model)
    return models


def _fit(model: HIPNN, file: DatasetFile, configurations: np.ndarray) -> None:
    """Fit what does not change in training; of the labels only the energies are read."""
    if "energy" in file.labels["reference"]:
        parts = memory_batches(file.sizes[configurations])
        fit_element_energies(model, (file.read(configurations[part], ["energy"]) for part in parts))
    if model.repulsion is not None:
        fit_repulsion(model, file.read(configurations, []))


class Members:
    """Models of one architecture in training."""

    def __init__(self, models: Sequence[HIPNN], recipe: Recipe) -> None:
        self.model = HIPNN.ensemble(models)
        """The active members as one model."""
        self.active = list(range(len(models)))
        """The numbers of the members whose training goes on."""
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
        """One step of Adam, with the gradients of the model's parameters."""
        for (name, _), gradient in zip(self.model.named_parameters(), gradients, strict=True):
            # The fused optimiser takes a gradient to lie in memory as its weights do.
            for number, member_gradient in zip(self.active, gradient.contiguous(), strict=True):
                self.weights[number][name].grad = member_gradient
        if self._clip is not None:
            for number in self.active:
                torch.nn.utils.clip_grad_norm_(self.weights[number].values(), self._clip)
        self.adam.step()

    def keep(self, numbers: list[int]) -> None:
        """Continue with only these members."""
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
        for name, parameter in model.named_parameters():
            parameter.data.copy_(weights[name][None])
        return model


def _adam(
    model: HIPNN, weights: list[dict[str, torch.nn.Parameter]], recipe: Recipe
) -> torch.optim.Adam:
    """The optimiser, with two groups for each member: the weights that w_L2 acts on, and others."""
    mixing = {id(parameter) for parameter in mixing_weights(model)}
    decayed = {name for name, parameter in model.named_parameters() if id(parameter) in mixing}
    groups = [
        {
            "params": [
                parameter for name, parameter in member.items() if (name in decayed) == decays
            ],
            "weight_decay": 2 * recipe.regularisation.l2 if decays else 0.0,
            "member": number,
        }
        for number, member in enumerate(weights)
        for decays in (True, False)
    ]
    return torch.optim.Adam(groups, lr=recipe.optimiser.learning_rate, fused=True)
