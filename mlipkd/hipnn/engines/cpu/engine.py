"""The engine of compiled CPU kernels (see engines.py)."""

import torch

from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.engines.cpu import environment as environments
from mlipkd.hipnn.engines.cpu import messages as sums
from mlipkd.hipnn.engines.cpu import pointwise
from mlipkd.hipnn.engines.reference import CUSP
from mlipkd.hipnn.surroundings import Sensitivity, Surroundings


def environment(around: Surroundings, sensitivity: Sensitivity) -> torch.Tensor:
    """env: (members, atoms, components, elements, sensitivities)."""
    geometry = (around.vectors, around.batch.bounds)
    weights = (sensitivity.mu, sensitivity.sigma)
    return environments.environment(*geometry, *weights, around.hard_max, around.components)


def messages(around: Surroundings, sensitivity: Sensitivity, Q: torch.Tensor) -> torch.Tensor:
    """Σ_j c T_c Σ_ν exp(-½ t_ν²) Q_jν, of Q (members, atoms, sensitivities, out)."""
    batch = around.batch
    geometry = (around.vectors, batch.senders, batch.reverse, batch.bounds)
    weights = (sensitivity.mu, sensitivity.sigma)
    return sums.messages(*geometry, *weights, Q, around.hard_max, around.components)


def norms(A: torch.Tensor, tau1: torch.Tensor, tau2: torch.Tensor | None) -> torch.Tensor:
    """A_0 + τ1 |A_vector| + τ2 |A_tensor|."""
    return pointwise.norms(A, tau1, tau1 if tau2 is None else tau2, CUSP)


def softplus(x: torch.Tensor) -> torch.Tensor:
    """log(1 + exp x)."""
    return pointwise.softplus_and_slope(x)[0]


def pair_forces(gradient: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Σ_j (g_ij - g_ji), of g (members, atoms, neighbours, 3)."""
    return pointwise.pair_forces(gradient, batch.senders, batch.reverse)
