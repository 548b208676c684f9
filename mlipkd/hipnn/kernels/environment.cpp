// The environment of an atom by the elements of its neighbours, and its derivatives:
//
//     env[i,c,a,k] = sum over neighbours j of element a   T_c(h) C(r) exp(-t_k^2/2),
//     t_k = sigma_k (1/r - 1/mu_k),  C(r) = cos^2(pi r / 2R),  h = d/r,  d = R_j - R_i
//
// (docs/conventions.md has the symbols; mlipkd/hipnn/interaction.py the plain PyTorch version.)
// Gaussians are made a whole register at a time and summed in registers; nothing of the size pairs x
// sensitivities is ever stored, not for derivatives either: they make the Gaussians again.
//
// Neighbours stand in rows of `width` slots, sorted by element; those of element a are the slots
// bounds[i, a] to bounds[i, a + 1]. Vectors are (atoms, width, 3).

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

#ifdef __AVX512F__
constexpr int BYTES = 64;
#else
constexpr int BYTES = 32;
#endif

template <class T> struct Simd;
template <> struct Simd<float> {
    typedef float Vector __attribute__((vector_size(BYTES), aligned(4)));
    typedef int32_t Integers __attribute__((vector_size(BYTES)));
    static constexpr float magic = 12582912.f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    static constexpr int bias = 127, mantissa = 23, degree = 7;
    static constexpr float smallest = -87.f;   // exp of less is subnormal
    static constexpr float negligible = 34.f;  // exp(-34) is far below the rounding of a sum
};
template <> struct Simd<double> {
    typedef double Vector __attribute__((vector_size(BYTES), aligned(8)));
    typedef int64_t Integers __attribute__((vector_size(BYTES)));
    static constexpr double magic = 6755399441055744., ln2_high = 0.693147180369123816490,
                            ln2_low = 1.90821492927058770002e-10;
    static constexpr int bias = 1023, mantissa = 52, degree = 13;
    static constexpr double smallest = -708., negligible = 708.;
};

template <class T> constexpr int lanes = BYTES / sizeof(T);

// exp of a register: 2^n exp(rest), a Taylor series for |rest| <= ln(2)/2.
template <class T> inline typename Simd<T>::Vector exponential(typename Simd<T>::Vector x) {
    using S = Simd<T>;
    using Vector = typename S::Vector;
    using Integers = typename S::Integers;
    const Vector zero = {};
    const Vector shifted = x * T(1.44269504088896340736) + S::magic;
    const Vector n = shifted - S::magic;
    const Vector rest = (x - n * S::ln2_high) - n * S::ln2_low;
    T factorial = 1;
    for (int k = 2; k <= S::degree; ++k) factorial *= k;
    Vector sum = zero + 1 / factorial;
    for (int k = S::degree; k >= 1; --k) {
        factorial /= k;
        sum = sum * rest + 1 / factorial;
    }
    const Integers exponent = (Integers)shifted - (Integers)(zero + S::magic) + S::bias;
    const Vector power = (Vector)(exponent << S::mantissa);
    return x < S::smallest ? zero : sum * power;
}

template <class T> inline T total(typename Simd<T>::Vector v) {
    T sum = 0;
    for (int l = 0; l < lanes<T>; ++l) sum += v[l];
    return sum;
}

