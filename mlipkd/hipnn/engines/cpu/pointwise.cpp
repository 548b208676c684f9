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

// Of x + bias in place: the softplus; its derivative goes to slope. Each kind of atom has a bias.
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

// l = s l + (1 - s) h g, in place: the adjoint of the activation plus that of its tangent.
template <class T>
void adjoint(int64_t number, const T *__restrict s, const T *__restrict h, const T *__restrict g,
             int64_t threads, T *__restrict l) {
#pragma omp parallel for simd num_threads(threads) schedule(static)
    for (int64_t n = 0; n < number; ++n) l[n] = s[n] * l[n] + (1 - s[n]) * h[n] * g[n];
}

// The tensors of an atom for a register of features, and the products that their norms are made of.
// The traceless tensor has five entries: xx, xy, xz, yy, yz.
template <class T, int C> struct Tensors {
    Vector<T> c[C];

    Tensors(const T *A, int64_t features, int64_t filled) {
        for (int k = 0; k < C; ++k) c[k] = load(A + k * features, filled);
    }
    void write(T *A, int64_t features, int64_t filled) const {
        for (int k = 0; k < C; ++k) store<T>(c[k], A + k * features, filled);
    }
    Vector<T> vectors(const Tensors &b) const {
        return c[1] * b.c[1] + c[2] * b.c[2] + c[3] * b.c[3];
    }
    Vector<T> tensors(const Tensors &b) const {
        return 2 * (c[4] * b.c[4] + c[5] * b.c[5] + c[6] * b.c[6] + c[7] * b.c[7] + c[8] * b.c[8]) +
               c[4] * b.c[7] + c[7] * b.c[4];
    }
    // Entry k of half the derivative of the tensor's product with itself.
    Vector<T> slope(int k) const {
        return 2 * c[k] + (k == 4 ? c[7] : k == 7 ? c[4] : Vector<T>{});
    }
};

template <class T> struct Layer {
    int64_t members, atoms, features;
    const T *A, *tau1, *tau2;  // (members, atoms, C, features), (members, features) twice
    T cusp;

    // Calls body(row, first feature, how many, place in tau) for every register of rows [from, to).
    template <class Body> void each(int64_t from, int64_t to, Body body) const {
        for (int64_t row = from; row < to; ++row)
            for (int64_t f = 0; f < features; f += lanes<T>)
                body(row, f, std::min<int64_t>(lanes<T>, features - f),
                     row / atoms * features + f);
    }
};

// out = A_0 + tau1 |A_vector| + tau2 |A_tensor|
template <class T, int C> void norms(const Layer<T> &s, int64_t threads, T *out) {
    const int64_t rows = s.members * s.atoms;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; ++part)
        s.each(rows * part / threads, rows * (part + 1) / threads,
               [&](int64_t row, int64_t f, int64_t filled, int64_t place) {
                   const Tensors<T, C> a(s.A + row * C * s.features + f, s.features, filled);
                   Vector<T> sum = a.c[0];
                   sum += load(s.tau1 + place, filled) * root<T>(a.vectors(a) + s.cusp);
                   if constexpr (C == 9)
                       sum += load(s.tau2 + place, filled) * root<T>(a.tensors(a) + s.cusp);
                   store<T>(sum, out + row * s.features + f, filled);
               });
}

// Sums over the atoms of each member's derivatives with respect to tau1 and tau2, of one thread; whole
// registers are added, so there is room for one more at the end.
template <class T> struct TauSums {
    int64_t number;
    std::vector<T> values;

    explicit TauSums(int64_t number) : number(number), values(2 * number + lanes<T>, 0) {}
    void add(int which, int64_t place, int64_t filled, Vector<T> v) {
        T *at_place = values.data() + which * number + place;
        store<T>(load(at_place, filled) + v, at_place, filled);
    }
};
template <class T>
void gather(const std::vector<TauSums<T>> &parts, int64_t number, T *dtau1, T *dtau2) {
    for (int64_t n = 0; n < number; ++n) {
        dtau1[n] = dtau2[n] = 0;
        for (const auto &part : parts)
            dtau1[n] += part.values[n], dtau2[n] += part.values[number + n];
    }
}

// From g = dL/d(out): dL/dA; and dL/dtau1, dL/dtau2, unless they are null.
template <class T, int C, bool WEIGHTS>
void norms_backward(const Layer<T> &s, const T *g, int64_t threads, T *dA, T *dtau1, T *dtau2) {
    const int64_t rows = s.members * s.atoms, number = s.members * s.features;
    std::vector<TauSums<T>> parts(threads, TauSums<T>(number));
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; ++part)
        s.each(rows * part / threads, rows * (part + 1) / threads,
               [&](int64_t row, int64_t f, int64_t filled, int64_t place) {
                   Tensors<T, C> a(s.A + row * C * s.features + f, s.features, filled);
                   const Vector<T> out = load(g + row * s.features + f, filled);
                   const Vector<T> norm1 = root<T>(a.vectors(a) + s.cusp);
                   const Vector<T> factor1 = out * load(s.tau1 + place, filled) / norm1;
                   if constexpr (WEIGHTS) parts[part].add(0, place, filled, out * norm1);
                   if constexpr (C == 9) {
                       const Vector<T> norm2 = root<T>(a.tensors(a) + s.cusp);
                       const Vector<T> factor2 = out * load(s.tau2 + place, filled) / norm2;
                       if constexpr (WEIGHTS) parts[part].add(1, place, filled, out * norm2);
                       const Vector<T> first = factor2 * a.slope(4), last = factor2 * a.slope(7);
                       for (int k : {5, 6, 8}) a.c[k] = factor2 * a.slope(k);
                       a.c[4] = first, a.c[7] = last;
                   }
                   a.c[0] = out;
                   for (int k = 1; k < 4; ++k) a.c[k] *= factor1;
                   a.write(dA + row * C * s.features + f, s.features, filled);
               });
    if constexpr (WEIGHTS) gather(parts, number, dtau1, dtau2);
}

