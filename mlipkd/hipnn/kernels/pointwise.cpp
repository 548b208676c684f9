// What is done to features one by one, each in a single pass, with derivatives to second order:
// the activation, and the norms of vectors and tensors in the interaction layer.

#include "pairs.h"

namespace {

// Past this the softplus is taken to be the identity, as PyTorch does.
constexpr int LINEAR = 20;

// softplus(x) = log(1 + exp x) and its derivative, the logistic function
template <class T> inline void softplus(Vector<T> x, Vector<T> &value, Vector<T> &slope) {
    constexpr int terms = sizeof(T) == 4 ? 7 : 16;
    const Vector<T> none = {}, size = x < 0 ? -x : x;
    const Vector<T> e = power_of_two<T>(size * T(-1.44269504088896340736));  // exp(-|x|)
    // log(1 + e) = 2 artanh(z); z is at most 1/3
    const Vector<T> z = e / (2 + e), square = z * z;
    Vector<T> series = none + T(2. / (2 * terms - 1));
    for (int k = terms - 2; k >= 0; --k) series = series * square + T(2. / (2 * k + 1));
    const Vector<T> larger = x < 0 ? none : x, share = 1 / (1 + e);
    value = x > T(LINEAR) ? x : larger + z * series;
    slope = x > T(LINEAR) ? none + 1 : (x < 0 ? e * share : share);
}

template <class T>
void softplus(int64_t number, const T *x, int64_t threads, T *value, T *slope) {
    const int64_t whole = number / lanes<T>;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t n = 0; n < whole; ++n)
        softplus<T>(at(x + n * lanes<T>), at(value + n * lanes<T>), at(slope + n * lanes<T>));
    const int64_t done = whole * lanes<T>, left = number - done;
    T rest[3][lanes<T>] = {};
    std::copy_n(x + done, left, rest[0]);
    softplus<T>(at(rest[0]), at(rest[1]), at(rest[2]));
    std::copy_n(rest[1], left, value + done);
    std::copy_n(rest[2], left, slope + done);
}

// Of x + bias in place: the softplus; and its derivative beside it. Each kind of atom has a bias.
template <class T>
void activate(int64_t members, int64_t atoms, int64_t features, int64_t kinds, const int64_t *kind,
              const T *bias, int64_t threads, T *x, T *slope) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t row = 0; row < members * atoms; ++row) {
        const T *add = bias + (row / atoms * kinds + kind[row % atoms]) * features;
        T *in = x + row * features, *out = slope + row * features;
        int64_t f = 0;
        for (; f + lanes<T> <= features; f += lanes<T>)
            softplus<T>(at(in + f) + at(add + f), at(in + f), at(out + f));
        T rest[3][lanes<T>] = {};
        for (int64_t l = f; l < features; ++l) rest[0][l - f] = in[l] + add[l];
        softplus<T>(at(rest[0]), at(rest[1]), at(rest[2]));
        std::copy_n(rest[1], features - f, in + f);
        std::copy_n(rest[2], features - f, out + f);
    }
}

// Of <u, g s(x)>, s being the slope: the derivatives by g and by x, where ds/dx = s (1 - s).
template <class T>
void softplus_along(int64_t number, const T *__restrict u, const T *__restrict g,
                    const T *__restrict s, int64_t threads, T *__restrict dg, T *__restrict dx) {
#pragma omp parallel for simd num_threads(threads) schedule(static)
    for (int64_t n = 0; n < number; ++n) {
        dg[n] = u[n] * s[n];
        dx[n] = dg[n] * g[n] * (1 - s[n]);
    }
}

// l = s l + (1 - s) h g, in place: the adjoint of the activation beside that of its tangent.
template <class T>
void adjoint(int64_t number, const T *__restrict s, const T *__restrict h, const T *__restrict g,
             int64_t threads, T *__restrict l) {
#pragma omp parallel for simd num_threads(threads) schedule(static)
    for (int64_t n = 0; n < number; ++n) l[n] = s[n] * l[n] + (1 - s[n]) * h[n] * g[n];
}