// mu and sigma in whole vectors, and what each vector covers. Lanes filled up have sigma = 0.
template <class T> struct Sensitivities {
    using Vector = typename Simd<T>::Vector;
    int number, blocks;
    std::vector<T> inverse_mu, sigma, low, high, narrowest;

    Sensitivities(int number, const T *mu, const T *sigma_)
        : number(number), blocks((number + lanes<T> - 1) / lanes<T>),
          inverse_mu(blocks * lanes<T>), sigma(blocks * lanes<T>), low(blocks), high(blocks),
          narrowest(blocks) {
        for (int b = 0; b < blocks; ++b) {
            low[b] = INFINITY, high[b] = -INFINITY, narrowest[b] = INFINITY;
            for (int k = b * lanes<T>; k < std::min(number, (b + 1) * lanes<T>); ++k) {
                inverse_mu[k] = 1 / mu[k], sigma[k] = sigma_[k];
                low[b] = std::min(low[b], inverse_mu[k]);
                high[b] = std::max(high[b], inverse_mu[k]);
                narrowest[b] = std::min(narrowest[b], std::abs(sigma[k]));
            }
        }
    }
    // Whether all Gaussians of a block vanish at this 1/r.
    bool vanish(int b, T inverse_r) const {
        const T t = narrowest[b] * std::max({low[b] - inverse_r, inverse_r - high[b], T(0)});
        return t * t > 2 * Simd<T>::negligible;
    }
    Vector inverse_mus(int b) const { return *(const Vector *)&inverse_mu[b * lanes<T>]; }
    Vector sigmas(int b) const { return *(const Vector *)&sigma[b * lanes<T>]; }
};

// One pair: distance, direction, cut-off and direction tensors.
template <class T, int C> struct Pair {
    T x, h[3], cutoff, slope, tensor[C];  // x = 1/r, slope = dC/dr

    void set(const T *d, T hard_max) {
        const T r = std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
        x = 1 / r;
        for (int a = 0; a < 3; ++a) h[a] = d[a] * x;
        const T angle = r * T(M_PI) / (2 * hard_max), inside = r <= hard_max;
        cutoff = inside * std::cos(angle) * std::cos(angle);
        slope = inside * -T(M_PI) / (2 * hard_max) * std::sin(2 * angle);
        tensor[0] = 1;
        if constexpr (C >= 4)
            for (int a = 0; a < 3; ++a) tensor[1 + a] = h[a];
        if constexpr (C == 9) {
            const T third = (h[0] * h[0] + h[1] * h[1] + h[2] * h[2]) / 3;
            tensor[4] = h[0] * h[0] - third, tensor[5] = h[0] * h[1], tensor[6] = h[0] * h[2];
            tensor[7] = h[1] * h[1] - third, tensor[8] = h[1] * h[2];
        }
    }
    // d(sum_c b_c T_c)/dh, up to a part along h, which turns no direction.
    void pull(const T *b, T *g) const {
        for (int a = 0; a < 3; ++a) g[a] = C >= 4 ? b[1 + a] : 0;
        if constexpr (C == 9) {
            g[0] += 2 * h[0] * b[4] + h[1] * b[5] + h[2] * b[6];
            g[1] += h[0] * b[5] + 2 * h[1] * b[7] + h[2] * b[8];
            g[2] += h[0] * b[6] + h[1] * b[8];
        }
    }
    // Change of T_c when h changes by dh, which is perpendicular to h.
    void push(const T *dh, T *change) const {
        change[0] = 0;
        if constexpr (C >= 4)
            for (int a = 0; a < 3; ++a) change[1 + a] = dh[a];
        if constexpr (C == 9) {
            change[4] = 2 * h[0] * dh[0], change[5] = h[0] * dh[1] + h[1] * dh[0];
            change[6] = h[0] * dh[2] + h[2] * dh[0];
            change[7] = 2 * h[1] * dh[1], change[8] = h[1] * dh[2] + h[2] * dh[1];
        }
    }
};

struct Shape {
    int64_t atoms, width;
    int elements, number;  // number of sensitivities
};

// Where env[i, c, a, :] starts.
template <int C> inline int64_t place(const Shape &s, int64_t i, int c, int a) {
    return ((i * C + c) * s.elements + a) * s.number;
}

// G[i, :, a, :] with every component's row filled up to whole vectors.
template <class T, int C>
void load(const Shape &s, const T *G, int64_t i, int a, int blocks, std::vector<T> &rows) {
    for (int c = 0; c < C; ++c)
        std::memcpy(&rows[c * blocks * lanes<T>], G + place<C>(s, i, c, a), s.number * sizeof(T));
}

