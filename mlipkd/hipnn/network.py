"""The network: interaction blocks, and one contribution to the atomic energy after each of them.

    z⁰ = one-hot element;  zⁿ = block n (zⁿ⁻¹), n = 1 … N_int
    block = interaction layer, then L atom layers, each of them wrapped:
            y = Wr softplus(base(x)) + br + skip(x)
    E_i⁰ = w0[element];  E_iⁿ = wₙ · z_iⁿ + bₙ;  E_i = Σₙ E_iⁿ

(Lubbers 2018, Eqs. 3-7 and 12; Chigaev 2023.) E⁰ is the energy of an atom by its element alone. It
is fitted to the data before training and then fixed, and it is kept in float64: total energies of
thousands of eV leave no room in float32 for the differences that matter.
"""

from collections.abc import Sequence

import torch
from torch.nn.functional import softplus

from mlipkd.config.model import Architecture
from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.interaction import Interaction
from mlipkd.hipnn.sensitivity import Sensitivity
from mlipkd.hipnn.surroundings import Surroundings, choose_engine


class Residual(torch.nn.Module):
    """A layer wrapped in an activation and a residual connection."""

    def __init__(self, base: Interaction | torch.nn.Linear, n_in: int, n_out: int) -> None:
        super().__init__()
        self.base = base
        self.outer = torch.nn.Linear(n_out, n_out)
        if n_in != n_out:
            self.skip = torch.nn.Linear(n_in, n_out, bias=False)

    def forward(self, features: torch.Tensor, *around: Surroundings) -> torch.Tensor:
        """Features (atoms, in) → (atoms, out)."""
        skip = self.skip(features) if hasattr(self, "skip") else features
        return self.outer(softplus(self.base(features, *around))) + skip


class Block(torch.nn.Module):
    """An interaction layer and the atom layers after it."""

    def __init__(self, n_in: int, architecture: Architecture, first: bool) -> None:
        super().__init__()
        shape, width = architecture, architecture.width
        sensitivity = Sensitivity(shape.sensitivities, shape.soft_min, shape.soft_max)
        interaction = Interaction(n_in, width, shape.l_max, first, sensitivity)
        self.interaction = Residual(interaction, n_in, width)
        self.atom_layers = torch.nn.Sequential(
            *(
                Residual(torch.nn.Linear(width, width), width, width)
                for _ in range(shape.atom_layers)
            )
        )

    def forward(self, features: torch.Tensor, around: Surroundings) -> torch.Tensor:
        """Features (atoms, in) → (atoms, width)."""
        return self.atom_layers(self.interaction(features, around))


class HIPNN(torch.nn.Module):
    """A HIP-NN-TS model of atomic energies."""

    E0: torch.Tensor
    """(elements,) float64: energy of an atom by its element alone, eV."""

    def __init__(self, architecture: Architecture, species: Sequence[int]) -> None:
        """Lay out the model; its weights are set by ``initialise`` or loaded from a file.

        Args:
            architecture: its shape.
            species: the atomic numbers it knows, ascending.
        """
        super().__init__()
        self.architecture = architecture
        self.species = tuple(species)
        number, width = architecture.n_interactions, architecture.width
        self.blocks = torch.nn.ModuleList(
            Block(width if n else len(self.species), architecture, first=n == 0)
            for n in range(number)
        )
        self.w = torch.nn.Parameter(torch.empty(number, width))
        self.b = torch.nn.Parameter(torch.empty(number))
        self.register_buffer("E0", torch.zeros(len(self.species), dtype=torch.float64))

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the weights."""
        return self.w.dtype

    @property
    def layers(self) -> list[Residual]:
        """All layers, in the order that features go through them."""
        return [module for module in self.modules() if isinstance(module, Residual)]

    @property
    def engine(self) -> str:
        """What sums over neighbours: see ``choose_engine``."""
        return choose_engine(self.E0.device)

    def _apply(self, fn, recurse: bool = True):
        """Move or cast the model; the energies of the elements stay in float64."""
        energies = self.E0
        super()._apply(fn, recurse)
        self.E0 = energies.to(self.E0.device)
        return self

    def forward(self, batch: Batch) -> torch.Tensor:
        """E_iⁿ, n = 0 … N_int, of every atom: (atoms, N_int + 1) float64, eV."""
        shape = self.architecture
        around = Surroundings(batch, shape.l_max, shape.hard_max, self.engine)
        z = torch.nn.functional.one_hot(batch.elements, len(self.species)).to(self.dtype)
        energies = [self.E0[batch.elements]]
        for block, w, b in zip(self.blocks, self.w, self.b, strict=True):
            z = block(z, around)  # (atoms, width)
            energies.append((z @ w + b).double())
        return torch.stack(energies, dim=1)  # (atoms, N_int + 1)
