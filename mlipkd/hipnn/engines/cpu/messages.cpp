// Messages between atoms with many features, and their derivatives:
//
//     out[m,i,c,f] = sum over neighbours j   T_c(h) C(r) sum_k exp(-t_k^2/2) Q[m,j,k,f]
//
// with the symbols of environment.cpp and Q what atom j has to say to each sensitivity.
//
// In the derivatives an atom is the sender to its neighbours: so Q and dL/dQ, the large
// arrays, are read and written once, and nothing is scattered. (Pairs have a reverse: whoever sends
// to an atom also receives from it. Seen from there, the vector points the other way.)
//
// Vectors are (atoms, width, 3), Q is (members, atoms, number, features) and `out` (members, atoms,
// components, features). The number of features is a multiple of 16, so of a register.

#include "messages.h"

namespace {

template <class T, int C>
void forward(const Shape &s, const T *vectors, const int64_t *senders, const int32_t *bounds,
             const T *mu, const T *sigma, const T *Q, T hard_max, int threads, T *out) {
    const auto all = all_members(s.members, s.number, mu, sigma);
    const int F = s.features;
    const int64_t stride = s.stride<T>();
#pragma omp parallel num_threads(threads)
    {
        Star<T, C> star(s.width);
        Gaussians<T> felt(s.number, stride);
        Buffer<T> weights(C * stride), messages(stride * F);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < s.atoms; ++i) {
            star.set(vectors + i * s.width * 3, s.pairs(bounds, i), 1, hard_max);
            const int64_t sent_share = share<T>(s.number * F, star.count);
            star.weigh(weights, stride);
            for (int m = 0; m < s.members; ++m) {
                felt.set(all[m], star);
                for (int p = 0; p < star.count; ++p) {
                    fetch(Q + s.sent(m, s.later(i, AHEAD)), sent_share, p);
                    const int64_t j = senders[i * s.width + star.slots[p]];
                    const int from = felt.from[p / BLOCK], to = felt.to[p / BLOCK];
                    products<1, 8>(F, to - from, {felt.e + from * stride + p, stride, 0},
                                   Q + s.sent(m, j) + from * F, F, messages + p * F, F);
                }
                for_components<C, false, T>(F, star.count, {weights, 1, stride}, messages,
                                            out + s.received<C>(m, i));
            }
        }
    }
}

// g[f] = sum over c of weight_c G[c, f], and b_c = sum over f of G[c, f] message[f]. The components
// from FIRST on, no more than have room in registers; g has the sum of those before.
template <int C, int FIRST = 0, class T>
inline void pull_one(int F, const T *weights, int64_t stride, const T *G, const T *message, T *g,
                     T *b) {
    constexpr int N = std::min(C - FIRST, FIRST == 0 ? 5 : 4);
    Vector<T> weight[N], by[5];
    for (int c = 0; c < N; ++c) weight[c] = weights[(FIRST + c) * stride] + zero<T>;
    for (int c = 0; c < 5; ++c) by[c] = zero<T>;
    for (int f = 0; f < F; f += lanes<T>) {
        const Vector<T> sent = at(message + f);
        Vector<T> sum = FIRST == 0 ? zero<T> : at(g + f);
        for (int c = 0; c < N; ++c) {
            const Vector<T> received = at(G + (FIRST + c) * F + f);
            sum += received * weight[c];
            if (FIRST + c > 0) by[c] += received * sent;  // that by T_0 has no use
        }
        at(g + f) = sum;
    }
    constexpr int skipped = FIRST == 0;
    T totals[4];
    sum_four<T>(by[skipped], by[skipped + 1], by[skipped + 2], by[skipped + 3], totals);
    for (int c = skipped; c < N; ++c) b[(FIRST + c) * stride] = totals[c - skipped];
    if constexpr (FIRST + N < C) pull_one<C, FIRST + N>(F, weights, stride, G, message, g, b);
}

