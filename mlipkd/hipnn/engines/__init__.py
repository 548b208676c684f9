"""Engines: what evaluates the sums over neighbours and the passes over features.

The reference is plain PyTorch and reads like the equations. It runs everywhere, is differentiable
to any order, and is the truth that the others are tested against. The others are kernels, equal to
it to rounding, that never hold anything of the size pairs × sensitivities.
"""

import importlib.util
import os
from typing import Protocol

import torch

from mlipkd.errors import InputError
from mlipkd.hipnn.batch import Batch
from mlipkd.hipnn.engines import reference
from mlipkd.hipnn.engines.cpu import engine as cpu_engine
from mlipkd.hipnn.engines.cpu.library import library
from mlipkd.hipnn.engines.triton import engine as triton_engine
from mlipkd.hipnn.surroundings import Sensitivity, Surroundings


class Engine(Protocol):
    """The functions of an engine; the members of an ensemble share their neighbours."""

    def environment(self, around: Surroundings, sensitivity: Sensitivity, /) -> torch.Tensor:
        """Σ_{j of element a} c(r) T_c(ĥ_ij) exp(-½ t_ν²).

        Returns: (members, atoms, components, elements, sensitivities).
        """

    def messages(
        self, around: Surroundings, sensitivity: Sensitivity, Q: torch.Tensor, /
    ) -> torch.Tensor:
        """Σ_j c(r) T_c(ĥ_ij) Σ_ν exp(-½ t_ν²) Q_jν, of Q (members, atoms, sensitivities, out).

        Returns: (members, atoms, components, out).
        """

    def norms(
        self, A: torch.Tensor, tau1: torch.Tensor, tau2: torch.Tensor | None, /
    ) -> torch.Tensor:
        """A_0 + τ1 |A_vector| + τ2 |A_tensor|, of A (members, atoms, components, out)."""

    def softplus(self, x: torch.Tensor, /) -> torch.Tensor:
        """log(1 + exp x)."""

    def pair_forces(self, gradient: torch.Tensor, batch: Batch, /) -> torch.Tensor:
        """Σ_j (g_ij - g_ji), of g (members, atoms, neighbours, 3): (members, atoms, 3)."""


ENGINES: dict[str, Engine] = {"reference": reference, "cpu": cpu_engine, "triton": triton_engine}


def choose_engine(device: torch.device | str) -> str:
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
    wanted = os.environ.get("MLIPKD_ENGINE", available[-1])
    if wanted not in available:
        raise InputError(
            f"MLIPKD_ENGINE: expected one of {', '.join(available)} on this machine, got "
            f"{wanted!r}; unset it, or install mlipkd where there is a C++ compiler (cpu) or "
            "Triton (triton)"
        )
    return wanted
