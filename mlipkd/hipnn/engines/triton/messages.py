"""The messages between atoms on a GPU.

    out[m, i, c, f] = Σ_j  c(r_ij) T_c(ĥ_ij) Σ_ν exp(-½ t_mν²) Q[m, j, ν, f]

There are two kinds of programs, each for one atom, some features and one member. A receiver's walks
through the pairs (i ← j) of its row and adds up what it receives. A sender's walks through its row,
too, to find there by `reverse` the pairs (i ← j) that it sends to, and adds up what it answers for:
so nothing is scattered, and Q of the sender is read once.
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
def place(atoms, F: tl.constexpr, BLOCK_F: tl.constexpr):
    """Atom, member, the member's atom among those of all, and the features of this program."""
    i, m = tl.program_id(0).to(tl.int64), tl.program_id(2)
    return i, m, m * atoms + i, tl.program_id(1) * BLOCK_F + tl.arange(0, BLOCK_F)


@triton.jit
def load_tile(start, k, f, K: tl.constexpr, F: tl.constexpr):
    """An atom's (K, F) numbers: (BLOCK_K, BLOCK_F), zero outside."""
    filled = (k < K)[:, None] & (f < F)[None, :]
    return tl.load(start + k[:, None] * F + f[None, :], mask=filled, other=0)


@triton.jit
def store_tile(start, k, f, K: tl.constexpr, F: tl.constexpr, tile):
    filled = (k < K)[:, None] & (f < F)[None, :]
    tl.store(start + k[:, None] * F + f[None, :], tile, mask=filled)


@triton.jit
def over_sensitivities(row, tile):
    """Σ_ν row_ν tile_νf: (BLOCK_F,)."""
    return tl.sum(row[:, None] * tile, axis=0)


@triton.jit
def over_features(tile, row):
    """Σ_f tile_νf row_f: (BLOCK_K,)."""
    return tl.sum(tile * row[None, :], axis=1)


# A batch's number of atoms and neighbours must not make new kernels, so nothing is assumed of them.
@triton.jit(do_not_specialize=["atoms", "width"])
def forward(
    vectors,  # (atoms, width, 3)
    senders,  # (atoms, width)
    counts,  # (atoms,)
    mu,  # (members, K)
    sigma,  # (members, K)
    Q,  # (members, atoms, K, F)
    out,  # (members, atoms, C, F), written
    atoms,
    width,
    K: tl.constexpr,
    F: tl.constexpr,
    C: tl.constexpr,
    hard_max: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_F: tl.constexpr,
):
    """A receiver's."""
    i, m, mi, f = place(atoms, F, BLOCK_F)
    k = tl.arange(0, BLOCK_K)
    inverse_mu, sigmas = sensitivities(mu + m * K, sigma + m * K, k, K)
    sums = nothing(tl.zeros((BLOCK_F,), sigmas.dtype), C)
    for p in range(0, tl.load(counts + i)):
        j = tl.load(senders + i * width + p)
        x, h, cut, _ = pair(load_vector(vectors + (i * width + p) * 3), hard_max)
        e, _, _ = gaussians(x, inverse_mu, sigmas)
        message = over_sensitivities(e, load_tile(Q + (m * atoms + j) * K * F, k, f, K, F))
        sums = add(sums, cut * message, tensors(h, C))
    store_rows(out + mi * C * F, F, f, f < F, sums)


@triton.jit(do_not_specialize=["atoms", "width"])
def backward(
    G,  # (members, atoms, C, F)
    vectors,  # (atoms, width, 3)
    senders,  # (atoms, width)
    reverse,  # (atoms * width,)
    counts,  # (atoms,)
    mu,  # (members, K)
    sigma,  # (members, K)
    Q,  # (members, atoms, K, F)
    dvectors,  # (blocks of F, members, atoms, width, 3), written where there is a neighbour
    dmu,  # (members, atoms, blocks of F, K), written
    dsigma,  # (members, atoms, blocks of F, K), written
    dQ,  # (members, atoms, K, F), written
    atoms,
    width,
    K: tl.constexpr,
    F: tl.constexpr,
    C: tl.constexpr,
    hard_max: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_F: tl.constexpr,
):
    """A sender's."""
    j, m, mj, f = place(atoms, F, BLOCK_F)
    k = tl.arange(0, BLOCK_K)
    inverse_mu, sigmas = sensitivities(mu + m * K, sigma + m * K, k, K)
    Q_j = load_tile(Q + mj * K * F, k, f, K, F)
    by_Q = 0 * Q_j  # not zeros_like: so each thread holds the same part of both
    by_mu, by_sigma = tl.zeros_like(sigmas), tl.zeros_like(sigmas)
    part = (tl.program_id(1) * tl.num_programs(2) + m) * atoms.to(tl.int64) * width
    for p in range(0, tl.load(counts + j)):
        i, slot = tl.load(senders + j * width + p), tl.load(reverse + j * width + p)
        rows = load_rows(G + (m * atoms + i) * C * F, F, f, f < F, C)
        x, h, cut, slope = pair(load_vector(vectors + slot * 3), hard_max)
        e, u, w = gaussians(x, inverse_mu, sigmas)
        H = contract(tensors(h, C), rows)  # (BLOCK_F,)
        eH = e * over_features(Q_j, H)
        e_pull = rows
        if C >= 4:
            e_pull = scale(over_sensitivities(e, Q_j), pull(h, rows, C))
        gradient = pair_gradient(eH, w, e_pull, x, h, cut, slope, C)
        store_vector(dvectors + (part + slot) * 3, gradient)
        by_Q += (cut * e)[:, None] * H[None, :]
        by_mu -= cut * eH * w
        by_sigma -= cut * eH * sigmas * u * u
    store_tile(dQ + mj * K * F, k, f, K, F, by_Q)
    partial = (mj * tl.num_programs(1) + tl.program_id(1)) * K + k
    tl.store(dmu + partial, by_mu * inverse_mu * inverse_mu, mask=k < K)
    tl.store(dsigma + partial, by_sigma, mask=k < K)