template <class T, int C>
void forward(const Shape &s, const T *vectors, const int32_t *bounds, const T *mu, const T *sigma,
             T hard_max, int threads, T *env) {
    using Vector = typename Simd<T>::Vector;
    const Sensitivities<T> f(s.number, mu, sigma);
#pragma omp parallel num_threads(threads)
    {
        std::vector<Pair<T, C>> pairs(s.width);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < s.atoms; ++i)
            for (int a = 0; a < s.elements; ++a) {
                const int first = bounds[i * (s.elements + 1) + a];
                const int last = bounds[i * (s.elements + 1) + a + 1];
                for (int p = first; p < last; ++p)
                    pairs[p].set(vectors + (i * s.width + p) * 3, hard_max);
                for (int b = 0; b < f.blocks; ++b) {
                    const Vector inverse_mu = f.inverse_mus(b), sigmas = f.sigmas(b);
                    Vector sums[C] = {};
                    for (int p = first; p < last; ++p) {
                        if (pairs[p].cutoff == 0 || f.vanish(b, pairs[p].x)) continue;
                        const Vector t = sigmas * (pairs[p].x - inverse_mu);
                        const Vector e = exponential<T>(T(-0.5) * t * t) * pairs[p].cutoff;
                        for (int c = 0; c < C; ++c) sums[c] += pairs[p].tensor[c] * e;
                    }
                    const int filled = std::min(lanes<T>, s.number - b * lanes<T>);
                    for (int c = 0; c < C; ++c)
                        std::memcpy(env + place<C>(s, i, c, a) + b * lanes<T>, &sums[c],
                                    filled * sizeof(T));
                }
            }
    }
}

// Sums over threads of d/dmu and d/dsigma, in the threads' order, so that they are the same bits.
template <class T>
void gather(const Sensitivities<T> &f, const std::vector<std::vector<T>> &parts, T *dmu, T *dsigma) {
    const int padded = f.blocks * lanes<T>;
    for (int k = 0; k < f.number; ++k) {
        double m = 0, q = 0;
        for (const auto &part : parts)
            if (!part.empty()) m += part[k], q += part[padded + k];
        dmu[k] = m * f.inverse_mu[k] * f.inverse_mu[k], dsigma[k] = q;
    }
}

// From G = dL/d(env): dL/d(vectors), dL/dmu and dL/dsigma.
template <class T, int C>
void backward(const Shape &s, const T *vectors, const int32_t *bounds, const T *mu, const T *sigma,
              T hard_max, const T *G, int threads, T *dvectors, T *dmu, T *dsigma) {
    using Vector = typename Simd<T>::Vector;
    const Sensitivities<T> f(s.number, mu, sigma);
    const int padded = f.blocks * lanes<T>;
    std::vector<std::vector<T>> parts(threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int part = 0; part < threads; ++part) {
        std::vector<T> &changes = parts[part];
        changes.assign(2 * padded, 0);
        std::vector<T> rows(C * padded, 0);
        const int64_t begin = s.atoms * part / threads, end = s.atoms * (part + 1) / threads;
        for (int64_t i = begin; i < end; ++i) {
            for (int a = 0; a < s.elements; ++a) {
                const int first = bounds[i * (s.elements + 1) + a];
                const int last = bounds[i * (s.elements + 1) + a + 1];
                if (first == last) continue;
                load<T, C>(s, G, i, a, f.blocks, rows);
                for (int p = first; p < last; ++p) {
                    Pair<T, C> pair;
                    pair.set(vectors + (i * s.width + p) * 3, hard_max);
                    if (pair.cutoff == 0) {  // in the skin of a Verlet list
                        std::fill_n(dvectors + (i * s.width + p) * 3, 3, T(0));
                        continue;
                    }
                    Vector sums[C] = {}, steep = {};
                    for (int b = 0; b < f.blocks; ++b) {
                        if (f.vanish(b, pair.x)) continue;
                        const Vector sigmas = f.sigmas(b), u = pair.x - f.inverse_mus(b);
                        const Vector t = sigmas * u, e = exponential<T>(T(-0.5) * t * t);
                        Vector H = {};
                        for (int c = 0; c < C; ++c) {
                            const Vector g = *(const Vector *)&rows[c * padded + b * lanes<T>];
                            H += pair.tensor[c] * g;
                            sums[c] += e * g;
                        }
                        const Vector eH = e * H, ewH = eH * t * sigmas, scaled = pair.cutoff * eH;
                        steep += ewH;
                        *(Vector *)&changes[b * lanes<T>] -= scaled * t * sigmas;
                        *(Vector *)&changes[padded + b * lanes<T>] -= scaled * t * u;
                    }
                    T b[C], along = 0, g[3];
                    for (int c = 0; c < C; ++c) b[c] = total<T>(sums[c]);
                    for (int c = 0; c < C; ++c) along += pair.tensor[c] * b[c];
                    along = pair.slope * along + pair.cutoff * pair.x * pair.x * total<T>(steep);
                    pair.pull(b, g);
                    const T radial = g[0] * pair.h[0] + g[1] * pair.h[1] + g[2] * pair.h[2];
                    for (int k = 0; k < 3; ++k)
                        dvectors[(i * s.width + p) * 3 + k] =
                            along * pair.h[k] +
                            pair.cutoff * pair.x * (g[k] - radial * pair.h[k]);
                }
            }
            const int last = bounds[i * (s.elements + 1) + s.elements];
            std::fill(dvectors + (i * s.width + last) * 3, dvectors + (i + 1) * s.width * 3, T(0));
        }
    }
    gather(f, parts, dmu, dsigma);
}

