// What the kernels share: registers of numbers, and the geometry and Gaussians of pairs.
//
// One atom's pairs are worked on a whole register at a time, one pair in each lane. They come sorted
// by distance (nearly so, if a list has a skin), so the pairs of a register feel the same few
// sensitivities; the others vanish for all of them and are left out. Nothing of the size pairs x
// sensitivities is ever stored, not for derivatives either: they make the Gaussians again.

#pragma once

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
    static constexpr float magic = 12582912.f;  // added and taken off, it rounds to an integer
    static constexpr int bias = 127, mantissa = 23;
    static constexpr float lowest = -126.f;    // 2^x of less is subnormal
    static constexpr float negligible = 25.f;  // exp(-25) is far below the rounding of a sum
    // 2^f for |f| <= 1/2: the polynomial that meets it at Chebyshev's nodes, to 3e-9
    static constexpr float power[] = {1.f,           6.931472067e-1f, 2.402265092e-1f,
                                      5.550327227e-2f, 9.618056678e-3f, 1.340042818e-3f,
                                      1.546144472e-4f};
    static constexpr int trigonometric = 6;  // terms of the series of sine and cosine
};
template <> struct Simd<double> {
    typedef double Vector __attribute__((vector_size(BYTES), aligned(8)));
    typedef int64_t Integers __attribute__((vector_size(BYTES)));
    static constexpr double magic = 6755399441055744.;
    static constexpr int bias = 1023, mantissa = 52;
    static constexpr double lowest = -1022., negligible = 708.;
    // ln(2)^k / k!
    static constexpr double power[] = {1.,
                                       6.931471805599453094e-1,
                                       2.402265069591007123e-1,
                                       5.550410866482157995e-2,
                                       9.618129107628477162e-3,
                                       1.333355814642844343e-3,
                                       1.540353039338160995e-4,
                                       1.525273380405984028e-5,
                                       1.321548679014430949e-6,
                                       1.017808600923969973e-7,
                                       7.054911620801123330e-9,
                                       4.445538271870811498e-10,
                                       2.567843599348820514e-11,
                                       1.369148885390412889e-12};
    static constexpr int trigonometric = 11;
};

template <class T> using Vector = typename Simd<T>::Vector;
template <class T> constexpr int lanes = BYTES / sizeof(T);

template <class T> inline Vector<T> &at(T *p) { return *(Vector<T> *)p; }
template <class T> inline const Vector<T> &at(const T *p) { return *(const Vector<T> *)p; }

// 2^x for x <= 0; what would be subnormal is about 1e-38, which adds nothing to any sum.
template <class T> inline Vector<T> power_of_two(Vector<T> x) {
    using S = Simd<T>;
    using Integers = typename S::Integers;
    constexpr int degree = sizeof(S::power) / sizeof(T) - 1;
    const Vector<T> none = {};
    x = x < S::lowest ? none + S::lowest : x;
    const Vector<T> shifted = x + S::magic, fraction = x - (shifted - S::magic);
    Vector<T> sum = none + S::power[degree];
    for (int k = degree - 1; k >= 0; --k) sum = sum * fraction + S::power[k];
    const Integers exponent = (Integers)shifted - (Integers)(none + S::magic) + S::bias;
    return sum * (Vector<T>)(exponent << S::mantissa);
}

// sin(y) and cos(y) for 0 <= y <= pi/2
template <class T> inline void sine_cosine(Vector<T> y, Vector<T> &sine, Vector<T> &cosine) {
    constexpr int terms = Simd<T>::trigonometric;
    const Vector<T> none = {}, square = y * y;
    Vector<T> s = none + 1, c = none + 1;
    for (int k = terms; k >= 1; --k) {
        s = 1 - s * square * T(1. / (2 * k * (2 * k + 1)));
        c = 1 - c * square * T(1. / ((2 * k - 1) * 2 * k));
    }
    sine = s * y, cosine = c;
}

// Sum, least and greatest of the lanes of a register in memory.
template <class T> inline T total(const T *v) {
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int l = 0; l < lanes<T>; ++l) sum += v[l];
    return sum;
}
template <class T> inline void range(const T *v, T &least, T &greatest) {
    T low = v[0], high = v[0];
#pragma omp simd reduction(min : low) reduction(max : high)
    for (int l = 0; l < lanes<T>; ++l) low = std::min(low, v[l]), high = std::max(high, v[l]);
    least = low, greatest = high;
}

// Some numbers as a register, the other lanes zero; and back.
template <class T> inline Vector<T> load(const T *from, int64_t filled) {
    if (filled >= lanes<T>) return at(from);
    T whole[lanes<T>] = {};
    std::copy_n(from, filled, whole);
    return at(whole);
}
template <class T> inline void store(Vector<T> v, T *to, int64_t filled) {
    if (filled >= lanes<T>) {
        at(to) = v;
        return;
    }
    T whole[lanes<T>];
    at(whole) = v;
    std::copy_n(whole, filled, to);
}
template <class T> inline Vector<T> root(Vector<T> v) {
    T whole[lanes<T>];
    at(whole) = v;
    for (int l = 0; l < lanes<T>; ++l) whole[l] = std::sqrt(whole[l]);
    return at(whole);
}

