// The pairs of one big system: rows of a Verlet list, their vectors, and forces from what pairs feel.
//
// A pair is the atom it leads to and the number of a periodic image. The images are numbered so that
// opposite shifts of the cell have numbers that add up to the last one.

#include "pairs.h"

namespace {

struct Entry {
    int64_t element;
    double square;  // of the distance
    int32_t sender, image;

    bool operator<(const Entry &other) const {
        if (element != other.element) return element < other.element;
        if (square != other.square) return square < other.square;
        return sender != other.sender ? sender < other.sender : image < other.image;
    }
};

}  // namespace

// Rows of `width` slots from pairs that are given in one direction, i to j in image `images`; the
// rows hold both, sorted by element and distance. Slots that are left name their own atom.
extern "C" void verlet_rows(int64_t pairs, const int64_t *i, const int64_t *j, const int32_t *images,
                            int64_t atoms, int64_t width, int64_t elements, int64_t last_image,
                            const double *positions, const double *shifts, const int64_t *element,
                            int64_t threads, int32_t *senders, int32_t *row_images,
                            int32_t *bounds) {
    std::vector<Entry> entries(atoms * width);
    std::vector<int32_t> counts(atoms, 0);
    for (int64_t p = 0; p < pairs; ++p) {
        const int64_t a = i[p], b = j[p];
        const double *shift = shifts + 3 * images[p];
        double square = 0;
        for (int k = 0; k < 3; ++k) {
            const double d = positions[3 * b + k] - positions[3 * a + k] + shift[k];
            square += d * d;
        }
        entries[a * width + counts[a]++] = {element[b], square, int32_t(b), images[p]};
        entries[b * width + counts[b]++] = {element[a], square, int32_t(a),
                                            int32_t(last_image - images[p])};
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t a = 0; a < atoms; ++a) {
        Entry *row = entries.data() + a * width;
        std::sort(row, row + counts[a]);
        int32_t *own = bounds + a * (elements + 1);
        std::fill(own, own + elements + 1, 0);
        for (int64_t p = 0; p < width; ++p) {
            const bool filled = p < counts[a];
            senders[a * width + p] = filled ? row[p].sender : int32_t(a);
            row_images[a * width + p] = filled ? row[p].image : int32_t(last_image / 2);
            if (filled) ++own[row[p].element + 1];
        }
        for (int64_t s = 0; s < elements; ++s) own[s + 1] += own[s];
    }
}

// For the slot of (i <- j) that of (j <- i); a slot that is left is its own.
extern "C" void verlet_reverse(int64_t atoms, int64_t width, int64_t elements, int64_t last_image,
                               const int32_t *senders, const int32_t *images,
                               const int32_t *bounds, int64_t threads, int64_t *reverse) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t a = 0; a < atoms; ++a)
        for (int64_t p = 0; p < width; ++p) {
            int64_t &found = reverse[a * width + p];
            found = a * width + p;
            if (p >= bounds[a * (elements + 1) + elements]) continue;
            const int64_t b = senders[a * width + p];
            const int32_t opposite = last_image - images[a * width + p];
            for (int64_t q = 0; q < bounds[b * (elements + 1) + elements]; ++q)
                if (senders[b * width + q] == a && images[b * width + q] == opposite)
                    found = b * width + q;
        }
}

namespace {

// R_j - R_i + shift of the rows [first, first + rows); (far, 0, 0) in slots that are left.
template <class T>
void vectors(int64_t first, int64_t rows, int64_t width, int64_t elements, const double *positions,
             const double *shifts, const int32_t *senders, const int32_t *images,
             const int32_t *bounds, double far, int64_t threads, T *out) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t n = 0; n < rows; ++n) {
        const int64_t a = first + n;
        const int32_t *to = senders + a * width, *image = images + a * width;
        const int64_t filled = bounds[a * (elements + 1) + elements];
        T *mine = out + n * width * 3;
        for (int64_t p = 0; p < filled; ++p)
            for (int k = 0; k < 3; ++k)
                mine[3 * p + k] = T(positions[3 * to[p] + k] - positions[3 * a + k] +
                                    shifts[3 * image[p] + k]);
        for (int64_t p = filled; p < width; ++p)
            mine[3 * p] = T(far), mine[3 * p + 1] = mine[3 * p + 2] = 0;
    }
}

// Adds dE/d(vectors) of the rows [first, first + rows) to the forces and sum d (x) dE/dd to the
// virial. Each thread has an array of its own, so that no two add to the same number.
template <class T>
void spread(int64_t first, int64_t rows, int64_t width, int64_t elements, int64_t atoms,
            const int32_t *senders, const int32_t *bounds, const T *vectors, const T *gradient,
            int64_t threads, double *forces, double *virials) {
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int64_t part = 0; part < threads; ++part) {
        double *F = forces + part * atoms * 3, *W = virials + part * 9;
        for (int64_t n = rows * part / threads; n < rows * (part + 1) / threads; ++n) {
            const int64_t a = first + n;
            const T *d = vectors + n * width * 3, *g = gradient + n * width * 3;
            T own[3] = {}, virial[9] = {};
            for (int64_t p = 0; p < bounds[a * (elements + 1) + elements]; ++p)
                for (int k = 0; k < 3; ++k) {
                    own[k] += g[3 * p + k];
                    F[3 * senders[a * width + p] + k] -= g[3 * p + k];
                    for (int l = 0; l < 3; ++l) virial[3 * k + l] += d[3 * p + k] * g[3 * p + l];
                }
            for (int k = 0; k < 3; ++k) F[3 * a + k] += own[k];
            for (int k = 0; k < 9; ++k) W[k] += virial[k];
        }
    }
}

}  // namespace

#define EXPORT(SUFFIX, T)                                                                          \
    extern "C" void verlet_vectors_##SUFFIX(                                                       \
        int64_t first, int64_t rows, int64_t width, int64_t elements, const double *positions,     \
        const double *shifts, const int32_t *senders, const int32_t *images,                       \
        const int32_t *bounds, double far, int64_t threads, T *out) {                              \
        vectors<T>(first, rows, width, elements, positions, shifts, senders, images, bounds, far,  \
                   threads, out);                                                                  \
    }                                                                                              \
    extern "C" void verlet_spread_##SUFFIX(                                                        \
        int64_t first, int64_t rows, int64_t width, int64_t elements, int64_t atoms,               \
        const int32_t *senders, const int32_t *bounds, const T *vectors, const T *gradient,        \
        int64_t threads, double *forces, double *virials) {                                        \
        spread<T>(first, rows, width, elements, atoms, senders, bounds, vectors, gradient,         \
                  threads, forces, virials);                                                       \
    }

EXPORT(float, float)
EXPORT(double, double)
