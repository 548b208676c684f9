// How messages and their derivatives change along a direction, which training on forces asks for:
// messages.cpp has the equation and the shapes of arrays.

#include "messages.h"

namespace {

// How an atom's pairs change along v: alpha_c, the change of T_c C, and in the second array of the
// Gaussians the change e w dr / r^2 of each.
template <class T, int C>
void push_all(const Star<T, C> &star, const Sensitivities<T> &f, const T *v, T odd, int64_t stride,
              Gaussians<T> &felt, T *weights, T *alpha) {
    for (int n = 0; n < star.row.used; ++n) {
        const auto &g = star.row.groups[n];
        Vector<T> dr, change[C];
        Row<T, C>::push(g, v + 3 * n * lanes<T>, lanes<T>, dr, change);
        for (int c = 0; c < C; ++c) {
            const T sign = c >= 1 && c < 4 ? odd : 1;
            at(weights + c * stride + n * lanes<T>) = sign * g.cutoff * g.tensor[c];
            at(alpha + c * stride + n * lanes<T>) =
                sign * (g.cutoff * change[c] + g.slope * dr * g.tensor[c]);
        }
        const Vector<T> faster = g.x * g.x * dr;
        for (int k = 0; k < felt.lowest[n]; ++k)
            at(felt.second() + k * stride + n * lanes<T>) = zero<T>;
        for (int k = std::max(felt.lowest[n], felt.highest[n]); k < f.number; ++k)
            at(felt.second() + k * stride + n * lanes<T>) = zero<T>;
        for (int k = felt.lowest[n]; k < felt.highest[n]; ++k) {
            const int64_t place = k * stride + n * lanes<T>;
            const Vector<T> w = (g.x - f.inverse_mu[k]) * (f.sigma[k] * f.sigma[k]);
            at(felt.second() + place) = at(felt.e + place) * w * faster;
        }
    }
}

// For a block of pairs and one sensitivity, H = <a, Q> + <g, V> and H2 = <g, Q>.
template <class T>
inline void dots_along(int F, const T *g, const T *a, const T *Q, const T *V, T *H, T *H2) {
    Vector<T> sums[BLOCK], sums2[BLOCK];
    for (int p = 0; p < BLOCK; ++p) sums[p] = sums2[p] = zero<T>;
    for (int f = 0; f < F; f += lanes<T>) {
        const Vector<T> q = at(Q + f), along = at(V + f);
        for (int p = 0; p < BLOCK; ++p) {
            const Vector<T> gradient = at(g + p * F + f);
            sums[p] += at(a + p * F + f) * q;
            sums[p] += gradient * along;
            sums2[p] += gradient * q;
        }
    }
    sum_four<T>(sums[0], sums[1], sums[2], sums[3], H);
    sum_four<T>(sums2[0], sums2[1], sums2[2], sums2[3], H2);
}

// Of <v, d<G, out>/d(vectors)> + <V, d<G, out>/dQ> for given v and V: the derivatives wrt
// G, which are the change of `out` along v and V, and by mu, sigma and Q.
template <class T, int C>
void along(const Shape &s, const T *vectors, const int64_t *senders, const int64_t *reverse,
           const int32_t *bounds, const T *mu, const T *sigma, const T *Q, T hard_max, const T *G,
           const T *v, const T *V, int threads, T *dG, T *dmu, T *dsigma, T *dQ) {
    const auto all = all_members(s.members, s.number, mu, sigma);
    const int F = s.features;
    const int64_t stride = s.stride<T>();
    Changes<T> changes(threads, s.members, s.number);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int part = 0; part < threads; ++part) {
        Star<T, C> star(s.width);
        Gaussians<T> felt(s.number, stride);
        Buffer<T> weights(2 * C * stride), H(2 * s.number * stride), moved(3 * stride);
        Buffer<T> rows(2 * stride * F);
        T *alpha = weights + C * stride, *second = rows + stride * F;
        T *changed = changes.start(part);
        const int64_t begin = s.atoms * part / threads, end = s.atoms * (part + 1) / threads;
        for (int64_t i = begin; i < end; ++i) {
            star.set(vectors + i * s.width * 3, s.pairs(bounds, i), -1, hard_max);
            const int64_t sent_share = share<T>(s.number * F, star.count);
            const int64_t received_share = share<T>(C * F, star.count);
            for (int m = 0; m < s.members; ++m) {
                const Sensitivities<T> &f = all[m];
                const T *v_rows = v + m * s.atoms * s.width * 3;
                felt.set(f, star);

                // The atom as the sender: rows g = sum of weight_c G_c and a = sum of alpha_c G_c
                for (int p = 0; p < star.count; ++p)
                    for (int a = 0; a < 3; ++a)
                        moved[3 * p + a] = v_rows[reverse[i * s.width + star.slots[p]] * 3 + a];
                push_all<T, C>(star, f, moved, 1, stride, felt, weights, alpha);
                for (int p = 0; p < star.count; ++p) {
                    fetch(G + s.received<C>(m, s.later(i, AHEAD)), received_share, p);
                    fetch<true>(dQ + s.sent(m, s.later(i, 1)), sent_share, p);
                    const int64_t j = senders[i * s.width + star.slots[p]];
                    products<2, 4>(F, C, {weights + p, stride, C * stride},
                                   G + s.received<C>(m, j), F, rows + p * F, stride * F);
                }
                for (T *start : {rows + 0, second})
                    std::fill(start + star.count * F, start + star.blocks() * BLOCK * F, T(0));
                T *out = dQ + s.sent(m, i);
                for_sensitivities<false, T>(felt, F, felt.e, second, out);
                for_sensitivities<true, T>(felt, F, felt.second(), rows, out);

                const T *sent = Q + s.sent(m, i), *sent_along = V + s.sent(m, i);
                T *H2 = H + s.number * stride;
                std::fill(H.data, H.data + 2 * s.number * stride, T(0));
                for (int block = 0; block < star.blocks(); ++block)
                    for (int k = felt.from[block]; k < felt.to[block]; ++k) {
                        const int64_t place = k * stride + block * BLOCK;
                        dots_along<T>(F, rows + block * BLOCK * F, second + block * BLOCK * F,
                                      sent + k * F, sent_along + k * F, H + place, H2 + place);
                    }
                T *by_mu = changed + m * 2 * s.number * lanes<T>;
                T *by_sigma = by_mu + s.number * lanes<T>;
                for (int n = 0; n < star.row.used; ++n) {
                    const auto &group = star.row.groups[n];
                    Vector<T> dr, change[C];
                    Row<T, C>::push(group, moved + 3 * n * lanes<T>, lanes<T>, dr, change);
                    for (int k = felt.lowest[n]; k < felt.highest[n]; ++k) {
                        const int64_t place = k * stride + n * lanes<T>;
                        const Vector<T> e = at(felt.e + place), u = group.x - f.inverse_mu[k];
                        const T sigma2 = f.sigma[k] * f.sigma[k];
                        const Vector<T> w = u * sigma2;
                        const Vector<T> B = group.x * group.x * dr * at(H2 + place);
                        const Vector<T> whole = at(H + place) + w * B;
                        at(by_mu + k * lanes<T>) += e * (sigma2 * B - w * whole);
                        at(by_sigma + k * lanes<T>) += e * u * (2 * B - u * whole) * f.sigma[k];
                    }
                }

                // The atom as the receiver: its own vectors have the other sign, as do the odd T_c.
                for (int p = 0; p < star.count; ++p)
                    for (int a = 0; a < 3; ++a)
                        moved[3 * p + a] = -v_rows[(i * s.width + star.slots[p]) * 3 + a];
                push_all<T, C>(star, f, moved, -1, stride, felt, weights, alpha);
                for (int p = 0; p < star.count; ++p) {
                    fetch(Q + s.sent(m, s.later(i, AHEAD)), sent_share, p);
                    fetch(V + s.sent(m, s.later(i, AHEAD)), sent_share, p);
                    const int64_t j = senders[i * s.width + star.slots[p]];
                    const int from = felt.from[p / BLOCK], terms = felt.to[p / BLOCK] - from;
                    const T *e = felt.e + from * stride + p;
                    products<2, 4>(F, terms, {e, stride, s.number * stride},
                                   Q + s.sent(m, j) + from * F, F, rows + p * F, stride * F);
                    products<1, 8, true>(F, terms, {e, stride, 0}, V + s.sent(m, j) + from * F, F,
                                         second + p * F, F);
                }
                T *change = dG + s.received<C>(m, i);
                for_components<C, false, T>(F, star.count, {alpha, 1, stride}, rows, change);
                for_components<C, true, T>(F, star.count, {weights, 1, stride}, second, change);
            }
        }
    }
    changes.gather(all, dmu, dsigma);
}

}  // namespace

#define EXPORT(SUFFIX, TYPE)                                                                       \
    extern "C" void messages_along_##SUFFIX(SHAPE, INPUTS(TYPE), const TYPE *G, const TYPE *v,     \
                                            const TYPE *V, int64_t threads, TYPE *dG, TYPE *dmu,   \
                                            TYPE *dsigma, TYPE *dQ) {                              \
        using T = TYPE;                                                                            \
        const Shape s{atoms, width, int(members), int(elements), int(number), int(features)};      \
        FOR_EACH_ORDER(along, s, vectors, senders, reverse, bounds, mu, sigma, Q, T(hard_max), G,  \
                       v, V, threads, dG, dmu, dsigma, dQ)                                         \
    }

EXPORT(float, float)
EXPORT(double, double)
