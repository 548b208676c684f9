"""The environment of the first layer on a GPU.

    env[m, i, c, a, ν] = Σ_j of element a  c(r_ij) T_c(ĥ_ij) exp(-½ t_mν²)

A program sums over the neighbours of one atom and element, for one member, and no other program
writes to the same place. The lanes are the sensitivities.
"""

import triton
import triton.language as tl

from mlipkd.hipnn.engines.triton.pairs import (
    add,
    change_by_widths,
    changed,
    contract,
    gaussians,
    load_rows,
    load_vector,
    nothing,
    pair,
    pair_gradient,
    pull,
    scale,
    sensitivities,
    store_rows,
    store_vector,
    tensors,
)


@triton.jit
def place(atoms):
    """Member, atom and element of this program, and the member's atom among those of all."""
    i, a, m = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.program_id(2)
    return i, a, m, m * atoms + i


# A batch's number of atoms and neighbours must not make new kernels, so nothing is assumed of them.
@triton.jit(do_not_specialize=["atoms", "width"])
def forward(
    vectors,  # (atoms, width, 3)
    bounds,  # (atoms, S + 1)
    mu,  # (members, K)
    sigma,  # (members, K)
    env,  # (members, atoms, C, S, K), written
    atoms,
    width,
    S: tl.constexpr,
    K: tl.constexpr,
    C: tl.constexpr,
    hard_max: tl.constexpr,
    BLOCK: tl.constexpr,
):
    i, a, m, mi = place(atoms)
    k = tl.arange(0, BLOCK)
    inverse_mu, sigmas = sensitivities(mu + m * K, sigma + m * K, k, K)
    sums = nothing(sigmas, C)
    of_element = bounds + i * (S + 1) + a
    for p in range(tl.load(of_element), tl.load(of_element + 1)):
        x, h, cut, _ = pair(load_vector(vectors + (i * width + p) * 3), hard_max)
        e, _, _ = gaussians(x, inverse_mu, sigmas)
        sums = add(sums, cut * e, tensors(h, C))
    store_rows(env + (mi * C * S + a) * K, S * K, k, k < K, sums)


@triton.jit(do_not_specialize=["atoms", "width"])
def backward(
    G,  # (members, atoms, C, S, K)
    vectors,  # (atoms, width, 3)
    bounds,  # (atoms, S + 1)
    mu,  # (members, K)
    sigma,  # (members, K)
    dvectors,  # (members, atoms, width, 3), written where there is a neighbour
    dmu,  # (members, atoms, S, K), written
    dsigma,  # (members, atoms, S, K), written
    atoms,
    width,
    S: tl.constexpr,
    K: tl.constexpr,
    C: tl.constexpr,
    hard_max: tl.constexpr,
    BLOCK: tl.constexpr,
):
    i, a, m, mi = place(atoms)
    k = tl.arange(0, BLOCK)
    inverse_mu, sigmas = sensitivities(mu + m * K, sigma + m * K, k, K)
    rows = load_rows(G + (mi * C * S + a) * K, S * K, k, k < K, C)
    by_mu, by_sigma = tl.zeros_like(sigmas), tl.zeros_like(sigmas)
    of_element = bounds + i * (S + 1) + a
    for p in range(tl.load(of_element), tl.load(of_element + 1)):
        x, h, cut, slope = pair(load_vector(vectors + (i * width + p) * 3), hard_max)
        e, u, w = gaussians(x, inverse_mu, sigmas)
        eH = e * contract(tensors(h, C), rows)
        e_pull = rows
        if C >= 4:
            e_pull = scale(e, pull(h, rows, C))
        gradient = pair_gradient(eH, w, e_pull, x, h, cut, slope, C)
        store_vector(dvectors + (mi * width + p) * 3, gradient)
        by_mu -= cut * eH * w
        by_sigma -= cut * eH * sigmas * u * u
    tl.store(dmu + (mi * S + a) * K + k, by_mu * inverse_mu * inverse_mu, mask=k < K)
    tl.store(dsigma + (mi * S + a) * K + k, by_sigma, mask=k < K)


@triton.jit(do_not_specialize=["atoms", "width"])
def along(
    v,  # (members, atoms, width, 3)
    G,  # (members, atoms, C, S, K)
    vectors,  # (atoms, width, 3)
    bounds,  # (atoms, S + 1)
    mu,  # (members, K)
    sigma,  # (members, K)
    dG,  # (members, atoms, C, S, K), written
    dmu,  # (members, atoms, S, K), written
    dsigma,  # (members, atoms, S, K), written
    atoms,
    width,
    S: tl.constexpr,
    K: tl.constexpr,
    C: tl.constexpr,
    hard_max: tl.constexpr,
    BLOCK: tl.constexpr,
):
    i, a, m, mi = place(atoms)
    k = tl.arange(0, BLOCK)
    inverse_mu, sigmas = sensitivities(mu + m * K, sigma + m * K, k, K)
    rows = load_rows(G + (mi * C * S + a) * K, S * K, k, k < K, C)
    sums = nothing(sigmas, C)
    by_mu, by_sigma = tl.zeros_like(sigmas), tl.zeros_like(sigmas)
    of_element = bounds + i * (S + 1) + a
    for p in range(tl.load(of_element), tl.load(of_element + 1)):
        x, h, cut, slope = pair(load_vector(vectors + (i * width + p) * 3), hard_max)
        e, u, w = gaussians(x, inverse_mu, sigmas)
        direction = load_vector(v + (mi * width + p) * 3)
        dT, T, steep = changed(direction, x, h, cut, slope, C)
        sums = add(add(sums, e, dT), e * w * steep, T)
        A, B = contract(dT, rows), steep * contract(T, rows)
        more_mu, more_sigma = change_by_widths(e, u, w, sigmas, A, B)
        by_mu += more_mu
        by_sigma += more_sigma
    store_rows(dG + (mi * C * S + a) * K, S * K, k, k < K, sums)
    tl.store(dmu + (mi * S + a) * K + k, by_mu * inverse_mu * inverse_mu, mask=k < K)
    tl.store(dsigma + (mi * S + a) * K + k, by_sigma, mask=k < K)
