// Messages between atoms with many features, and their derivatives:
//
//     out[m,i,c,f] = sum over neighbours j   T_c(h) C(r) sum_k exp(-t_k^2/2) Q[m,j,k,f]
//
// with the symbols of environment.cpp and Q what atom j has to say to each sensitivity.
//
// One atom is worked on at a time, as a small matrix product of its pairs, its sensitivities and
// its features, in blocks whose sums stay in registers. An atom's pairs are sorted by distance, so
// that those of a block feel the same few sensitivities, and the others are left out.
//
// In the derivatives an atom stands as the sender to its neighbours: so Q and dL/dQ, the large
// arrays, are read and written once, and nothing is scattered. (Pairs have a reverse: whoever sends
// to an atom also receives from it. Seen from there, the vector points the other way.)
//
// Vectors are (atoms, width, 3), Q is (members, atoms, number, features) and `out` (members, atoms,
// components, features). The number of features is a multiple of 16, so of a register.

#include "pairs.h"

#include <new>
#include <type_traits>

namespace {

constexpr int BLOCK = 4;   // pairs whose sums are in registers together
constexpr int AHEAD = 12;  // atoms, by which fetching is ahead where neighbours' rows are read

struct Shape {
    int64_t atoms, width;
    int members, elements, number, features;  // number of sensitivities