// The tensors of an atom for one feature, and the products that their norms are made of. Of the
// traceless tensor five entries are kept: xx, xy, xz, yy, yz.
template <class T> inline T vectors_product(const T *a, const T *b) {
    return a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
}
template <class T> inline T tensors_product(const T *a, const T *b) {
    return 2 * (a[4] * b[4] + a[5] * b[5] + a[6] * b[6] + a[7] * b[7] + a[8] * b[8]) +
           a[4] * b[7] + a[7] * b[4];
}
// Half the derivative of the product of a tensor with itself.
template <class T> inline void tensor_slope(const T *a, T *slope) {
    slope[4] = 2 * a[4] + a[7], slope[5] = 2 * a[5], slope[6] = 2 * a[6];
    slope[7] = 2 * a[7] + a[4], slope[8] = 2 * a[8];
}

template <class T> struct Layer {
    int64_t members, atoms, features;
    const T *A, *tau1, *tau2;  // (members, atoms, C, features), (members, features) twice
    T cusp;
};

// out = A_0 + tau1 |A_vector| + tau2 |A_tensor|
template <class T, int C> void norms(const Layer<T> &s, int64_t threads, T *out) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t row = 0; row < s.members * s.atoms; ++row) {
        const T *__restrict A = s.A + row * C * s.features;
        const T *__restrict tau1 = s.tau1 + row / s.atoms * s.features;
        const T *__restrict tau2 = s.tau2 + row / s.atoms * s.features;
        T *__restrict mine = out + row * s.features;
#pragma omp simd
        for (int64_t f = 0; f < s.features; ++f) {
            T a[C];
            for (int c = 0; c < C; ++c) a[c] = A[c * s.features + f];
            T sum = a[0] + tau1[f] * std::sqrt(vectors_product(a, a) + s.cusp);
            if constexpr (C == 9) sum += tau2[f] * std::sqrt(tensors_product(a, a) + s.cusp);
            mine[f] = sum;
        }
    }
}

// Sums over the atoms of each member's derivatives by tau1 and tau2, in the order of the threads.
template <class T>
void gather(const std::vector<std::vector<T>> &parts, int64_t number, T *dtau1, T *dtau2) {
    for (int64_t n = 0; n < number; ++n) {
        dtau1[n] = dtau2[n] = 0;
        for (const auto &part : parts) dtau1[n] += part[n], dtau2[n] += part[number + n];
    }
}

// From g = dL/d(out): dL/dA, dL/dtau1, dL/dtau2.
template <class T, int C>
void norms_backward(const Layer<T> &s, const T *g, int64_t threads, T *dA, T *dtau1, T *dtau2) {
    const int64_t rows = s.members * s.atoms, number = s.members * s.features;
    std::vector<std::vector<T>> parts(threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int part = 0; part < threads; ++part) {
        parts[part].assign(2 * number, 0);
        for (int64_t row = rows * part / threads; row < rows * (part + 1) / threads; ++row) {
            const int64_t member = row / s.atoms * s.features;
            const T *__restrict A = s.A + row * C * s.features, *__restrict out = g + row * s.features;
            const T *__restrict tau1 = s.tau1 + member, *__restrict tau2 = s.tau2 + member;
            T *__restrict by1 = parts[part].data() + member, *__restrict by2 = by1 + number;
            T *__restrict mine = dA + row * C * s.features;
#pragma omp simd
            for (int64_t f = 0; f < s.features; ++f) {
                T a[C], slope[C];
                for (int c = 0; c < C; ++c) a[c] = A[c * s.features + f];
                const T norm1 = std::sqrt(vectors_product(a, a) + s.cusp);
                const T factor1 = out[f] * tau1[f] / norm1;
                by1[f] += out[f] * norm1;
                mine[f] = out[f];
                for (int c = 1; c < 4; ++c) mine[c * s.features + f] = factor1 * a[c];
                if constexpr (C == 9) {
                    const T norm2 = std::sqrt(tensors_product(a, a) + s.cusp);
                    const T factor2 = out[f] * tau2[f] / norm2;
                    by2[f] += out[f] * norm2;
                    tensor_slope(a, slope);
                    for (int c = 4; c < 9; ++c) mine[c * s.features + f] = factor2 * slope[c];
                }
            }
        }
    }
    gather(parts, number, dtau1, dtau2);
}