// With v given beside G, of <v, d<G, env>/d(vectors)>: the derivatives by G, which are the change
// of env along v, and by mu and sigma.
template <class T, int C>
void along(const Shape &s, const T *vectors, const int32_t *bounds, const T *mu, const T *sigma,
           T hard_max, const T *G, const T *v, int threads, T *dG, T *dmu, T *dsigma) {
    using Vector = typename Simd<T>::Vector;
    struct Change {
        T x, alpha[C], beta[C];  // the change of T C e is e (alpha + beta sigma^2 u)
    };
    const Sensitivities<T> f(s.number, mu, sigma);
    const int padded = f.blocks * lanes<T>;
    std::vector<std::vector<T>> parts(threads);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int part = 0; part < threads; ++part) {
        std::vector<T> &changes = parts[part];
        changes.assign(2 * padded, 0);
        std::vector<T> rows(C * padded, 0);
        std::vector<Change> pairs(s.width);
        const int64_t begin = s.atoms * part / threads, end = s.atoms * (part + 1) / threads;
        for (int64_t i = begin; i < end; ++i)
            for (int a = 0; a < s.elements; ++a) {
                const int first = bounds[i * (s.elements + 1) + a];
                const int last = bounds[i * (s.elements + 1) + a + 1];
                load<T, C>(s, G, i, a, f.blocks, rows);
                for (int p = first; p < last; ++p) {
                    const T *w = v + (i * s.width + p) * 3;
                    Pair<T, C> pair;
                    pair.set(vectors + (i * s.width + p) * 3, hard_max);
                    const T dr = w[0] * pair.h[0] + w[1] * pair.h[1] + w[2] * pair.h[2];
                    T dh[3], change[C];
                    for (int k = 0; k < 3; ++k) dh[k] = (w[k] - dr * pair.h[k]) * pair.x;
                    pair.push(dh, change);
                    pairs[p].x = pair.x;
                    for (int c = 0; c < C; ++c) {
                        pairs[p].alpha[c] =
                            pair.cutoff * change[c] + pair.slope * dr * pair.tensor[c];
                        pairs[p].beta[c] = pair.cutoff * pair.x * pair.x * dr * pair.tensor[c];
                    }
                }
                for (int b = 0; b < f.blocks; ++b) {
                    const Vector inverse_mu = f.inverse_mus(b), sigmas = f.sigmas(b);
                    Vector sums[C] = {}, g[C], by_mu = {}, by_sigma = {};
                    for (int c = 0; c < C; ++c)
                        g[c] = *(const Vector *)&rows[c * padded + b * lanes<T>];
                    for (int p = first; p < last; ++p) {
                        const Change &pair = pairs[p];
                        if (f.vanish(b, pair.x)) continue;
                        const Vector u = pair.x - inverse_mu, t = sigmas * u;
                        const Vector e = exponential<T>(T(-0.5) * t * t), w = t * sigmas;
                        const Vector ew = e * w;
                        Vector A = {}, B = {};
                        for (int c = 0; c < C; ++c) {
                            sums[c] += pair.alpha[c] * e + pair.beta[c] * ew;
                            A += pair.alpha[c] * g[c];
                            B += pair.beta[c] * g[c];
                        }
                        const Vector whole = A + w * B;
                        by_mu += e * (sigmas * sigmas * B - w * whole);
                        by_sigma += e * u * (2 * sigmas * B - t * whole);
                    }
                    *(Vector *)&changes[b * lanes<T>] += by_mu;
                    *(Vector *)&changes[padded + b * lanes<T>] += by_sigma;
                    const int filled = std::min(lanes<T>, s.number - b * lanes<T>);
                    for (int c = 0; c < C; ++c)
                        std::memcpy(dG + place<C>(s, i, c, a) + b * lanes<T>, &sums[c],
                                    filled * sizeof(T));
                }
            }
    }
    gather(f, parts, dmu, dsigma);
}

}  // namespace

