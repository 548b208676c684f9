// The environment of an atom by the elements of its neighbours, and its derivatives:
//
//     env[m,i,c,a,k] = sum over neighbours j of element a   T_c(h) C(r) exp(-t^2/2),
//     t = sigma_mk (1/r - 1/mu_mk),  C(r) = cos^2(pi r / 2R),  h = d/r,  d = R_j - R_i
//
// for the members m of an ensemble, which share their neighbours. (docs/conventions.md has the
// symbols; mlipkd/hipnn/surroundings.py the plain PyTorch version.)
//
// Neighbours are in rows of `width` slots, sorted by element; those of element a are the slots
// bounds[i, a] to bounds[i, a + 1]. Vectors are (atoms, width, 3), their derivatives (members, atoms,
// width, 3).

#include "pairs.h"

namespace {

struct Shape {
    int64_t atoms, width;
    int members, elements, number;  // number of sensitivities

    // Where env[m, i, c, a, :] starts.
    template <int C> int64_t place(int m, int64_t i, int c, int a) const {
        return (((m * atoms + i) * C + c) * elements + a) * number;
    }
    const int32_t *of(const int32_t *bounds, int64_t i) const {
        return bounds + i * (elements + 1);
    }
};

// Sums over an element's pairs, a register for each sensitivity and component, of those that are felt.
template <class T, int C> struct Felt {
    std::vector<T> registers;
    int first, last;

    explicit Felt(int number) : registers(number * C * lanes<T>) {}
    void clear(const Sensitivities<T> &f, const Row<T, C> &row) {
        first = f.number, last = 0;
        for (int n = 0; n < row.used; ++n) {
            int from, to;
            f.felt(row.groups[n], from, to);
            if (from < to) first = std::min(first, from), last = std::max(last, to);
        }
        if (first < last) std::fill(of(first), of(last), T(0));
    }
    T *of(int k) { return registers.data() + k * C * lanes<T>; }
    // To out[c * stride + k]; zero for what is not felt.
    void write(int number, int64_t stride, T *out) {
        for (int c = 0; c < C; ++c) {
            std::fill(out + c * stride, out + c * stride + std::min(first, number), T(0));
            for (int k = first; k < last; ++k) out[c * stride + k] = total(of(k) + c * lanes<T>);
            std::fill(out + c * stride + std::max(first, last), out + c * stride + number, T(0));
        }
    }
};

template <class T, int C>
void forward(const Shape &s, const T *vectors, const int32_t *bounds, const T *mu, const T *sigma,
             T hard_max, int threads, T *env) {
    const auto all = all_members(s.members, s.number, mu, sigma);
#pragma omp parallel num_threads(threads)
    {
        Row<T, C> row;
        Felt<T, C> sums(s.number);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < s.atoms; ++i)
            for (int a = 0; a < s.elements; ++a) {
                const int first = s.of(bounds, i)[a], last = s.of(bounds, i)[a + 1];
                row.set(vectors + (i * s.width + first) * 3, last - first, hard_max);
                for (int m = 0; m < s.members; ++m) {
                    sums.clear(all[m], row);
                    for (int n = 0; n < row.used; ++n) {
                        const auto &g = row.groups[n];
                        Vector<T> weights[C];
                        for (int c = 0; c < C; ++c) weights[c] = g.tensor[c] * g.cutoff;
                        int from, to;
                        all[m].felt(g, from, to);
                        for (int k = from; k < to; ++k) {
                            const Vector<T> e = all[m].gaussian(k, g.x);
                            T *row = sums.of(k);
                            for (int c = 0; c < C; ++c) at(row + c * lanes<T>) += weights[c] * e;
                        }
                    }
                    sums.write(s.number, s.elements * s.number, env + s.place<C>(m, i, 0, a));
                }
            }
    }
}

