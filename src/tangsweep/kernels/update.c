/* Update rules of optimizers for which torch has no fused form on the CPU: one pass over memory. They compute
   what torch/optim/{rmsprop,adadelta,adamax,nadam,radam}.py do tensor by tensor. */
#include "vector.h"
#include <math.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#define MIN_NUMBERS_FOR_THREADS 100000

/* One weight tensor, its gradient and the optimizer's state of it, each of n numbers. */
typedef struct {
    ptrdiff_t n;
    real *weight;
    const real *gradient;
    real *state[3];
} updated_tensor;

typedef void update_rule(updated_tensor u, const double *k);

INLINE real square_root(real x) { return sizeof(real) == sizeof(float) ? (real)sqrtf((float)x) : (real)sqrt(x); }

static updated_tensor part_of(updated_tensor u, ptrdiff_t begin, ptrdiff_t end)
{
    updated_tensor part = {end - begin, u.weight + begin, u.gradient + begin, {0}};
    for (int s = 0; s < 3; s++)
        part.state[s] = u.state[s] ? u.state[s] + begin : 0;
    return part;
}

/* Each thread updates one part of every tensor. */
static void update_all(
    ptrdiff_t count, const updated_tensor *tensors, const double *k, int threads, update_rule *rule)
{
    ptrdiff_t numbers = 0;
    for (ptrdiff_t t = 0; t < count; t++)
        numbers += tensors[t].n;
    if (numbers < MIN_NUMBERS_FOR_THREADS)
        threads = 1;
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        ptrdiff_t thread = 0, all = 1;
#ifdef _OPENMP
        thread = omp_get_thread_num(), all = omp_get_num_threads();
#endif
        for (ptrdiff_t t = 0; t < count; t++) {
            ptrdiff_t n = tensors[t].n;
            rule(part_of(tensors[t], n * thread / all, n * (thread + 1) / all), k);
        }
    }
}

/* k: lr, alpha, 1 - alpha, eps, weight decay, momentum, whether centered. state: mean square, momentum buffer,
   mean gradient; the last two are null where the rule has none. */
INLINE void rmsprop_part(updated_tensor u, const double *k, const int has_momentum, const int centered)
{
    real *restrict w = u.weight, *restrict square = u.state[0], *restrict buffer = u.state[1];
    real *restrict mean = u.state[2];
    const real *restrict gradient = u.gradient;
    real lr = k[0], alpha = k[1], rest = k[2], eps = k[3], decay = k[4], momentum = k[5];
    for (ptrdiff_t i = 0; i < u.n; i++) {
        real g = gradient[i] + decay * w[i];
        real s = square[i] = alpha * square[i] + rest * g * g;
        if (centered) {
            real m = mean[i] = mean[i] + rest * (g - mean[i]);
            s -= m * m;
        }
        real change = g / (square_root(s) + eps);
        if (has_momentum)
            change = buffer[i] = momentum * buffer[i] + change;
        w[i] -= lr * change;
    }
}

static void rmsprop_plain(updated_tensor u, const double *k) { rmsprop_part(u, k, 0, 0); }
static void rmsprop_momentum(updated_tensor u, const double *k) { rmsprop_part(u, k, 1, 0); }
static void rmsprop_centered(updated_tensor u, const double *k) { rmsprop_part(u, k, 0, 1); }
static void rmsprop_both(updated_tensor u, const double *k) { rmsprop_part(u, k, 1, 1); }

void rmsprop(ptrdiff_t count, const updated_tensor *tensors, const double *k, int threads)
{
    int has_momentum = k[5] > 0, centered = k[6] != 0;
    update_all(count, tensors, k, threads,
        centered ? (has_momentum ? rmsprop_both : rmsprop_centered)
                 : (has_momentum ? rmsprop_momentum : rmsprop_plain));
}

