"""The network: interaction blocks, and one contribution to the atomic energy after each of them.

    z⁰ = one-hot element;  zⁿ = block n (zⁿ⁻¹), n = 1 … N_int
    block = interaction layer, then L atom layers, each of them wrapped:
            y = Wr softplus(base(x)) + br + skip(x)
    E_i⁰ = w0[element];  E_iⁿ = wₙ · z_iⁿ + bₙ;  E_i = Σₙ E_iⁿ

(Lubbers 2018, Eqs. 3-7 and 12; Chigaev 2023.) E⁰ is the energy of an atom of its element. It
is fitted to the data before training and then fixed, and it stays in float64: total energies of
thousands of eV leave no room in float32 for the differences that matter. Where the architecture
asks for a repulsion, E_i⁰ has a term of the pairs near atom i as well: see ``repulsion.py``.

A model may be an ensemble: its members have one architecture and different weights, and all of
them are evaluated in one pass over the neighbours, which they share. Weights and features have a
leading dimension for the members, one where there is a single model.

The forward pass here is plain PyTorch. What runs in training and prediction is an engine: see
``engines``.
"""

from collections.abc import Sequence
from typing import Self

import torch

from mlipkd.config.model import Architecture
from mlipkd.errors import InputError
from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.interaction import Interaction
from mlipkd.hipnn.repulsion import PairRepulsion
from mlipkd.hipnn.surroundings import Sensitivity, Surroundings


class Linear(torch.nn.Module):
    """A linear layer of each member."""

    def __init__(self, members: int, n_in: int, n_out: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(members, n_out, n_in))
        if bias:
            self.bias = torch.nn.Parameter(torch.empty(members, n_out))

    def forward(self, features: torch.Tensor, around: Surroundings) -> torch.Tensor:
        """Features (members, atoms, in) → (members, atoms, out)."""
        return torch.baddbmm(self.bias[:, None], features, self.weight.mT)


class Residual(torch.nn.Module):
    """A layer wrapped in an activation and a residual connection."""

    base: Interaction | Linear
    outer: Linear
    skip: Linear

    def __init__(self, members: int, base: Interaction | Linear, n_in: int, n_out: int) -> None:
        super().__init__()
        self.base = base
        self.outer = Linear(members, n_out, n_out)
        if n_in != n_out:
            self.skip = Linear(members, n_in, n_out, bias=False)

    def forward(self, features: torch.Tensor, around: Surroundings) -> torch.Tensor:
        """Features (members, atoms, in) → (members, atoms, out)."""
        activated = torch.nn.functional.softplus(self.base(features, around))
        if hasattr(self, "skip"):
            features = torch.bmm(features, self.skip.weight.mT)
        out = torch.baddbmm(features, activated, self.outer.weight.mT)
        return out + self.outer.bias[:, None]


class InteractionBlock(torch.nn.Module):
    """An interaction layer and the atom layers after it."""

    interaction: Residual
    atom_layers: torch.nn.ModuleList

    def __init__(self, members: int, n_in: int, architecture: Architecture, first: bool) -> None:
        super().__init__()
        shape, width = architecture, architecture.width
        sensitivity = Sensitivity(members, shape.sensitivities, shape.soft_min, shape.soft_max)
        interaction = Interaction(n_in, width, shape.l_max, first, sensitivity)
        self.interaction = Residual(members, interaction, n_in, width)
        self.atom_layers = torch.nn.ModuleList(
            Residual(members, Linear(members, width, width), width, width)
            for _ in range(shape.atom_layers)
        )

    def forward(self, features: torch.Tensor, around: Surroundings) -> torch.Tensor:
        """Features (members, atoms, in) → (members, atoms, width)."""
        features = self.interaction(features, around)
        for layer in self.atom_layers:
            features = layer(features, around)
        return features