// Of <u, dL/dA>: the derivatives by g, A, tau1 and tau2.
template <class T, int C>
void norms_along(const Layer<T> &s, const T *g, const T *u_, int64_t threads, T *dg, T *dA,
                 T *dtau1, T *dtau2) {
    const int64_t rows = s.members * s.atoms, number = s.members * s.features;
    std::vector<std::vector<T>> parts(threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int part = 0; part < threads; ++part) {
        parts[part].assign(2 * number, 0);
        for (int64_t row = rows * part / threads; row < rows * (part + 1) / threads; ++row) {
            const int64_t member = row / s.atoms * s.features;
            const T *__restrict A = s.A + row * C * s.features, *__restrict out = g + row * s.features;
            const T *__restrict U = u_ + row * C * s.features;
            const T *__restrict tau1 = s.tau1 + member, *__restrict tau2 = s.tau2 + member;
            T *__restrict by1 = parts[part].data() + member, *__restrict by2 = by1 + number;
            T *__restrict mine = dA + row * C * s.features, *__restrict by_g = dg + row * s.features;
#pragma omp simd
            for (int64_t f = 0; f < s.features; ++f) {
                T a[C], u[C], slope[C], bend[C];
                for (int c = 0; c < C; ++c) {
                    a[c] = A[c * s.features + f];
                    u[c] = U[c * s.features + f];
                }
                const T inverse1 = 1 / std::sqrt(vectors_product(a, a) + s.cusp);
                const T cosine1 = vectors_product(u, a) * inverse1;
                const T factor1 = out[f] * tau1[f] * inverse1;
                by1[f] += out[f] * cosine1;
                T sum = u[0] + tau1[f] * cosine1;
                mine[f] = 0;
                for (int c = 1; c < 4; ++c)
                    mine[c * s.features + f] = factor1 * (u[c] - cosine1 * inverse1 * a[c]);
                if constexpr (C == 9) {
                    const T inverse2 = 1 / std::sqrt(tensors_product(a, a) + s.cusp);
                    const T cosine2 = tensors_product(u, a) * inverse2;
                    const T factor2 = out[f] * tau2[f] * inverse2;
                    by2[f] += out[f] * cosine2;
                    sum += tau2[f] * cosine2;
                    tensor_slope(a, slope), tensor_slope(u, bend);
                    for (int c = 4; c < 9; ++c)
                        mine[c * s.features + f] =
                            factor2 * (bend[c] - cosine2 * inverse2 * slope[c]);
                }
                by_g[f] = sum;
            }
        }
    }
    gather(parts, number, dtau1, dtau2);
}

// F_i = sum_j (g_ij - g_ji), from g (members, atoms, width, 3)
template <class T>
void forces(int64_t members, int64_t atoms, int64_t width, const T *g, const int64_t *reverse,
            int64_t threads, T *F) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t row = 0; row < members * atoms; ++row) {
        const T *member = g + row / atoms * atoms * width * 3, *mine = g + row * width * 3;
        const int64_t *back = reverse + row % atoms * width;
        T sum[3] = {};
        for (int64_t p = 0; p < width; ++p)
            for (int a = 0; a < 3; ++a) sum[a] += mine[3 * p + a] - member[3 * back[p] + a];
        for (int a = 0; a < 3; ++a) F[3 * row + a] = sum[a];
    }
}