// From G = dL/d(env): dL/d(vectors), and dL/dmu and dL/dsigma; either is left out where it is null.
template <class T, int C, bool VECTORS, bool WEIGHTS>
void backward(const Shape &s, const T *vectors, const int32_t *bounds, const T *mu, const T *sigma,
              T hard_max, const T *G, int threads, T *dvectors, T *dmu, T *dsigma) {
    const auto all = all_members(s.members, s.number, mu, sigma);
    Changes<T> changes(threads, s.members, s.number);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int part = 0; part < threads; ++part) {
        Row<T, C> row;
        T *weights = WEIGHTS ? changes.start(part) : nullptr;
        const int64_t begin = s.atoms * part / threads, end = s.atoms * (part + 1) / threads;
        for (int64_t i = begin; i < end; ++i) {
            for (int a = 0; a < s.elements; ++a) {
                const int first = s.of(bounds, i)[a], last = s.of(bounds, i)[a + 1];
                row.set(vectors + (i * s.width + first) * 3, last - first, hard_max);
                for (int m = 0; m < s.members; ++m) {
                    const Sensitivities<T> &f = all[m];
                    const T *rows[C];
                    for (int c = 0; c < C; ++c) rows[c] = G + s.place<C>(m, i, c, a);
                    T *by_mu = weights + m * 2 * s.number * lanes<T>;
                    T *by_sigma = by_mu + s.number * lanes<T>;
                    T *out = dvectors + ((m * s.atoms + i) * s.width + first) * 3;
                    for (int n = 0; n < row.used; ++n, out += 3 * lanes<T>) {
                        const auto &g = row.groups[n];
                        const Vector<T> steep = g.cutoff * g.x * g.x;
                        Vector<T> b[C] = {}, radial = {};
                        int from, to;
                        f.felt(g, from, to);
                        for (int k = from; k < to; ++k) {
                            const Vector<T> e = f.gaussian(k, g.x), u = g.x - f.inverse_mu[k];
                            const Vector<T> w = u * (f.sigma[k] * f.sigma[k]);
                            Vector<T> H = g.tensor[0] * rows[0][k];
                            for (int c = 1; c < C; ++c) H += g.tensor[c] * rows[c][k];
                            const Vector<T> eH = e * H;
                            if constexpr (VECTORS) {
                                for (int c = 1; c < C; ++c) b[c] += e * rows[c][k];
                                radial += eH * (g.slope + steep * w);
                            }
                            if constexpr (WEIGHTS) {
                                const Vector<T> scaled = g.cutoff * eH;
                                at(by_mu + k * lanes<T>) -= scaled * w;
                                at(by_sigma + k * lanes<T>) -= scaled * u * u * f.sigma[k];
                            }
                        }
                        if constexpr (VECTORS) {
                            for (int c = 1; c < C; ++c) b[c] *= g.cutoff;
                            const int left = last - first - n * lanes<T>;
                            Row<T, C>::pull(g, radial, b, out, std::min(lanes<T>, left));
                        }
                    }
                }
            }
            if constexpr (VECTORS)
                for (int m = 0; m < s.members; ++m) {
                    T *row = dvectors + (m * s.atoms + i) * s.width * 3;
                    std::fill(row + s.of(bounds, i)[s.elements] * 3, row + s.width * 3, T(0));
                }
        }
    }
    if constexpr (WEIGHTS) changes.gather(all, dmu, dsigma);
}