// H[k, pair] = sum over f of g[pair, f] Q[k, f], for a block of pairs and the K sensitivities at k.
template <int K, class T>
inline void dots(int F, const T *g, const T *Q, T *H, int64_t stride) {
    Vector<T> sums[K][BLOCK];
    for (int k = 0; k < K; ++k)
        for (int p = 0; p < BLOCK; ++p) sums[k][p] = zero<T>;
    for (int f = 0; f < F; f += lanes<T>)
        for (int k = 0; k < K; ++k)
            for (int p = 0; p < BLOCK; ++p) sums[k][p] += at(g + p * F + f) * at(Q + k * F + f);
    for (int k = 0; k < K; ++k)
        sum_four<T>(sums[k][0], sums[k][1], sums[k][2], sums[k][3], H + k * stride);
}

// From G = dL/d(out): dL/d(vectors), dL/dmu and dL/dsigma, dL/dQ; each is left out where null.
template <class T, int C>
void backward(const Shape &s, const T *vectors, const int64_t *senders, const int64_t *reverse,
              const int32_t *bounds, const T *mu, const T *sigma, const T *Q, T hard_max,
              const T *G, int threads, T *dvectors, T *dmu, T *dsigma, T *dQ) {
    const auto all = all_members(s.members, s.number, mu, sigma);
    const int F = s.features;
    const int64_t stride = s.stride<T>();
    const bool turns = dvectors && C > 1;
    Changes<T> changes(threads, s.members, s.number);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int part = 0; part < threads; ++part) {
        Star<T, C> star(s.width);
        Gaussians<T> felt(s.number, stride);
        Buffer<T> weights(C * stride), b(C * stride), H(s.number * stride);
        Buffer<T> messages(stride * F), g(stride * F);
        T *changed = dmu ? changes.start(part) : nullptr;
        const int64_t begin = s.atoms * part / threads, end = s.atoms * (part + 1) / threads;
        for (int64_t j = begin; j < end; ++j) {
            const int pairs = s.pairs(bounds, j);
            star.set(vectors + j * s.width * 3, pairs, -1, hard_max);
            const int64_t sent_share = share<T>(s.number * F, star.count);
            const int64_t received_share = share<T>(C * F, star.count);
            star.weigh(weights, stride);
            for (int m = 0; m < s.members; ++m) {
                const Sensitivities<T> &f = all[m];
                felt.set(f, star);
                const T *sent = Q + s.sent(m, j);
                for (int block = 0; turns && block < star.blocks(); ++block) {
                    const int p = block * BLOCK, from = felt.from[block];
                    products<BLOCK, 2>(F, felt.to[block] - from,
                                       {felt.e + from * stride + p, stride, 1}, sent + from * F, F,
                                       messages + p * F, F);
                }
                for (int p = 0; p < star.count; ++p) {
                    fetch(G + s.received<C>(m, s.later(j, AHEAD)), received_share, p);
                    fetch(Q + s.sent(m, s.later(j, 1)), sent_share, p);
                    if (dQ) fetch<true>(dQ + s.sent(m, s.later(j, 1)), sent_share, p);
                    const int64_t i = senders[j * s.width + star.slots[p]];
                    const T *received = G + s.received<C>(m, i);
                    if (turns)
                        pull_one<C, 0, T>(F, weights + p, stride, received, messages + p * F,
                                          g + p * F, b + p);
                    else
                        products<1, 8>(F, C, {weights + p, stride, 0}, received, F, g + p * F, F);
                }
                std::fill(g + star.count * F, g + star.blocks() * BLOCK * F, T(0));
                if (dQ) for_sensitivities<false, T>(felt, F, felt.e, g, dQ + s.sent(m, j));
                if (!dvectors && !dmu) continue;

                std::fill(H.data, H.data + s.number * stride, T(0));
                for (int block = 0; block < star.blocks(); ++block) {
                    const T *rows = g + block * BLOCK * F;
                    int k = felt.from[block];
                    for (; k + 1 < felt.to[block]; k += 2)
                        dots<2>(F, rows, sent + k * F, H + k * stride + block * BLOCK, stride);
                    if (k < felt.to[block])
                        dots<1>(F, rows, sent + k * F, H + k * stride + block * BLOCK, stride);
                }
                T *by_mu = changed + m * 2 * s.number * lanes<T>;
                T *by_sigma = by_mu + s.number * lanes<T>;
                for (int n = 0; n < star.row.used; ++n) {
                    const auto &group = star.row.groups[n];
                    const Vector<T> square = group.x * group.x;
                    // H has the cut-off in it: this is its slope.
                    const Vector<T> ratio =
                        group.cutoff > 0 ? group.slope / group.cutoff : zero<T>;
                    Vector<T> radial = {};
                    for (int k = felt.lowest[n]; k < felt.highest[n]; ++k) {
                        const int64_t place = k * stride + n * lanes<T>;
                        const Vector<T> eH = at(felt.e + place) * at(H + place);
                        const Vector<T> u = group.x - f.inverse_mu[k];
                        const Vector<T> w = u * (f.sigma[k] * f.sigma[k]);
                        radial += eH * (ratio + square * w);
                        if (dmu) {
                            at(by_mu + k * lanes<T>) -= eH * w;
                            at(by_sigma + k * lanes<T>) -= eH * u * u * f.sigma[k];
                        }
                    }
                    if (!dvectors) continue;
                    Vector<T> by_tensor[C];
                    for (int c = 0; c < C; ++c)
                        by_tensor[c] = group.cutoff * at(b + c * stride + n * lanes<T>);
                    T group_vectors[3 * lanes<T>];
                    const int first = n * lanes<T>, filled = std::min(lanes<T>, star.count - first);
                    Row<T, C>::pull(group, radial, by_tensor, group_vectors, filled);
                    for (int l = 0; l < filled; ++l) {
                        const int64_t slot = reverse[j * s.width + star.slots[first + l]];
                        std::copy(group_vectors + 3 * l, group_vectors + 3 * l + 3,
                                  dvectors + (m * s.atoms * s.width + slot) * 3);
                    }
                }
            }
            for (int m = 0; dvectors && m < s.members; ++m) {
                T *rows = dvectors + m * s.atoms * s.width * 3, *row = rows + j * s.width * 3;
                for (int n = star.count; n < pairs; ++n) {
                    T *beyond = rows + reverse[j * s.width + star.slots[n]] * 3;
                    std::fill(beyond, beyond + 3, T(0));
                }
                std::fill(row + pairs * 3, row + s.width * 3, T(0));
            }
        }
    }
    if (dmu) changes.gather(all, dmu, dsigma);
}

}  // namespace

#define EXPORT(SUFFIX, TYPE)                                                                       \
    extern "C" void messages_##SUFFIX(SHAPE, INPUTS(TYPE), int64_t threads, TYPE *out) {           \
        using T = TYPE;                                                                            \
        const Shape s{atoms, width, int(members), int(elements), int(number), int(features)};      \
        FOR_EACH_ORDER(forward, s, vectors, senders, bounds, mu, sigma, Q, T(hard_max), threads,   \
                       out)                                                                        \
    }                                                                                              \
    extern "C" void messages_backward_##SUFFIX(SHAPE, INPUTS(TYPE), const TYPE *G,                 \
                                               int64_t threads, TYPE *dvectors, TYPE *dmu,         \
                                               TYPE *dsigma, TYPE *dQ) {                           \
        using T = TYPE;                                                                            \
        const Shape s{atoms, width, int(members), int(elements), int(number), int(features)};      \
        FOR_EACH_ORDER(backward, s, vectors, senders, reverse, bounds, mu, sigma, Q, T(hard_max),  \
                       G, threads, dvectors, dmu, dsigma, dQ)                                      \
    }

EXPORT(float, float)
EXPORT(double, double)
