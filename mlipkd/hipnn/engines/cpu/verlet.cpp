// The pairs of one big system: rows of a Verlet list, their vectors, and forces from what pairs feel.
//
// A pair is the atom it leads to and the number of a periodic image. The images are numbered so that
// opposite shifts of the cell have numbers that add up to the last one.

#include "pairs.h"

// Rows of `width` slots from pairs that are given in one direction, i to j in image `images`; the
// rows hold both, sorted by element and distance. Unused slots name the atom of the row.
extern "C" void verlet_rows(int64_t pairs, const int64_t *i, const int64_t *j, const int32_t *images,
                            int64_t atoms, int64_t width, int64_t elements, int64_t last_image,
                            const double *positions, const double *shifts, const int64_t *element,
                            int64_t threads, int32_t *senders, int32_t *row_images,
                            int32_t *bounds) {
    std::vector<int32_t> counts(atoms, 0);
    const auto put = [&](int64_t a, int64_t b, int64_t image) {
        const int64_t place = a * width + counts[a]++;
        senders[place] = int32_t(b), row_images[place] = int32_t(image);
    };
    for (int64_t p = 0; p < pairs; ++p) {
        put(i[p], j[p], images[p]);
        put(j[p], i[p], last_image - images[p]);
    }
#pragma omp parallel num_threads(threads)
    {
        // What a row is sorted by: the element in 8 bits, the distance in 32, the slot in 24.
        std::vector<uint64_t> keys(width);
        std::vector<int32_t> given(2 * width);
#pragma omp for schedule(static)
        for (int64_t a = 0; a < atoms; ++a) {
            int32_t *to = senders + a * width, *image = row_images + a * width;
            int32_t *bound = bounds + a * (elements + 1);
            std::fill(bound, bound + elements + 1, 0);
            for (int64_t p = 0; p < counts[a]; ++p) {
                double square = 0;
                for (int k = 0; k < 3; ++k) {
                    const double d =
                        positions[3 * to[p] + k] - positions[3 * a + k] + shifts[3 * image[p] + k];
                    square += d * d;
                }
                const float rounded = float(square);  // as an integer it has the same order
                uint32_t bits;
                std::memcpy(&bits, &rounded, sizeof bits);
                keys[p] = uint64_t(element[to[p]]) << 56 | uint64_t(bits) << 24 | p;
                given[p] = to[p], given[width + p] = image[p];
                ++bound[element[to[p]] + 1];
            }
            for (int64_t s = 0; s < elements; ++s) bound[s + 1] += bound[s];
            std::sort(keys.begin(), keys.begin() + counts[a]);
            for (int64_t p = 0; p < counts[a]; ++p) {
                const int64_t slot = keys[p] & 0xffffff;
                to[p] = given[slot], image[p] = given[width + slot];
            }
            std::fill(to + counts[a], to + width, int32_t(a));
            std::fill(image + counts[a], image + width, int32_t(last_image / 2));
        }
    }
}

// For the slot of (i <- j) that of (j <- i); an unused slot is its own reverse.
extern "C" void verlet_reverse(int64_t atoms, int64_t width, int64_t elements, int64_t last_image,
                               const int32_t *senders, const int32_t *images,
                               const int32_t *bounds, int64_t threads, int64_t *reverse) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t a = 0; a < atoms; ++a)
        for (int64_t p = 0; p < width; ++p) {
            int64_t &slot = reverse[a * width + p];
            slot = a * width + p;
            if (p >= bounds[a * (elements + 1) + elements]) continue;
            const int64_t b = senders[a * width + p];
            const int32_t opposite = last_image - images[a * width + p];
            for (int64_t q = 0; q < bounds[b * (elements + 1) + elements]; ++q)
                if (senders[b * width + q] == a && images[b * width + q] == opposite)
                    slot = b * width + q;
        }
}

namespace {

// Of the rows [first, first + rows), the pairs within `cutoff`: R_j - R_i + shift, j, and where each
// element's pairs start; (far, 0, 0) and the atom itself in unused slots.
template <class T>
void within(int64_t first, int64_t rows, int64_t width, int64_t elements, const double *positions,
            const double *shifts, const int32_t *senders, const int32_t *images,
            const int32_t *bounds, double cutoff, double far, int64_t threads, T *vectors,
            int32_t *within_senders, int32_t *starts) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t n = 0; n < rows; ++n) {
        const int64_t a = first + n;
        const int32_t *to = senders + a * width, *image = images + a * width;
        const int32_t *bound = bounds + a * (elements + 1);
        const double *here = positions + 3 * a;
        T *row = vectors + n * width * 3;
        int32_t *sender = within_senders + n * width, *start = starts + n * (elements + 1);
        int64_t count = 0;
        start[0] = 0;
        for (int64_t s = 0; s < elements; ++s) {
            for (int64_t p = bound[s]; p < bound[s + 1]; ++p) {
                const double *there = positions + 3 * to[p], *shift = shifts + 3 * image[p];
                const double x = there[0] - here[0] + shift[0], y = there[1] - here[1] + shift[1];
                const double z = there[2] - here[2] + shift[2];
                // Written in any case, and written over by the next one if this one is too far.
                row[3 * count] = T(x), row[3 * count + 1] = T(y), row[3 * count + 2] = T(z);
                sender[count] = to[p];
                count += x * x + y * y + z * z <= cutoff * cutoff;
            }
            start[s + 1] = int32_t(count);
        }
        for (int64_t p = count; p < width; ++p) {
            row[3 * p] = T(far), row[3 * p + 1] = row[3 * p + 2] = 0;
            sender[p] = int32_t(a);
        }
    }
}

// Adds dE/d(vectors) of the atoms [first, first + rows) to the forces and sum d (x) dE/dd to the
// virial; senders, bounds, vectors and gradient are those of these atoms only. Each thread has its
// own array, so that no two add to the same number.
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
            T force[3] = {}, virial[9] = {};
            for (int64_t p = 0; p < bounds[n * (elements + 1) + elements]; ++p) {
                double *other = F + 3 * senders[n * width + p];
                for (int k = 0; k < 3; ++k) {
                    force[k] += g[3 * p + k];
                    other[k] -= g[3 * p + k];
                    for (int l = 0; l < 3; ++l) virial[3 * k + l] += d[3 * p + k] * g[3 * p + l];
                }
            }
            for (int k = 0; k < 3; ++k) F[3 * a + k] += force[k];
            for (int k = 0; k < 9; ++k) W[k] += virial[k];
        }
    }
}

}  // namespace

#define EXPORT(SUFFIX, T)                                                                          \
    extern "C" void verlet_within_##SUFFIX(                                                        \
        int64_t first, int64_t rows, int64_t width, int64_t elements, const double *positions,     \
        const double *shifts, const int32_t *senders, const int32_t *images,                       \
        const int32_t *bounds, double cutoff, double far, int64_t threads, T *vectors,             \
        int32_t *within_senders, int32_t *starts) {                                                \
        within<T>(first, rows, width, elements, positions, shifts, senders, images, bounds,        \
                  cutoff, far, threads, vectors, within_senders, starts);                          \
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