// Of <u, dL/dA>: the derivatives with respect to g, A, tau1 and tau2.
template <class T, int C>
void norms_along(const Layer<T> &s, const T *g, const T *U, int64_t threads, T *dg, T *dA,
                 T *dtau1, T *dtau2) {
    const int64_t rows = s.members * s.atoms, number = s.members * s.features;
    std::vector<TauSums<T>> parts(threads, TauSums<T>(number));
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; ++part)
        s.each(rows * part / threads, rows * (part + 1) / threads,
               [&](int64_t row, int64_t f, int64_t filled, int64_t place) {
                   const int64_t start = row * C * s.features + f;
                   const Tensors<T, C> a(s.A + start, s.features, filled);
                   Tensors<T, C> u(U + start, s.features, filled);
                   const Vector<T> out = load(g + row * s.features + f, filled);
                   const Vector<T> tau1 = load(s.tau1 + place, filled);
                   const Vector<T> inverse1 = 1 / root<T>(a.vectors(a) + s.cusp);
                   const Vector<T> cosine1 = u.vectors(a) * inverse1;
                   parts[part].add(0, place, filled, out * cosine1);
                   Vector<T> sum = u.c[0] + tau1 * cosine1;
                   const Vector<T> factor1 = out * tau1 * inverse1, less1 = cosine1 * inverse1;
                   if constexpr (C == 9) {
                       const Vector<T> tau2 = load(s.tau2 + place, filled);
                       const Vector<T> inverse2 = 1 / root<T>(a.tensors(a) + s.cusp);
                       const Vector<T> cosine2 = u.tensors(a) * inverse2;
                       parts[part].add(1, place, filled, out * cosine2);
                       sum += tau2 * cosine2;
                       const Vector<T> factor2 = out * tau2 * inverse2, less2 = cosine2 * inverse2;
                       const Vector<T> first = factor2 * (u.slope(4) - less2 * a.slope(4));
                       const Vector<T> last = factor2 * (u.slope(7) - less2 * a.slope(7));
                       for (int k : {5, 6, 8})
                           u.c[k] = factor2 * (u.slope(k) - less2 * a.slope(k));
                       u.c[4] = first, u.c[7] = last;
                   }
                   u.c[0] = Vector<T>{};
                   for (int k = 1; k < 4; ++k) u.c[k] = factor1 * (u.c[k] - less1 * a.c[k]);
                   u.write(dA + start, s.features, filled);
                   store<T>(sum, dg + row * s.features + f, filled);
               });
    gather(parts, number, dtau1, dtau2);
}

// F_i = sum_j (g_ij - g_ji), from g (members, atoms, width, 3)
template <class T>
void forces(int64_t members, int64_t atoms, int64_t width, const T *g, const int64_t *reverse,
            int64_t threads, T *F) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t row = 0; row < members * atoms; ++row) {
        const T *member = g + row / atoms * atoms * width * 3, *sent = g + row * width * 3;
        const int64_t *back = reverse + row % atoms * width;
        T sum[3] = {};
        for (int64_t p = 0; p < width; ++p)
            for (int a = 0; a < 3; ++a) sum[a] += sent[3 * p + a] - member[3 * back[p] + a];
        for (int a = 0; a < 3; ++a) F[3 * row + a] = sum[a];
    }
}

// Its derivative: dg_ij = v_i - v_j
template <class T>
void forces_backward(int64_t members, int64_t atoms, int64_t width, const T *v,
                     const int64_t *senders, int64_t threads, T *dg) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t row = 0; row < members * atoms; ++row) {
        const T *member = v + row / atoms * atoms * 3, *receiver = v + row * 3;
        const int64_t *from = senders + row % atoms * width;
        T *out = dg + row * width * 3;
        for (int64_t p = 0; p < width; ++p)
            for (int a = 0; a < 3; ++a) out[3 * p + a] = receiver[a] - member[3 * from[p] + a];
    }
}

}  // namespace

#define LAYER(TYPE)                                                                                \
    int64_t members, int64_t atoms, int64_t features, int64_t components, const TYPE *A,           \
        const TYPE *tau1, const TYPE *tau2, double cusp

#define EXPORT(SUFFIX, T)                                                                          \
    extern "C" void activate_##SUFFIX(int64_t members, int64_t atoms, int64_t features,            \
                                      int64_t kinds, const int64_t *kind, const T *bias,           \
                                      int64_t threads, T *x, T *slope) {                           \
        activate<T>(members, atoms, features, kinds, kind, bias, threads, x, slope);               \
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
        auto chosen = dtau1 ? components == 4 ? norms_backward<T, 4, true>                         \
                                              : norms_backward<T, 9, true>                         \
                      : components == 4 ? norms_backward<T, 4, false>                              \
                                        : norms_backward<T, 9, false>;                             \
        chosen(s, g, threads, dA, dtau1, dtau2);                                                   \
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