// Of <v, d<G, env>/d(vectors)> for a given v: the derivatives with respect to G, which are the change
// of env along v, and by mu and sigma.
template <class T, int C>
void along(const Shape &s, const T *vectors, const int32_t *bounds, const T *mu, const T *sigma,
           T hard_max, const T *G, const T *v, int threads, T *dG, T *dmu, T *dsigma) {
    const auto all = all_members(s.members, s.number, mu, sigma);
    Changes<T> changes(threads, s.members, s.number);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int part = 0; part < threads; ++part) {
        Row<T, C> row;
        Felt<T, C> sums(s.number);
        T *weights = changes.start(part);
        const int64_t begin = s.atoms * part / threads, end = s.atoms * (part + 1) / threads;
        for (int64_t i = begin; i < end; ++i)
            for (int a = 0; a < s.elements; ++a) {
                const int first = s.of(bounds, i)[a], last = s.of(bounds, i)[a + 1];
                row.set(vectors + (i * s.width + first) * 3, last - first, hard_max);
                for (int m = 0; m < s.members; ++m) {
                    const Sensitivities<T> &f = all[m];
                    const T *rows[C];
                    for (int c = 0; c < C; ++c) rows[c] = G + s.place<C>(m, i, c, a);
                    T *by_mu = weights + m * 2 * s.number * lanes<T>;
                    T *by_sigma = by_mu + s.number * lanes<T>;
                    const T *w_row = v + ((m * s.atoms + i) * s.width + first) * 3;
                    sums.clear(f, row);
                    for (int n = 0; n < row.used; ++n) {
                        const auto &g = row.groups[n];
                        int from, to;
                        f.felt(g, from, to);
                        if (from == to) continue;
                        // The change of T C e along v is e (alpha + beta w).
                        Vector<T> dr, alpha[C], beta[C];
                        const int left = last - first - n * lanes<T>;
                        Row<T, C>::push(g, w_row + 3 * n * lanes<T>, std::min(lanes<T>, left), dr,
                                        alpha);
                        for (int c = 0; c < C; ++c) {
                            alpha[c] = g.cutoff * alpha[c] + g.slope * dr * g.tensor[c];
                            beta[c] = g.cutoff * g.x * g.x * dr * g.tensor[c];
                        }
                        for (int k = from; k < to; ++k) {
                            const T sigma2 = f.sigma[k] * f.sigma[k];
                            const Vector<T> u = g.x - f.inverse_mu[k], w = u * sigma2;
                            const Vector<T> e = f.gaussian(k, g.x);
                            Vector<T> A = {}, B = {};
                            T *row = sums.of(k);
                            for (int c = 0; c < C; ++c) {
                                at(row + c * lanes<T>) += e * (alpha[c] + beta[c] * w);
                                A += alpha[c] * rows[c][k];
                                B += beta[c] * rows[c][k];
                            }
                            const Vector<T> whole = A + w * B;
                            at(by_mu + k * lanes<T>) += e * (sigma2 * B - w * whole);
                            at(by_sigma + k * lanes<T>) +=
                                e * u * (2 * B - u * whole) * f.sigma[k];
                        }
                    }
                    sums.write(s.number, s.elements * s.number, dG + s.place<C>(m, i, 0, a));
                }
            }
    }
    changes.gather(all, dmu, dsigma);
}

template <class T, int C>
void chosen_backward(const Shape &s, const T *vectors, const int32_t *bounds, const T *mu,
                     const T *sigma, T hard_max, const T *G, int threads, T *dvectors, T *dmu,
                     T *dsigma) {
    auto chosen = dvectors && dmu ? backward<T, C, true, true>
                  : dvectors      ? backward<T, C, true, false>
                                  : backward<T, C, false, true>;
    chosen(s, vectors, bounds, mu, sigma, hard_max, G, threads, dvectors, dmu, dsigma);
}

}  // namespace

#define SHAPE                                                                                      \
    int64_t atoms, int64_t width, int64_t members, int64_t elements, int64_t number,               \
        int64_t components
#define INPUTS(TYPE)                                                                               \
    const TYPE *vectors, const int32_t *bounds, const TYPE *mu, const TYPE *sigma, double hard_max

#define EXPORT(SUFFIX, TYPE)                                                                       \
    extern "C" void environment_##SUFFIX(SHAPE, INPUTS(TYPE), int64_t threads, TYPE *env) {        \
        using T = TYPE;                                                                            \
        const Shape s{atoms, width, int(members), int(elements), int(number)};                     \
        FOR_EACH_ORDER(forward, s, vectors, bounds, mu, sigma, T(hard_max), threads, env)          \
    }                                                                                              \
    extern "C" void environment_backward_##SUFFIX(SHAPE, INPUTS(TYPE), const TYPE *G,              \
                                                  int64_t threads, TYPE *dvectors, TYPE *dmu,      \
                                                  TYPE *dsigma) {                                  \
        using T = TYPE;                                                                            \
        const Shape s{atoms, width, int(members), int(elements), int(number)};                     \
        FOR_EACH_ORDER(chosen_backward, s, vectors, bounds, mu, sigma, T(hard_max), G, threads,    \
                       dvectors, dmu, dsigma)                                                      \
    }                                                                                              \
    extern "C" void environment_along_##SUFFIX(SHAPE, INPUTS(TYPE), const TYPE *G, const TYPE *v,  \
                                               int64_t threads, TYPE *dG, TYPE *dmu,               \
                                               TYPE *dsigma) {                                     \
        using T = TYPE;                                                                            \
        const Shape s{atoms, width, int(members), int(elements), int(number)};                     \
        FOR_EACH_ORDER(along, s, vectors, bounds, mu, sigma, T(hard_max), G, v, threads, dG, dmu,  \
                       dsigma)                                                                     \
    }

EXPORT(float, float)
EXPORT(double, double)