#define FOR_EACH_ORDER(FUNCTION, ...)                                                              \
    switch (components) {                                                                          \
    case 1: return FUNCTION<T, 1>(__VA_ARGS__);                                                    \
    case 4: return FUNCTION<T, 4>(__VA_ARGS__);                                                    \
    case 9: return FUNCTION<T, 9>(__VA_ARGS__);                                                    \
    }

#define EXPORT(SUFFIX, TYPE)                                                                       \
    extern "C" void environment_##SUFFIX(int64_t atoms, int64_t width, int elements, int number,   \
                                         int components, const TYPE *vectors,                      \
                                         const int32_t *bounds, const TYPE *mu,                    \
                                         const TYPE *sigma, double hard_max, int threads,          \
                                         TYPE *env) {                                              \
        using T = TYPE;                                                                            \
        const Shape s{atoms, width, elements, number};                                             \
        FOR_EACH_ORDER(forward, s, vectors, bounds, mu, sigma, T(hard_max), threads, env)          \
    }                                                                                              \
    extern "C" void environment_backward_##SUFFIX(                                                 \
        int64_t atoms, int64_t width, int elements, int number, int components,                    \
        const TYPE *vectors, const int32_t *bounds, const TYPE *mu, const TYPE *sigma,             \
        double hard_max, const TYPE *G, int threads, TYPE *dvectors, TYPE *dmu, TYPE *dsigma) {    \
        using T = TYPE;                                                                            \
        const Shape s{atoms, width, elements, number};                                             \
        FOR_EACH_ORDER(backward, s, vectors, bounds, mu, sigma, T(hard_max), G, threads, dvectors, \
                       dmu, dsigma)                                                                \
    }                                                                                              \
    extern "C" void environment_along_##SUFFIX(                                                    \
        int64_t atoms, int64_t width, int elements, int number, int components,                    \
        const TYPE *vectors, const int32_t *bounds, const TYPE *mu, const TYPE *sigma,             \
        double hard_max, const TYPE *G, const TYPE *v, int threads, TYPE *dG, TYPE *dmu,           \
        TYPE *dsigma) {                                                                            \
        using T = TYPE;                                                                            \
        const Shape s{atoms, width, elements, number};                                             \
        FOR_EACH_ORDER(along, s, vectors, bounds, mu, sigma, T(hard_max), G, v, threads, dG, dmu,  \
                       dsigma)                                                                     \
    }

EXPORT(float, float)
EXPORT(double, double)