@triton.jit(do_not_specialize=["atoms", "width"])
def along_at_receivers(
    v,  # (members, atoms, width, 3)
    W,  # (members, atoms, K, F), the change of Q
    vectors,  # (atoms, width, 3)
    senders,  # (atoms, width)
    counts,  # (atoms,)
    mu,  # (members, K)
    sigma,  # (members, K)
    Q,  # (members, atoms, K, F)
    dG,  # (members, atoms, C, F), written
    atoms,
    width,
    K: tl.constexpr,
    F: tl.constexpr,
    C: tl.constexpr,
    hard_max: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_F: tl.constexpr,
):
    """A receiver's: the change of what it receives."""
    i, m, mi, f = place(atoms, F, BLOCK_F)
    k = tl.arange(0, BLOCK_K)
    inverse_mu, sigmas = sensitivities(mu + m * K, sigma + m * K, k, K)
    sums = nothing(tl.zeros((BLOCK_F,), sigmas.dtype), C)
    for p in range(0, tl.load(counts + i)):
        mj = m * atoms + tl.load(senders + i * width + p)
        x, h, cut, slope = pair(load_vector(vectors + (i * width + p) * 3), hard_max)
        e, _, w = gaussians(x, inverse_mu, sigmas)
        direction = load_vector(v + (mi * width + p) * 3)
        dT, T, steep = changed(direction, x, h, cut, slope, C)
        Q_j = load_tile(Q + mj * K * F, k, f, K, F)
        change = over_sensitivities(e * w * steep, Q_j)
        change += over_sensitivities(e, load_tile(W + mj * K * F, k, f, K, F))
        sums = add(add(sums, over_sensitivities(e, Q_j), dT), change, T)
    store_rows(dG + mi * C * F, F, f, f < F, sums)


@triton.jit(do_not_specialize=["atoms", "width"])
def along_at_senders(
    v,  # (members, atoms, width, 3)
    W,  # (members, atoms, K, F), the change of Q
    G,  # (members, atoms, C, F)
    vectors,  # (atoms, width, 3)
    senders,  # (atoms, width)
    reverse,  # (atoms * width,)
    counts,  # (atoms,)
    mu,  # (members, K)
    sigma,  # (members, K)
    Q,  # (members, atoms, K, F)
    dmu,  # (members, atoms, blocks of F, K), written
    dsigma,  # (members, atoms, blocks of F, K), written
    dQ,  # (members, atoms, K, F), written
    atoms,
    width,
    K: tl.constexpr,
    F: tl.constexpr,
    C: tl.constexpr,
    hard_max: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_F: tl.constexpr,
):
    """A sender's: the derivatives of the change by Q, μ and σ."""
    j, m, mj, f = place(atoms, F, BLOCK_F)
    k = tl.arange(0, BLOCK_K)
    inverse_mu, sigmas = sensitivities(mu + m * K, sigma + m * K, k, K)
    Q_j = load_tile(Q + mj * K * F, k, f, K, F)
    W_j = load_tile(W + mj * K * F, k, f, K, F)
    by_Q = 0 * Q_j  # not zeros_like: so each thread holds the same part of both
    by_mu, by_sigma = tl.zeros_like(sigmas), tl.zeros_like(sigmas)
    for p in range(0, tl.load(counts + j)):
        i, slot = tl.load(senders + j * width + p), tl.load(reverse + j * width + p)
        rows = load_rows(G + (m * atoms + i) * C * F, F, f, f < F, C)
        x, h, cut, slope = pair(load_vector(vectors + slot * 3), hard_max)
        e, u, w = gaussians(x, inverse_mu, sigmas)
        direction = load_vector(v + (m * atoms.to(tl.int64) * width + slot) * 3)
        dT, T, steep = changed(direction, x, h, cut, slope, C)
        dH, H = contract(dT, rows), contract(T, rows)  # (BLOCK_F,)
        A = tl.sum(Q_j * dH[None, :] + W_j * H[None, :], axis=1)
        B = steep * over_features(Q_j, H)
        by_Q += e[:, None] * dH[None, :] + (e * w * steep)[:, None] * H[None, :]
        more_mu, more_sigma = change_by_widths(e, u, w, sigmas, A, B)
        by_mu += more_mu
        by_sigma += more_sigma
    store_tile(dQ + mj * K * F, k, f, K, F, by_Q)
    partial = (mj * tl.num_programs(1) + tl.program_id(1)) * K + k
    tl.store(dmu + partial, by_mu * inverse_mu * inverse_mu, mask=k < K)
    tl.store(dsigma + partial, by_sigma, mask=k < K)