// Its derivative: dg_ij = v_i - v_j
template <class T>
void forces_backward(int64_t members, int64_t atoms, int64_t width, const T *v,
                     const int64_t *senders, int64_t threads, T *dg) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t row = 0; row < members * atoms; ++row) {
        const T *member = v + row / atoms * atoms * 3, *own = v + row * 3;
        const int64_t *from = senders + row % atoms * width;
        T *mine = dg + row * width * 3;
        for (int64_t p = 0; p < width; ++p)
            for (int a = 0; a < 3; ++a) mine[3 * p + a] = own[a] - member[3 * from[p] + a];
    }
}

}  // namespace

#define LAYER(TYPE)                                                                                \
    int64_t members, int64_t atoms, int64_t features, int64_t components, const TYPE *A,           \
        const TYPE *tau1, const TYPE *tau2, double cusp

#define EXPORT(SUFFIX, T)                                                                          \
    extern "C" void softplus_##SUFFIX(int64_t number, const T *x, int64_t threads, T *value,       \
                                      T *slope) {                                                  \
        softplus<T>(number, x, threads, value, slope);                                             \
    }                                                                                              \
    extern "C" void activate_##SUFFIX(int64_t members, int64_t atoms, int64_t features,            \
                                      int64_t kinds, const int64_t *kind, const T *bias,           \
                                      int64_t threads, T *x, T *slope) {                           \
        activate<T>(members, atoms, features, kinds, kind, bias, threads, x, slope);               \
    }                                                                                              \
    extern "C" void softplus_along_##SUFFIX(int64_t number, const T *u, const T *g, const T *s,    \
                                            int64_t threads, T *dg, T *dx) {                       \
        softplus_along<T>(number, u, g, s, threads, dg, dx);                                       \
    }                                                                                              \
    extern "C" void adjoint_##SUFFIX(int64_t number, const T *s, const T *h, const T *g,           \
                                     int64_t threads, T *l) {                                      \
        adjoint<T>(number, s, h, g, threads, l);                                                   \
    }                                                                                              \
    extern "C" void norms_##SUFFIX(LAYER(T), int64_t threads, T *out) {                            \
        const Layer<T> s{members, atoms, features, A, tau1, tau2, T(cusp)};                        \
        (components == 4 ? norms<T, 4> : norms<T, 9>)(s, threads, out);                            \
    }                                                                                              \
    extern "C" void norms_backward_##SUFFIX(LAYER(T), const T *g, int64_t threads, T *dA,          \
                                            T *dtau1, T *dtau2) {                                  \
        const Layer<T> s{members, atoms, features, A, tau1, tau2, T(cusp)};                        \
        (components == 4 ? norms_backward<T, 4> : norms_backward<T, 9>)(s, g, threads, dA, dtau1,  \
                                                                        dtau2);                    \
    }                                                                                              \
    extern "C" void norms_along_##SUFFIX(LAYER(T), const T *g, const T *u, int64_t threads, T *dg, \
                                         T *dA, T *dtau1, T *dtau2) {                              \
        const Layer<T> s{members, atoms, features, A, tau1, tau2, T(cusp)};                        \
        (components == 4 ? norms_along<T, 4> : norms_along<T, 9>)(s, g, u, threads, dg, dA, dtau1, \
                                                                  dtau2);                          \
    }                                                                                              \
    extern "C" void forces_##SUFFIX(int64_t members, int64_t atoms, int64_t width, const T *g,     \
                                    const int64_t *reverse, int64_t threads, T *F) {               \
        forces<T>(members, atoms, width, g, reverse, threads, F);                                  \
    }                                                                                              \
    extern "C" void forces_backward_##SUFFIX(int64_t members, int64_t atoms, int64_t width,        \
                                             const T *v, const int64_t *senders, int64_t threads,  \
                                             T *dg) {                                              \
        forces_backward<T>(members, atoms, width, v, senders, threads, dg);                        \
    }

EXPORT(float, float)
EXPORT(double, double)
