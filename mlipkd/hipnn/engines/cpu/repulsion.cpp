// The walls of the repulsion (see hipnn/repulsion.py): what they add to E_i^0 and to dE/d(vectors).
//
// Few pairs are near enough to feel one, so that nearly all time goes into finding that a pair is
// not; what is left is computed in double precision, as steep as it is.

#include "pairs.h"

namespace {

// Adds to energies (members, atoms, orders), their order 0, and, if there is one, to gradient
// (members, atoms, width, 3). A wall is sigma, lambda, r_on, r_c: (members, elements, elements, 4).
template <class T>
void add(int64_t members, int64_t atoms, int64_t width, int64_t elements, int64_t orders,
         const T *vectors, const int32_t *bounds, const int64_t *element, const double *walls,
         int64_t threads, double *energies, T *gradient) {
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t a = 0; a < atoms; ++a) {
        const int32_t *bound = bounds + a * (elements + 1);
        for (int64_t m = 0; m < members; ++m) {
            const int64_t row = m * atoms + a;
            const double *wall = walls + (m * elements + element[a]) * elements * 4;
            double sum = 0;
            for (int64_t s = 0; s < elements; ++s, wall += 4) {
                const double sigma = wall[0], decay = wall[1], on = wall[2], range = wall[3];
                for (int64_t p = bound[s]; p < bound[s + 1]; ++p) {
                    const T *d = vectors + (a * width + p) * 3;
                    const double x = d[0], y = d[1], z = d[2], square = x * x + y * y + z * z;
                    if (square >= range * range) continue;
                    const double r = std::sqrt(square), inside = 1 / (range - on);
                    const double t = std::min(1., (range - r) * inside);  // the y there
                    const double exponential = std::exp((sigma - r) / decay);
                    const double smooth = t * t * t * (10 - 15 * t + 6 * t * t);
                    const double slope = 30 * t * t * (1 - t) * (1 - t) * inside;
                    sum += exponential * smooth;
                    if (!gradient) continue;
                    const double pull = -exponential * (smooth / decay + slope) / (2 * r);
                    T *g = gradient + (row * width + p) * 3;
                    g[0] += T(pull * x), g[1] += T(pull * y), g[2] += T(pull * z);
                }
            }
            energies[row * orders] += sum / 2;
        }
    }
}

}  // namespace

#define EXPORT(SUFFIX, T)                                                                          \
    extern "C" void repulsion_add_##SUFFIX(                                                        \
        int64_t members, int64_t atoms, int64_t width, int64_t elements, int64_t orders,           \
        const T *vectors, const int32_t *bounds, const int64_t *element, const double *walls,      \
        int64_t threads, double *energies, T *gradient) {                                          \
        add<T>(members, atoms, width, elements, orders, vectors, bounds, element, walls, threads,  \
               energies, gradient);                                                                \
    }

EXPORT(float, float)
EXPORT(double, double)
