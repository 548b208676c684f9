"""What the Triton kernels share: one pair of atoms, its Gaussians, and rows by component.

A program walks through the pairs of its atom one by one. What belongs to the pair alone is a
scalar; what belongs to the sensitivities or features fills the lanes. So a pair is read once,
padding slots are never visited, and all sums stay in registers. Quantities with one entry for each
component of T are tuples, whose length 1, 4 or 9 is known when a kernel is compiled.

| symbol | variable |
|---|---|
| 1/r, ĥ | `x`, `h` |
| c(r), dc/dr | `cut`, `slope` |
| T_c(ĥ) | `tensors(h, C)` |
| u = 1/r - 1/μ_ν, σ_ν² u | `u`, `w` |
| exp(-½ t_ν²) | `e`, whose derivative by r is e w x² |
"""

# A tuple grows entry by entry while a kernel is compiled, which no type describes.
# mypy: disable-error-code="assignment"

import math

import triton
import triton.language as tl

PI = tl.constexpr(math.pi)


@triton.jit
def divide(a, b):
    """a / b to the last bit, which Triton's own / is not in single precision."""
    if b.dtype == tl.float64:
        return a / b
    else:
        return tl.div_rn(a, b)


@triton.jit
def length(x, y, z):
    square = x * x + y * y + z * z
    if square.dtype == tl.float64:
        return tl.sqrt(square)
    else:
        return tl.sqrt_rn(square)


@triton.jit
def load_vector(place):
    return tl.load(place), tl.load(place + 1), tl.load(place + 2)


@triton.jit
def store_vector(place, vector):
    for axis in tl.static_range(3):
        tl.store(place + axis, vector[axis])


@triton.jit
def pair(vector, hard_max: tl.constexpr):
    """1/r, ĥ, c and dc/dr of a vector (x, y, z)."""
    r = length(vector[0], vector[1], vector[2])
    x = divide(tl.full((), 1, r.dtype), r)
    h = (vector[0] * x, vector[1] * x, vector[2] * x)
    angle = r * (PI / (2 * hard_max))
    cosine = tl.where(r <= hard_max, tl.cos(angle), 0)
    return x, h, cosine * cosine, (-PI / hard_max) * tl.sin(angle) * cosine


@triton.jit
def tensors(h, C: tl.constexpr):
    """T: 1, then ĥ, then xx, xy, xz, yy, yz of ĥ⊗ĥ - ⅓."""
    x, y, z = h
    T = (1.0,)
    if C >= 4:
        T += (x, y, z)
    if C == 9:
        third = (x * x + y * y + z * z) / 3
        T += (x * x - third, x * y, x * z, y * y - third, y * z)
    return T


@triton.jit
def turned(h, dh, C: tl.constexpr):
    """The change of T when ĥ changes by dh, which is perpendicular to it."""
    x, y, z = h
    dx, dy, dz = dh
    dT = (0.0,)
    if C >= 4:
        dT += (dx, dy, dz)
    if C == 9:
        dT += (2 * x * dx, x * dy + y * dx, x * dz + z * dx, 2 * y * dy, y * dz + z * dy)
    return dT


@triton.jit
def pull(h, rows, C: tl.constexpr):
    """∂(Σ_c T_c rows_c)/∂ĥ, up to a part along ĥ, which turns no direction; for C ≥ 4."""
    x, y, z = h
    along_x, along_y, along_z = rows[1], rows[2], rows[3]
    if C == 9:
        along_x += 2 * x * rows[4] + y * rows[5] + z * rows[6]
        along_y += x * rows[5] + 2 * y * rows[7] + z * rows[8]
        along_z += x * rows[6] + y * rows[8]
    return along_x, along_y, along_z


@triton.jit
def changed(v, x, h, cut, slope, C: tl.constexpr):
    """What a change of the vector by v does to a pair.

    Returns:
        The change of c T; c T; and the change of -1/r, which times w e is the change of e.
    """
    dr = v[0] * h[0] + v[1] * h[1] + v[2] * h[2]
    dh = ((v[0] - dr * h[0]) * x, (v[1] - dr * h[1]) * x, (v[2] - dr * h[2]) * x)
    T, dT = tensors(h, C), turned(h, dh, C)
    return add(scale(cut, dT), slope * dr, T), scale(cut, T), x * x * dr


@triton.jit
def sensitivities(mu, sigma, k, K: tl.constexpr):
    """1/μ and σ of a member, for the lanes k; zero Gaussian width where there is no sensitivity."""
    centre = tl.load(mu + k, mask=k < K, other=1)
    return divide(tl.full(k.shape, 1, centre.dtype), centre), tl.load(sigma + k, k < K, other=0)


@triton.jit
def gaussians(x, inverse_mu, sigma):
    """e, u and w of a pair for all sensitivities."""
    u = x - inverse_mu
    w = sigma * sigma * u
    return tl.exp(-0.5 * w * u), u, w


@triton.jit
def pair_gradient(eH, w, e_pull, x, h, cut, slope, C: tl.constexpr):
    """∂L/∂vector of a pair.

    Args:
        eH: e_ν ∂L/∂(c e_ν), of all sensitivities.
        e_pull: three rows whose sums are ∂L/∂ĥ over c; anything if C is 1.
    """
    along = tl.sum(eH * (slope + cut * x * x * w))
    gradient = (along * h[0], along * h[1], along * h[2])
    if C >= 4:
        g = (tl.sum(e_pull[0]), tl.sum(e_pull[1]), tl.sum(e_pull[2]))
        radial = g[0] * h[0] + g[1] * h[1] + g[2] * h[2]
        turn = (g[0] - radial * h[0], g[1] - radial * h[1], g[2] - radial * h[2])
        gradient = add(gradient, cut * x, turn)
    return gradient


@triton.jit
def change_by_widths(e, u, w, sigma, A, B):
    """Of e (A + w B) the derivatives wrt 1/μ, with the opposite sign, and wrt σ."""
    whole = A + w * B
    return e * (sigma * sigma * B - w * whole), e * u * sigma * (2 * B - u * whole)


@triton.jit
def nothing(like, C: tl.constexpr):
    """C rows of zeros."""
    rows = ()
    for _ in tl.static_range(C):
        rows += (tl.zeros_like(like),)
    return rows


@triton.jit
def scale(factor, rows):
    """factor rows_c."""
    scaled = ()
    for c in tl.static_range(len(rows)):
        scaled += (factor * rows[c],)
    return scaled


@triton.jit
def add(rows, factor, more):
    """rows_c + factor more_c."""
    sums = ()
    for c in tl.static_range(len(rows)):
        sums += (rows[c] + factor * more[c],)
    return sums


@triton.jit
def contract(factors, rows):
    """Σ_c factors_c rows_c."""
    total = factors[0] * rows[0]
    for c in tl.static_range(1, len(rows)):
        total += factors[c] * rows[c]
    return total


@triton.jit
def load_rows(place, stride: tl.constexpr, lanes, filled, C: tl.constexpr):
    """A row for each component, ``stride`` numbers apart; zero in lanes that are not filled."""
    rows = ()
    for c in tl.static_range(C):
        rows += (tl.load(place + c * stride + lanes, mask=filled, other=0),)
    return rows


@triton.jit
def store_rows(place, stride: tl.constexpr, lanes, filled, rows):
    for c in tl.static_range(len(rows)):
        tl.store(place + c * stride + lanes, rows[c], mask=filled)