// Three numbers of each lane, from one after the other to a register each, and back.
template <class T> inline void split_lanes(const T *from, int filled, T (*to)[lanes<T>]) {
    T whole[3 * lanes<T>];
    if (filled < lanes<T>) {  // lanes filled up repeat the last
        std::memcpy(whole, from, 3 * filled * sizeof(T));
        for (int n = 3 * filled; n < 3 * lanes<T>; ++n) whole[n] = whole[n - 3];
        from = whole;
    }
    for (int l = 0; l < lanes<T>; ++l)
        for (int a = 0; a < 3; ++a) to[a][l] = from[3 * l + a];
}
template <class T> inline void join_lanes(const T (*from)[lanes<T>], int filled, T *to) {
    T whole[3 * lanes<T>], *out = filled < lanes<T> ? whole : to;
    for (int l = 0; l < lanes<T>; ++l)
        for (int a = 0; a < 3; ++a) out[3 * l + a] = from[a][l];
    if (filled < lanes<T>) std::memcpy(to, whole, 3 * filled * sizeof(T));
}

// The geometry of one atom's pairs, in groups of a register each, and its derivatives.
template <class T, int C> struct Row {
    struct Group {
        Vector<T> x, r, h[3];     // x = 1/r, h = d/r
        Vector<T> cutoff, slope;  // C(r) = cos^2(pi r / 2R) and dC/dr
        Vector<T> tensor[C];      // T_c(h), without the cut-off
        T nearest, farthest;      // of the 1/r
    };
    std::vector<Group> groups;
    int used = 0;

    // From the vectors of `count` pairs. Lanes filled up repeat the last pair, with cut-off zero.
    void set(const T *vectors, int count, T hard_max) {
        used = (count + lanes<T> - 1) / lanes<T>;
        if (int(groups.size()) < used) groups.resize(used);
        for (int n = 0; n < used; ++n) set(groups[n], vectors + 3 * n * lanes<T>,
                                           std::min(lanes<T>, count - n * lanes<T>), hard_max);
    }

    static void set(Group &g, const T *vectors, int filled, T hard_max) {
        T d[3][lanes<T>], distances[lanes<T>], inverse[lanes<T>];
        split_lanes(vectors, filled, d);
        for (int l = 0; l < lanes<T>; ++l) {
            distances[l] = std::sqrt(d[0][l] * d[0][l] + d[1][l] * d[1][l] + d[2][l] * d[2][l]);
            inverse[l] = 1 / distances[l];
        }
        range(inverse, g.farthest, g.nearest);
        g.r = at(distances), g.x = at(inverse);
        const Vector<T> none = {};
        if (g.nearest * hard_max < 1) {  // all in the skin of a list: they feel nothing
            g.nearest = 0, g.cutoff = g.slope = none;
            for (int c = 0; c < C; ++c) g.tensor[c] = none;
            return;
        }
        for (int a = 0; a < 3; ++a) g.h[a] = at(d[a]) * g.x;
        Vector<T> sine, cosine, y = T(M_PI / 2) - g.r * (T(M_PI / 2) / hard_max);
        y = g.r <= hard_max ? y : none;
        sine_cosine<T>(y, sine, cosine);
        g.cutoff = sine * sine;
        g.slope = sine * cosine * (-T(M_PI) / hard_max);
        for (int l = filled; l < lanes<T>; ++l) g.cutoff[l] = 0, g.slope[l] = 0;
        g.tensor[0] = none + 1;
        if constexpr (C >= 4)
            for (int a = 0; a < 3; ++a) g.tensor[1 + a] = g.h[a];
        if constexpr (C == 9) {
            const Vector<T> third = (g.h[0] * g.h[0] + g.h[1] * g.h[1] + g.h[2] * g.h[2]) / 3;
            g.tensor[4] = g.h[0] * g.h[0] - third, g.tensor[5] = g.h[0] * g.h[1];
            g.tensor[6] = g.h[0] * g.h[2], g.tensor[7] = g.h[1] * g.h[1] - third;
            g.tensor[8] = g.h[1] * g.h[2];
        }
    }

    // d(energy)/d(vectors) of a group: along h it is `radial`; b_c are those by T_c.
    static void pull(const Group &g, Vector<T> radial, const Vector<T> *b, T *dvectors,
                     int filled) {
        Vector<T> q[3] = {};
        if constexpr (C >= 4)
            for (int a = 0; a < 3; ++a) q[a] = b[1 + a];
        if constexpr (C == 9) {
            q[0] += 2 * g.h[0] * b[4] + g.h[1] * b[5] + g.h[2] * b[6];
            q[1] += g.h[0] * b[5] + 2 * g.h[1] * b[7] + g.h[2] * b[8];
            q[2] += g.h[0] * b[6] + g.h[1] * b[8];
        }
        const Vector<T> along = q[0] * g.h[0] + q[1] * g.h[1] + q[2] * g.h[2];
        T d[3][lanes<T>];
        for (int a = 0; a < 3; ++a) at(d[a]) = radial * g.h[a] + g.x * (q[a] - along * g.h[a]);
        join_lanes(d, filled, dvectors);
    }

    // Change of r and of T_c when the vectors change by v.
    static void push(const Group &g, const T *v, int filled, Vector<T> &dr, Vector<T> *change) {
        T whole[3][lanes<T>];
        split_lanes(v, filled, whole);
        const Vector<T> w[3] = {at(whole[0]), at(whole[1]), at(whole[2])};
        dr = w[0] * g.h[0] + w[1] * g.h[1] + w[2] * g.h[2];
        change[0] = w[0] * 0;
        if constexpr (C >= 4) {
            Vector<T> dh[3];
            for (int a = 0; a < 3; ++a) dh[a] = change[1 + a] = (w[a] - dr * g.h[a]) * g.x;
            if constexpr (C == 9) {
                change[4] = 2 * g.h[0] * dh[0], change[5] = g.h[0] * dh[1] + g.h[1] * dh[0];
                change[6] = g.h[0] * dh[2] + g.h[2] * dh[0];
                change[7] = 2 * g.h[1] * dh[1], change[8] = g.h[1] * dh[2] + g.h[2] * dh[1];
            }
        }
    }
};