    int64_t pairs(const int32_t *bounds, int64_t i) const {
        return bounds[i * (elements + 1) + elements];
    }
    // Where Q[m, i] starts, and out[m, i].
    int64_t sent(int m, int64_t i) const { return (m * atoms + i) * number * features; }
    template <int C> int64_t received(int m, int64_t i) const {
        return (m * atoms + i) * C * features;
    }
    // An atom a little further on, which is worked on soon.
    int64_t later(int64_t i, int steps) const { return std::min(i + steps, atoms - 1); }
    // Row length of arrays by pair: whole registers.
    template <class T> int64_t stride() const {
        return std::max<int64_t>(1, (width + lanes<T> - 1) / lanes<T>) * lanes<T>;
    }
};

// Numbers that begin with a cache line.
template <class T> struct Buffer {
    T *data;
    explicit Buffer(size_t size)
        : data(static_cast<T *>(::operator new(size * sizeof(T), std::align_val_t(64)))) {
        std::fill(data, data + size, T(0));
    }
    ~Buffer() { ::operator delete(data, std::align_val_t(64)); }
    Buffer(const Buffer &) = delete;
    operator T *() const { return data; }
};

template <class T> constexpr Vector<T> zero = {};

// Factors of a product: number `row` of term `n` is values[n * term_stride + row * row_stride].
template <class T> struct Factors {
    const T *values;
    int64_t term_stride, row_stride;
};

// out[r, f] = sum over terms n of factor[n, r] in[n, f], for R rows and W registers of columns.
template <int R, int W, bool ADD, class T>
inline void product(int terms, Factors<T> a, const T *in, int64_t in_stride, T *out,
                    int64_t out_stride) {
    Vector<T> sums[R][W];
    for (int r = 0; r < R; ++r)
        for (int w = 0; w < W; ++w) {
            if constexpr (ADD) sums[r][w] = at(out + r * out_stride + w * lanes<T>);
            else sums[r][w] = zero<T>;
        }
    for (int n = 0; n < terms; ++n, a.values += a.term_stride, in += in_stride)
        for (int r = 0; r < R; ++r) {
            const T factor = a.values[r * a.row_stride];
            for (int w = 0; w < W; ++w) sums[r][w] += factor * at(in + w * lanes<T>);
        }
    for (int r = 0; r < R; ++r)
        for (int w = 0; w < W; ++w) at(out + r * out_stride + w * lanes<T>) = sums[r][w];
}

// The same for all columns, W registers at a time, then fewer for what is left.
template <int R, int W, bool ADD = false, class T>
inline void products(int columns, int terms, Factors<T> a, const T *in, int64_t in_stride, T *out,
                     int64_t out_stride) {
    int f = 0;
    for (; f + W * lanes<T> <= columns; f += W * lanes<T>)
        product<R, W, ADD>(terms, a, in + f, in_stride, out + f, out_stride);
    if constexpr (W > 1)
        products<R, W / 2, ADD>(columns - f, terms, a, in + f, in_stride, out + f, out_stride);
}

// The sums of the lanes of each of four registers.
template <class T>
inline void sum_four(Vector<T> v0, Vector<T> v1, Vector<T> v2, Vector<T> v3, T *sums) {
    typedef T Four __attribute__((vector_size(4 * sizeof(T)), aligned(sizeof(T))));
    typedef std::conditional_t<sizeof(T) == 4, int32_t, int64_t> Index;
    typedef Index Order __attribute__((vector_size(4 * sizeof(T))));
    const auto folded = [](Vector<T> v) {
        Four parts[lanes<T> / 4];
        std::memcpy(parts, &v, sizeof parts);
        for (int l = 1; l < lanes<T> / 4; ++l) parts[0] += parts[l];
        return parts[0];
    };
    const auto halved = [](Four x, Four y) {
        return __builtin_shuffle(x, y, Order{0, 4, 2, 6}) +
               __builtin_shuffle(x, y, Order{1, 5, 3, 7});
    };
    const Four a = halved(folded(v0), folded(v1)), b = halved(folded(v2), folded(v3));
    *(Four *)sums = __builtin_shuffle(a, b, Order{0, 1, 4, 5}) +
                    __builtin_shuffle(a, b, Order{2, 3, 6, 7});
}

// An array that is needed soon is brought into the cache in equal parts, one with every pair that
// is worked on meanwhile. (The last part may reach beyond its end, which does no harm.)
template <class T> inline int64_t share(int64_t size, int pairs) {
    constexpr int line = 64 / sizeof(T);
    return (size / line / std::max(1, pairs) + 1) * line;
}
template <bool WRITE = false, class T>
inline void fetch(const T *start, int64_t share, int part) {
    for (int64_t n = part * share; n < (part + 1) * share; n += 64 / sizeof(T))
        __builtin_prefetch(start + n, WRITE, 2);
}

// One atom's pairs within the cut-off, near ones first.
template <class T, int C> struct Star {
    Row<T, C> row;
    int count = 0;           // of these pairs
    std::vector<int> slots;  // theirs, then those of the pairs beyond the cut-off
    std::vector<T> vectors;

    explicit Star(int64_t width) : slots(width), vectors(3 * width), keys(width) {}

    // `sign` is -1 for the vectors as the neighbours see them.
    void set(const T *own, int pairs, T sign, T hard_max) {
        // Buckets of equal ratios of r^2, eight for a factor of two, that begin at 1/2.
        constexpr int buckets = 64, eighths = 20, first = (127 - 1) << 3;
        int ends[buckets + 1] = {}, beyond = pairs;
        count = 0;
        for (int p = 0; p < pairs; ++p) {
            const T *d = own + 3 * p, square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
            if (square > hard_max * hard_max) {
                keys[p] = -1;
                continue;
            }
            const float rounded = square;
            int32_t bits;
            std::memcpy(&bits, &rounded, sizeof bits);
            keys[p] = std::min(std::max((bits >> eighths) - first, 0), buckets - 1);
            ++ends[keys[p] + 1], ++count;
        }
        for (int b = 1; b < buckets; ++b) ends[b] += ends[b - 1];
        for (int p = 0; p < pairs; ++p) {
            const int n = keys[p] < 0 ? --beyond : ends[keys[p]]++;
            slots[n] = p;
            for (int a = 0; a < 3; ++a) vectors[3 * n + a] = sign * own[3 * p + a];
        }
        row.set(vectors.data(), count, hard_max);
    }
    int blocks() const { return (count + BLOCK - 1) / BLOCK; }
    // T_c(h) C(r) of each pair: weights[c, pair].
    void weigh(T *weights, int64_t stride) const {
        for (int n = 0; n < row.used; ++n)
            for (int c = 0; c < C; ++c)
                at(weights + c * stride + n * lanes<T>) =
                    row.groups[n].tensor[c] * row.groups[n].cutoff;
    }

  private:
    std::vector<int> keys;
};

// The Gaussians of one atom's pairs, e[k, pair], and which of them do not vanish.
template <class T> struct Gaussians {
    int number;
    int64_t stride;
    Buffer<T> e;
    std::vector<int> from, to;         // sensitivities that a block of pairs feels
    std::vector<int> begin, end;       // pairs that feel a sensitivity
    std::vector<int> lowest, highest;  // sensitivities that a register of pairs feels

    Gaussians(int number, int64_t stride)
        : number(number), stride(stride), e(2 * number * stride), from(stride / BLOCK),
          to(stride / BLOCK), begin(number), end(number), lowest(stride / lanes<T>),
          highest(stride / lanes<T>) {}

    // A second array like e, behind it.
    T *second() const { return e + number * stride; }

    template <int C> void set(const Sensitivities<T> &f, const Star<T, C> &star) {
        std::fill(begin.begin(), begin.end(), star.count);
        std::fill(end.begin(), end.end(), 0);
        for (int n = 0; n < star.row.used; ++n) {
            const Vector<T> x = star.row.groups[n].x;
            int least = number, most = 0;
            for (int l = 0; l < lanes<T> && n * lanes<T> + l < star.count; l += BLOCK) {
                struct {
                    T nearest, farthest;
                } span = {x[l], x[l]};
                for (int next = l + 1; next < l + BLOCK; ++next) {
                    span.nearest = std::max(span.nearest, T(x[next]));
                    span.farthest = std::min(span.farthest, T(x[next]));
                }
                const int first = n * lanes<T> + l, b = first / BLOCK;
                f.felt(span, from[b], to[b]);
                least = std::min(least, from[b]), most = std::max(most, to[b]);
                for (int k = from[b]; k < to[b]; ++k) {
                    begin[k] = std::min(begin[k], first);
                    end[k] = std::min(first + BLOCK, star.count);
                }
            }
            T *mine = e + n * lanes<T>;
            for (int k = 0; k < least; ++k) at(mine + k * stride) = zero<T>;
            for (int k = least; k < most; ++k) at(mine + k * stride) = f.gaussian(k, x);
            for (int k = std::max(least, most); k < number; ++k) at(mine + k * stride) = zero<T>;
            lowest[n] = least, highest[n] = most;
        }
    }
    // Pairs from `first` on that feel k or k + 1, and how many.
    int either(int k, int &first) const {
        const int next = std::min(k + 1, number - 1);
        first = std::min(begin[k], begin[next]);
        return std::max(0, std::max(end[k], end[next]) - first);
    }
};

// Products for all C components.
template <int C, bool ADD = false, class T>
inline void for_components(int columns, int terms, Factors<T> a, const T *in, T *out) {
    constexpr int R = C == 9 ? 3 : C, W = C == 9 ? 4 : C == 4 ? 2 : 8;
    for (int c = 0; c < C; c += R, a.values += R * a.row_stride, out += R * columns)
        products<R, W, ADD>(columns, terms, a, in, columns, out, columns);
}

// out[k, f] = sum over pairs of factor[k, pair] in[pair, f], for all sensitivities.
template <bool ADD = false, class T>
inline void for_sensitivities(const Gaussians<T> &felt, int columns, const T *factors, const T *in,
                              T *out) {
    int first;
    for (int k = 0; k < felt.number; k += 2) {
        const int terms = felt.either(k, first);
        const Factors<T> a{factors + k * felt.stride + first, 1, felt.stride};
        const T *rows = in + first * columns;
        if (k + 1 < felt.number)
            products<2, 4, ADD>(columns, terms, a, rows, columns, out + k * columns, columns);
        else
            products<1, 8, ADD>(columns, terms, a, rows, columns, out + k * columns, columns);
    }
}

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
                    // H has the cut-off in it: this is its slope beside it.
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
                    T mine[3 * lanes<T>];
                    const int first = n * lanes<T>, filled = std::min(lanes<T>, star.count - first);
                    Row<T, C>::pull(group, radial, by_tensor, mine, filled);
                    for (int l = 0; l < filled; ++l) {
                        const int64_t slot = reverse[j * s.width + star.slots[first + l]];
                        std::copy(mine + 3 * l, mine + 3 * l + 3,
                                  dvectors + (m * s.atoms * s.width + slot) * 3);
                    }
                }
            }
            for (int m = 0; dvectors && m < s.members; ++m) {
                T *rows = dvectors + m * s.atoms * s.width * 3, *mine = rows + j * s.width * 3;
                for (int n = star.count; n < pairs; ++n) {
                    T *beyond = rows + reverse[j * s.width + star.slots[n]] * 3;
                    std::fill(beyond, beyond + 3, T(0));
                }
                std::fill(mine + pairs * 3, mine + s.width * 3, T(0));
            }
        }
    }
    if (dmu) changes.gather(all, dmu, dsigma);
}

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
            const Vector<T> mine = at(g + p * F + f);
            sums[p] += at(a + p * F + f) * q;
            sums[p] += mine * along;
            sums2[p] += mine * q;
        }
    }
    sum_four<T>(sums[0], sums[1], sums[2], sums[3], H);
    sum_four<T>(sums2[0], sums2[1], sums2[2], sums2[3], H2);
}

// With v and V given beside G, of <v, d<G, out>/d(vectors)> + <V, d<G, out>/dQ>: the derivatives by
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

#define FOR_EACH_ORDER(FUNCTION, ...)                                                              \
    switch (components) {                                                                          \
    case 1: return FUNCTION<T, 1>(__VA_ARGS__);                                                    \
    case 4: return FUNCTION<T, 4>(__VA_ARGS__);                                                    \
    case 9: return FUNCTION<T, 9>(__VA_ARGS__);                                                    \
    }

#define SHAPE                                                                                      \
    int64_t atoms, int64_t width, int64_t members, int64_t elements, int64_t number,               \
        int64_t features, int64_t components
#define INPUTS(TYPE)                                                                               \
    const TYPE *vectors, const int64_t *senders, const int64_t *reverse, const int32_t *bounds,    \
        const TYPE *mu, const TYPE *sigma, const TYPE *Q, double hard_max

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
    }                                                                                              \
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
