// What the kernels of messages share: an atom's pairs within the cut-off, their Gaussians, and small
// matrix products of pairs, sensitivities and features. (messages.cpp says what messages are.)
//
// One atom is worked on at a time, in blocks whose sums stay in registers. An atom's pairs are sorted
// by distance, so that those of a block feel the same few sensitivities, and the others are left out.

#pragma once

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
    std::vector<int> slots;  // of these pairs, then those of the pairs beyond the cut-off
    std::vector<T> vectors;

    explicit Star(int64_t width) : slots(width), vectors(3 * width), keys(width) {}

    // `sign` is -1 for the vectors as the neighbours see them.
    void set(const T *source, int pairs, T sign, T hard_max) {
        // Buckets of equal ratios of r^2, eight for a factor of two, that begin at 1/2.
        constexpr int buckets = 64, eighths = 20, first = (127 - 1) << 3;
        int ends[buckets + 1] = {}, beyond = pairs;
        count = 0;
        for (int p = 0; p < pairs; ++p) {
            const T *d = source + 3 * p, square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
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
            for (int a = 0; a < 3; ++a) vectors[3 * n + a] = sign * source[3 * p + a];
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
            T *row = e + n * lanes<T>;
            for (int k = 0; k < least; ++k) at(row + k * stride) = zero<T>;
            for (int k = least; k < most; ++k) at(row + k * stride) = f.gaussian(k, x);
            for (int k = std::max(least, most); k < number; ++k) at(row + k * stride) = zero<T>;
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

}  // namespace

// What the exported functions are given: see kernels/messages.py.
#define SHAPE                                                                                      \
    int64_t atoms, int64_t width, int64_t members, int64_t elements, int64_t number,               \
        int64_t features, int64_t components
#define INPUTS(TYPE)                                                                               \
    const TYPE *vectors, const int64_t *senders, const int64_t *reverse, const int32_t *bounds,    \
        const TYPE *mu, const TYPE *sigma, const TYPE *Q, double hard_max