// mu and sigma of one member, and which of its sensitivities a group of pairs feels.
template <class T> struct Sensitivities {
    int number;
    std::vector<T> inverse_mu, sigma, scaled;  // scaled^2 = sigma^2 log2(e) / 2
    std::vector<T> low, high;                  // of the 1/r where it does not vanish

    Sensitivities(int number, const T *mu, const T *sigma_)
        : number(number), inverse_mu(number), sigma(sigma_, sigma_ + number), scaled(number),
          low(number), high(number) {
        for (int k = 0; k < number; ++k) {
            const T reach = std::sqrt(2 * Simd<T>::negligible) / std::abs(sigma[k]);
            inverse_mu[k] = 1 / mu[k];
            scaled[k] = sigma[k] * T(0.84932180028801904272);
            low[k] = inverse_mu[k] - reach, high[k] = inverse_mu[k] + reach;
        }
    }
    // The first sensitivity that does not vanish and the one after the last: [first, last).
    template <class Group> void felt(const Group &g, int &first, int &last) const {
        const T nearest = g.nearest, farthest = g.farthest, *lows = low.data(), *highs = high.data();
        int from = number, to = 0;
        if (nearest == 0) {
            first = last = 0;
            return;
        }
#pragma omp simd reduction(min : from) reduction(max : to)
        for (int k = 0; k < number; ++k) {
            const bool feels = (nearest >= lows[k]) & (farthest <= highs[k]);
            from = std::min(from, feels ? k : number), to = std::max(to, feels ? k + 1 : 0);
        }
        first = from, last = std::max(from, to);
    }
    // exp(-t^2/2), t = sigma (1/r - 1/mu)
    Vector<T> gaussian(int k, Vector<T> x) const {
        const Vector<T> t = (x - inverse_mu[k]) * scaled[k];
        return power_of_two<T>(-t * t);
    }
};

// Derivatives by mu and sigma of all threads and members, a register each, added in order.
template <class T> struct Changes {
    int members, number;
    std::vector<std::vector<T>> parts;

    Changes(int threads, int members, int number)
        : members(members), number(number), parts(threads) {}
    // One thread's registers: those by mu of member m start at m * 2 * number, then those by sigma.
    T *start(int part) {
        parts[part].assign(size_t(members) * 2 * number * lanes<T>, 0);
        return parts[part].data();
    }
    void gather(const std::vector<Sensitivities<T>> &f, T *dmu, T *dsigma) const {
        for (int m = 0; m < members; ++m)
            for (int k = 0; k < number; ++k) {
                double by_mu = 0, by_sigma = 0;
                for (const auto &part : parts) {
                    const T *row = part.data() + (m * 2 * number + k) * lanes<T>;
                    by_mu += total(row);
                    by_sigma += total(row + number * lanes<T>);
                }
                const T inverse = f[m].inverse_mu[k];
                dmu[m * number + k] = by_mu * inverse * inverse;
                dsigma[m * number + k] = by_sigma;
            }
    }
};

template <class T>
std::vector<Sensitivities<T>> all_members(int members, int number, const T *mu, const T *sigma) {
    std::vector<Sensitivities<T>> all;
    for (int m = 0; m < members; ++m) all.emplace_back(number, mu + m * number, sigma + m * number);
    return all;
}

}  // namespace

// An exported function of numbers T and any order of tensors: 1, 4 or 9 components.
#define FOR_EACH_ORDER(FUNCTION, ...)                                                              \
    switch (components) {                                                                          \
    case 1: return FUNCTION<T, 1>(__VA_ARGS__);                                                    \
    case 4: return FUNCTION<T, 4>(__VA_ARGS__);                                                    \
    case 9: return FUNCTION<T, 9>(__VA_ARGS__);                                                    \
    }