/* k: lr, rho, 1 - rho, eps, weight decay. state: mean square of gradients, of changes. */
static void adadelta_part(updated_tensor u, const double *k)
{
    real *restrict w = u.weight, *restrict square = u.state[0], *restrict changes = u.state[1];
    const real *restrict gradient = u.gradient;
    real lr = k[0], rho = k[1], rest = k[2], eps = k[3], decay = k[4];
    for (ptrdiff_t i = 0; i < u.n; i++) {
        real g = gradient[i] + decay * w[i];
        real s = square[i] = rho * square[i] + rest * g * g;
        real change = square_root((changes[i] + eps) / (s + eps)) * g;
        changes[i] = rho * changes[i] + rest * change * change;
        w[i] -= lr * change;
    }
}

void adadelta(ptrdiff_t count, const updated_tensor *tensors, const double *k, int threads)
{
    update_all(count, tensors, k, threads, adadelta_part);
}

/* k: lr over its bias correction, 1 - beta1, beta2, eps, weight decay. state: mean gradient, largest. */
static void adamax_part(updated_tensor u, const double *k)
{
    real *restrict w = u.weight, *restrict mean = u.state[0], *restrict largest = u.state[1];
    const real *restrict gradient = u.gradient;
    real lr = k[0], rest = k[1], beta2 = k[2], eps = k[3], decay = k[4];
    for (ptrdiff_t i = 0; i < u.n; i++) {
        real g = gradient[i] + decay * w[i];
        real m = mean[i] = mean[i] + rest * (g - mean[i]);
        real size = (g < 0 ? -g : g) + eps, before = largest[i] * beta2;
        real now = largest[i] = before > size ? before : size; /* a NaN in g stays one */
        w[i] -= lr * m / now;
    }
}

void adamax(ptrdiff_t count, const updated_tensor *tensors, const double *k, int threads)
{
    update_all(count, tensors, k, threads, adamax_part);
}

/* k: factor of the gradient, factor of its mean, 1 - beta1, beta2, 1 - beta2, bias correction of the mean
   square, eps, weight decay, what decoupled decay multiplies weights by. state: mean gradient, mean square. */
static void nadam_part(updated_tensor u, const double *k)
{
    real *restrict w = u.weight, *restrict mean = u.state[0], *restrict square = u.state[1];
    const real *restrict gradient = u.gradient;
    real of_gradient = k[0], of_mean = k[1], rest1 = k[2], beta2 = k[3], rest2 = k[4], correction = k[5];
    real eps = k[6], decay = k[7], shrink = k[8];
    for (ptrdiff_t i = 0; i < u.n; i++) {
        real g = gradient[i] + decay * w[i];
        real m = mean[i] = mean[i] + rest1 * (g - mean[i]);
        real s = square[i] = beta2 * square[i] + rest2 * g * g;
        real scale = square_root(s / correction) + eps;
        w[i] = w[i] * shrink - (of_gradient * g + of_mean * m) / scale;
    }
}

void nadam(ptrdiff_t count, const updated_tensor *tensors, const double *k, int threads)
{
    update_all(count, tensors, k, threads, nadam_part);
}

/* k: lr over the bias correction of the mean, factor of the adaptive part (0: there is none yet), 1 - beta1,
   beta2, 1 - beta2, eps, weight decay, what decoupled decay multiplies weights by. state as of nadam. */
static void radam_part(updated_tensor u, const double *k)
{
    real *restrict w = u.weight, *restrict mean = u.state[0], *restrict square = u.state[1];
    const real *restrict gradient = u.gradient;
    real lr = k[0], adaptive = k[1], rest1 = k[2], beta2 = k[3], rest2 = k[4], eps = k[5], decay = k[6];
    real shrink = k[7];
    for (ptrdiff_t i = 0; i < u.n; i++) {
        real g = gradient[i] + decay * w[i];
        real m = mean[i] = mean[i] + rest1 * (g - mean[i]);
        real s = square[i] = beta2 * square[i] + rest2 * g * g;
        real factor = adaptive > 0 ? adaptive / (square_root(s) + eps) : 1;
        w[i] = w[i] * shrink - lr * m * factor;
    }
}

void radam(ptrdiff_t count, const updated_tensor *tensors, const double *k, int threads)
{
    update_all(count, tensors, k, threads, radam_part);
}
