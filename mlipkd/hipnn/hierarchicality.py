"""Hierarchicality: how far higher orders of the energy expansion outweigh lower ones.

R_i = Σ_{n ≥ 1} (E_iⁿ)² / ((E_iⁿ)² + (E_iⁿ⁻¹)²)        (Lubbers 2018, Eq. 13)
"""

import torch


def hierarchicality(energies: torch.Tensor) -> torch.Tensor:
    """R_i of every atom, from E_iⁿ (members, atoms, N_int + 1): (members, atoms)."""
    squares = energies**2
    return (squares[..., 1:] / (squares[..., 1:] + squares[..., :-1])).sum(-1)