class HIPNN(torch.nn.Module):
    """A HIP-NN-TS model of atomic energies, or an ensemble of them."""

    E0: torch.Tensor
    """(members, elements) float64: energy of an atom that depends only on its element, eV."""

    def __init__(
        self, architecture: Architecture, species: Sequence[int], members: int = 1
    ) -> None:
        """Lay out the model; its weights are set by ``initialise`` or loaded from a file.

        Args:
            architecture: its shape.
            species: the atomic numbers it knows, ascending.
            members: models of an ensemble.
        """
        super().__init__()
        self.architecture = architecture
        self.species = tuple(species)
        number, width = architecture.n_interactions, architecture.width
        self.blocks = torch.nn.ModuleList(
            InteractionBlock(members, width if n else len(self.species), architecture, first=n == 0)
            for n in range(number)
        )
        self.w = torch.nn.Parameter(torch.empty(members, number, width))
        self.b = torch.nn.Parameter(torch.empty(members, number))
        E0 = torch.zeros(members, len(self.species), dtype=torch.float64)
        self.register_buffer("E0", E0)
        repulsive = architecture.repulsion is not None
        self.repulsion = PairRepulsion(members, len(self.species)) if repulsive else None

    @classmethod
    def ensemble(cls, models: Sequence["HIPNN"]) -> Self:
        """The members of several models as one model; weights are copied.

        Raises:
            InputError: they differ by architecture, elements or precision.
        """
        first = models[0]
        for other in models[1:]:
            kinds = [
                {
                    **model.architecture.model_dump(),
                    "elements": list(model.species),
                    "precision": str(model.dtype).removeprefix("torch."),
                }
                for model in (first, other)
            ]
            if kinds[0] != kinds[1]:
                different = [
                    f"{key} {value} and {kinds[1][key]}"
                    for key, value in kinds[0].items()
                    if value != kinds[1][key]
                ]
                raise InputError(
                    "ensemble: expected members of one architecture, with the same elements and "
                    f"precision, got {', '.join(different)}; give those of one model"
                )
        members = sum(model.members for model in models)
        ensemble = cls(first.architecture, first.species, members).to(first.dtype).to(first.device)
        states = [model.state_dict() for model in models]
        ensemble.load_state_dict(
            {key: torch.cat([state[key] for state in states]) for key in states[0]}
        )
        return ensemble.requires_grad_(first.w.requires_grad)

    def member(self, number: int) -> Self:
        """A single member as a model; weights are copied."""
        single = type(self)(self.architecture, self.species).to(self.dtype).to(self.device)
        state = self.state_dict()
        single.load_state_dict({key: value[number : number + 1] for key, value in state.items()})
        return single.requires_grad_(self.w.requires_grad)

    @property
    def members(self) -> int:
        """Models of the ensemble."""
        return len(self.w)

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the weights."""
        return self.w.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.w.device

    @property
    def layers(self) -> list[Residual]:
        """All layers, in the order that features go through them."""
        return [module for module in self.modules() if isinstance(module, Residual)]

    def _apply(self, fn, recurse: bool = True):
        """Move or cast the model; the energies of the elements stay in float64."""
        energies = self.E0
        super()._apply(fn, recurse)
        self.E0 = energies.to(self.E0.device)
        return self

    def surroundings(
        self, batch: Batch, derivatives: bool, kind: type[Surroundings] = Surroundings
    ) -> Surroundings:
        """A batch as the members see it.

        Args:
            batch: some configurations.
            derivatives: whether the vectors are to be differentiated with respect to.
            kind: whose sums over neighbours to use.
        """
        vectors = batch.vectors.expand(self.members, *batch.vectors.shape).detach()
        shape = self.architecture
        return kind(batch, vectors.requires_grad_(derivatives), shape.l_max, shape.hard_max)

    def forward(self, around: Surroundings) -> torch.Tensor:
        """E_iⁿ, n = 0 … N_int, of every atom: (members, atoms, N_int + 1) float64, eV."""
        batch = around.batch
        z = torch.nn.functional.one_hot(batch.elements, len(self.species)).to(self.dtype)
        z = z.expand(self.members, *z.shape)  # (members, atoms, elements)
        energies = [self.E0[:, batch.elements]]
        if self.repulsion is not None:
            energies[0] = energies[0] + self.repulsion(batch, around.vectors)
        for block, w, b in zip(self.blocks, self.w.unbind(1), self.b.unbind(1), strict=True):
            z = block(z, around)  # (members, atoms, width)
            energies.append(torch.baddbmm(b[:, None, None], z, w[..., None])[..., 0].double())
        return torch.stack(energies, dim=2)  # (members, atoms, N_int + 1)


def hierarchicality(energies: torch.Tensor) -> torch.Tensor:
    """R_i of every atom: how far higher orders of the energy expansion outweigh lower ones.

        R_i = Σ_{n ≥ 1} (E_iⁿ)² / ((E_iⁿ)² + (E_iⁿ⁻¹)²)        (Lubbers 2018, Eq. 13)

    Args:
        energies: E_iⁿ, (members, atoms, N_int + 1).

    Returns:
        (members, atoms).
    """
    squares = energies**2
    return (squares[..., 1:] / (squares[..., 1:] + squares[..., :-1])).sum(-1)
