/* The last layer's loss, and its gradient in place of the logits. */
#include "vector.h"
#include <math.h>

static real highest_of(ptrdiff_t V, const real *z)
{
    ptrdiff_t whole_vectors = V - V % LANES;
    real highest = -INFINITY;
    vec high = all(-INFINITY);
    for (ptrdiff_t j = 0; j < whole_vectors; j += LANES)
        high = larger(high, load(z + j));
    for (ptrdiff_t l = 0; l < LANES; l++)
        highest = highest < high[l] ? high[l] : highest;
    for (ptrdiff_t j = whole_vectors; j < V; j++)
        highest = highest < z[j] ? z[j] : highest;
    return highest;
}

/* z (V): logits in, scale * (softmax(z) - onehot(target)) out; returns the target's cross-entropy in nats.
   Three passes over one row, which stays in the cache. */
static real one_row(ptrdiff_t V, real *z, ptrdiff_t target, real scale)
{
    ptrdiff_t whole_vectors = V - V % LANES;
    real highest = highest_of(V, z), total = 0, logit = z[target];
    vec sum = {0};
    for (ptrdiff_t j = 0; j < whole_vectors; j += LANES) {
        vec e = exponential(load(z + j) - highest);
        sum += e;
        store(z + j, e);
    }
    for (ptrdiff_t l = 0; l < LANES; l++)
        total += sum[l];
    for (ptrdiff_t j = whole_vectors; j < V; j++)
        total += z[j] = exponential(all(z[j] - highest))[0];
    for (ptrdiff_t j = 0; j < whole_vectors; j += LANES)
        store(z + j, load(z + j) * (scale / total));
    for (ptrdiff_t j = whole_vectors; j < V; j++)
        z[j] *= scale / total;
    z[target] -= scale;
    return (real)log(total) + highest - logit;
}

/* Rows of z (N, V) with their targets; nats (N) out. */
void cross_entropy(
    ptrdiff_t N, ptrdiff_t V, real *z, const int64_t *targets, real scale, real *nats, int threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (ptrdiff_t n = 0; n < N; n++)
        nats[n] = one_row(V, z + n * V, targets[n], scale);
}

/* Whether each row's target is its first highest logit. */
void hits(ptrdiff_t N, ptrdiff_t V, const real *z, const int64_t *targets, uint8_t *hit, int threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (ptrdiff_t n = 0; n < N; n++) {
        const real *row = z + n * V, logit = row[targets[n]];
        ptrdiff_t first = 0;
        if (logit < highest_of(V, row)) {
            hit[n] = 0;
            continue;
        }
        while (row[first] < logit)
            first++;
        hit[n] = first == targets[n];
    }
}
