/* The cross-entropy of softmax, and its gradient in place of the logits; equations 21 and 22 of
   docs/gradients.md. */
#include "vector.h"
#include <math.h>

static real row_maximum(ptrdiff_t V, const real *z)
{
    ptrdiff_t whole_vectors = V - V % LANES;
    real highest = -INFINITY;
    vec highest_lanes = broadcast(-INFINITY);
    for (ptrdiff_t j = 0; j < whole_vectors; j += LANES)
        highest_lanes = maximum(highest_lanes, load(z + j));
    for (ptrdiff_t l = 0; l < LANES; l++)
        highest = highest < highest_lanes[l] ? highest_lanes[l] : highest;
    for (ptrdiff_t j = whole_vectors; j < V; j++)
        highest = highest < z[j] ? z[j] : highest;
    return highest;
}

/* z (V) holds logits and becomes scale * (softmax(z) - onehot(target)). Returns the target's cross-entropy in
   nats. The three passes are over one row, which stays in the cache. */
static real cross_entropy_of_row(ptrdiff_t V, real *z, ptrdiff_t target, real scale)
{
    ptrdiff_t whole_vectors = V - V % LANES;
    real highest = row_maximum(V, z), total = 0, logit = z[target];
    vec sum = {0};
    for (ptrdiff_t j = 0; j < whole_vectors; j += LANES) {
        vec e = exponential(load(z + j) - highest);
        sum += e;
        store(z + j, e);
    }
    for (ptrdiff_t l = 0; l < LANES; l++)
        total += sum[l];
    for (ptrdiff_t j = whole_vectors; j < V; j++)
        total += z[j] = exponential(broadcast(z[j] - highest))[0];
    for (ptrdiff_t j = 0; j < whole_vectors; j += LANES)
        store(z + j, load(z + j) * (scale / total));
    for (ptrdiff_t j = whole_vectors; j < V; j++)
        z[j] *= scale / total;
    z[target] -= scale;
    return (real)log(total) + highest - logit;
}

/* The same for all rows of z (N, V) with their targets (N); fills nats (N). */
void cross_entropy(
    ptrdiff_t N, ptrdiff_t V, real *z, const int64_t *targets, real scale, real *nats, int threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (ptrdiff_t n = 0; n < N; n++)
        nats[n] = cross_entropy_of_row(V, z + n * V, targets[n], scale);
}

/* Fills hit (N): whether each row's target is its first highest logit. */
void hits(ptrdiff_t N, ptrdiff_t V, const real *z, const int64_t *targets, uint8_t *hit, int threads)
{
#pragma omp parallel for num_threads(threads) schedule(static)
    for (ptrdiff_t n = 0; n < N; n++) {
        const real *row = z + n * V, logit = row[targets[n]];
        ptrdiff_t first = 0;
        if (logit < row_maximum(V, row)) {
            hit[n] = 0;
            continue;
        }
        while (row[first] < logit)
            first++;
        hit[n] = first == targets[n];
    }
}
