"""Engines: what computes energies and their derivatives, in training and prediction alike.

The reference is plain PyTorch with automatic differentiation: the network's own forward pass, which
reads like the equations. It runs everywhere and is the truth that the others are tested against.
They are kernels, equal to it to rounding, that never hold anything of the size pairs ×
sensitivities: ``cpu`` for processors, with all derivatives written out, ``triton`` for GPUs.

Second derivatives with respect to positions, of Hessians and their products, are the reference's
whatever the engine: the kernels have none (``hessian.py``).

A new engine is a module with the two functions of ``Engine`` and a line each in ``ENGINES`` and
``engine_name``; tests/physics then hold it to the contract of models.
"""

import importlib.util
import os
from typing import Protocol

import torch

from mlipkd.errors import InputError
from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.engines import reference
from mlipkd.hipnn.engines.cpu import analytic
from mlipkd.hipnn.engines.cpu.library import library
from mlipkd.hipnn.engines.triton import differentiable
from mlipkd.hipnn.network import HIPNN


class Engine(Protocol):
    """The functions of an engine. The members of an ensemble share their neighbours."""

    def orders_and_gradient(
        self, model: HIPNN, batch: Batch, derivatives: bool, training: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The energy by orders and its gradient with respect to the pair vectors.

        Args:
            model: the members.
            batch: some configurations.
            derivatives: whether the gradient is computed.
            training: whether both can be differentiated, once, with respect to the weights.

        Returns:
            E_iⁿ, (members, atoms, N_int + 1) float64, eV; and ∂(Σ E)/∂d_ij, (members, atoms,
            neighbours, 3), eV/Å, or none.
        """

    def forces(self, gradient: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Σ_j (g_ij - g_ji): (members, atoms, 3), eV/Å, of g (members, atoms, neighbours, 3).

        Differentiable, once, with respect to g.
        """


ENGINES: dict[str, Engine] = {"reference": reference, "cpu": analytic, "triton": differentiable}


def engine_name(device: torch.device | str) -> str:
    """The name of the fastest engine for a device, or the one that MLIPKD_ENGINE names.

    Raises:
        InputError: an engine that is not known or not built.
    """
    available = ["reference"]
    kind = torch.device(device).type
    if kind == "cpu" and library() is not None:
        available.append("cpu")
    if kind == "cuda" and importlib.util.find_spec("triton") is not None:
        available.append("triton")
    name = os.environ.get("MLIPKD_ENGINE", available[-1])
    if name not in available:
        raise InputError(
            f"MLIPKD_ENGINE: expected one of {', '.join(available)} on this machine, got "
            f"{name!r}; unset it, or install mlipkd where there is a C++ compiler (cpu) or "
            "Triton (triton)"
        )
    return name


def engine_of(model: HIPNN) -> Engine:
    """The engine for the device that a model is on.

    Raises:
        InputError: as ``engine_name``.
    """
    return ENGINES[engine_name(model.device)]
