/* One LSTM layer over a whole sequence, forward and backward; equation numbers are those of
   docs/gradients.md. All arrays are contiguous and row-major: gates (T, B, 4H) in the order i, f, g, o, and
   h and c (T + 1, B, H) with the initial state first.

   A step is a matrix product, and then a function of each unit. Both are computed on a block of ROWS rows (of
   the batch) by one panel of columns: the sums stay in registers until the unit's state is known. Panels are
   copied from the weights once for each sequence, in the order in which they are read. A thread computes the
   same blocks at every step, so that the result does not depend on the number of threads. */
#include "vector.h"
#ifdef _OPENMP
#include <omp.h>
#endif

typedef struct {
    ptrdiff_t blocks, first, end; /* this thread's tasks: task = panel * blocks + block */
    ptrdiff_t batch;
} thread_share;

INLINE ptrdiff_t first_row(const thread_share *s, ptrdiff_t block) { return block * s->batch / s->blocks; }

/* Divide blocks x panels among the threads; smaller blocks where the tasks would not divide evenly. */
static thread_share share_of_thread(ptrdiff_t batch, ptrdiff_t panels, ptrdiff_t threads, ptrdiff_t thread)
{
    ptrdiff_t blocks = (batch + ROWS - 1) / ROWS;
    while (panels * blocks % threads && blocks < batch)
        blocks++;
    ptrdiff_t tasks = panels * blocks;
    return (thread_share){blocks, tasks * thread / threads, tasks * (thread + 1) / threads, batch};
}

/* sums = a (rows, K) times panel (K, 4 vectors); `rows` is a constant, so that the sums stay in registers. */
INLINE void multiply_rows(
    const int rows, ptrdiff_t K, const real *a, ptrdiff_t stride, const real *panel, vec sums[ROWS][4])
{
    vec acc[ROWS][4] = {{{0}}};
    for (ptrdiff_t k = 0; k < K; k++, panel += 4 * LANES) {
        vec w[4] = {load(panel), load(panel + LANES), load(panel + 2 * LANES), load(panel + 3 * LANES)};
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < 4; v++)
                acc[r][v] += a[r * stride + k] * w[v];
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 4; v++)
            sums[r][v] = acc[r][v];
}

static void multiply(
    ptrdiff_t rows, ptrdiff_t K, const real *a, ptrdiff_t stride, const real *panel, vec sums[ROWS][4])
{
    switch (rows) {
    case 1: multiply_rows(1, K, a, stride, panel, sums); break;
    case 2: multiply_rows(2, K, a, stride, panel, sums); break;
    case 3: multiply_rows(3, K, a, stride, panel, sums); break;
#if ROWS > 3
    case 4: multiply_rows(4, K, a, stride, panel, sums); break;
    case 5: multiply_rows(5, K, a, stride, panel, sums); break;
    case 6: multiply_rows(6, K, a, stride, panel, sums); break;
#endif
    }
}

/* Load or store a vector of which only the first `count` lanes exist in memory. */
INLINE vec load_lanes(const real *from, ptrdiff_t count)
{
    if (count >= LANES)
        return load(from);
    real lanes[LANES] __attribute__((aligned(BYTES))) = {0};
    for (ptrdiff_t l = 0; l < count; l++)
        lanes[l] = from[l];
    return load(lanes);
}

INLINE void store_lanes(real *to, vec value, ptrdiff_t count)
{
    if (count >= LANES) {
        store(to, value);
        return;
    }
    for (ptrdiff_t l = 0; l < count; l++)
        to[l] = value[l];
}

/* ---- forward -------------------------------------------------------------------------------------- */

/* Copy panel p of U (H, 4H): for each k the weights into the four gates of LANES units from p * LANES on. */
static void pack_forward(ptrdiff_t H, const real *U, ptrdiff_t p, real *panel)
{
    ptrdiff_t unit = p * LANES, count = H - unit;
    for (ptrdiff_t k = 0; k < H; k++)
        for (int gate = 0; gate < 4; gate++, panel += LANES)
            store(panel, load_lanes(U + (k * 4 + gate) * H + unit, count));
}

typedef struct {
    ptrdiff_t T, B, H;
    real *gates, *h, *c, *tanh_c;
} sequence;

/* One block of one step: the matrix product, then equations 1 to 6 on LANES units. */
static void forward_block(
    ptrdiff_t rows, sequence s, ptrdiff_t t, ptrdiff_t row, ptrdiff_t unit, const real *panel)
{
    ptrdiff_t H = s.H, count = H - unit;
    vec sums[ROWS][4];
    multiply(rows, H, s.h + (t * s.B + row) * H, H, panel, sums);
    for (ptrdiff_t r = 0; r < rows; r++) {
        ptrdiff_t now = (t * s.B + row + r) * H + unit, later = now + s.B * H;
        real *gate = s.gates + (t * s.B + row + r) * 4 * H + unit;
        vec i = sigmoid(sums[r][0] + load_lanes(gate, count));
        vec f = sigmoid(sums[r][1] + load_lanes(gate + H, count));
        vec g = hyperbolic_tangent(sums[r][2] + load_lanes(gate + 2 * H, count));
        vec o = sigmoid(sums[r][3] + load_lanes(gate + 3 * H, count));
        vec c = f * load_lanes(s.c + now, count) + i * g;
        vec tanh_c = hyperbolic_tangent(c);
        store_lanes(gate, i, count), store_lanes(gate + H, f, count);
        store_lanes(gate + 2 * H, g, count), store_lanes(gate + 3 * H, o, count);
        store_lanes(s.h + later, o * tanh_c, count), store_lanes(s.c + later, c, count);
        store_lanes(s.tanh_c + now, tanh_c, count);
    }
}

/* ---- backward ------------------------------------------------------------------------------------- */

/* Copy panel p of U^T (4H, H): for each gate k the weights from 4 * LANES units, from p * 4 * LANES on. */
static void pack_backward(ptrdiff_t H, const real *U, ptrdiff_t p, real *panel)
{
    ptrdiff_t unit = p * 4 * LANES, count = H - unit < 4 * LANES ? H - unit : 4 * LANES;
    for (ptrdiff_t k = 0; k < 4 * H; k += LANES)
        for (ptrdiff_t j = 0; j < 4 * LANES; j++)
            for (ptrdiff_t l = k; l < k + LANES && l < 4 * H; l++)
                panel[l * 4 * LANES + j] = j < count ? U[(unit + j) * 4 * H + l] : 0;
}

typedef struct {
    ptrdiff_t T, B, H;
    real *gates;
    const real *c, *tanh_c, *dout;
    real *dh, *dc;
} gradient;

/* One block of one step, equations 13 to 18; t = -1 stores the gradient of the initial h. */
static void backward_block(
    ptrdiff_t rows, gradient s, ptrdiff_t t, ptrdiff_t row, ptrdiff_t unit, const real *panel)
{
    ptrdiff_t H = s.H;
    vec sums[ROWS][4] = {{{0}}};
    if (t + 1 < s.T)
        multiply(rows, 4 * H, s.gates + ((t + 1) * s.B + row) * 4 * H, 4 * H, panel, sums);
    for (ptrdiff_t r = 0; r < rows; r++)
        for (int v = 0; v < 4 && unit + v * LANES < H; v++) {
            ptrdiff_t j = unit + v * LANES, count = H - j, last = (row + r) * H + j;
            vec dh = sums[r][v];
            if (t + 1 == s.T)
                dh += load_lanes(s.dh + last, count);
            if (t < 0) {
                store_lanes(s.dh + last, dh, count);
                continue;
            }
            ptrdiff_t now = t * s.B * H + last;
            real *gate = s.gates + (t * s.B + row + r) * 4 * H + j;
            vec i = load_lanes(gate, count), f = load_lanes(gate + H, count);
            vec g = load_lanes(gate + 2 * H, count), o = load_lanes(gate + 3 * H, count);
            vec tanh_c = load_lanes(s.tanh_c + now, count);
            if (s.dout)
                dh += load_lanes(s.dout + now, count);
            vec dc = load_lanes(s.dc + last, count) + dh * o * (1 - tanh_c * tanh_c);
            store_lanes(gate, dc * g * i * (1 - i), count);
            store_lanes(gate + H, dc * load_lanes(s.c + now, count) * f * (1 - f), count);
            store_lanes(gate + 2 * H, dc * i * (1 - g * g), count);
            store_lanes(gate + 3 * H, dh * tanh_c * o * (1 - o), count);
            store_lanes(s.dc + last, dc * f, count);
        }
}

static void forward_step(const thread_share *mine, sequence s, ptrdiff_t t, const real *panels)
{
    for (ptrdiff_t task = mine->first; task < mine->end; task++) {
        ptrdiff_t p = task / mine->blocks, block = task % mine->blocks;
        ptrdiff_t row = first_row(mine, block), rows = first_row(mine, block + 1) - row;
        forward_block(rows, s, t, row, p * LANES, panels + p * s.H * 4 * LANES);
    }
}

static void backward_step(const thread_share *mine, gradient s, ptrdiff_t t, const real *panels)
{
    for (ptrdiff_t task = mine->first; task < mine->end; task++) {
        ptrdiff_t p = task / mine->blocks, block = task % mine->blocks;
        ptrdiff_t row = first_row(mine, block), rows = first_row(mine, block + 1) - row;
        backward_block(rows, s, t, row, p * 4 * LANES, panels + p * 4 * s.H * 4 * LANES);
    }
}

/* ---- called from Python --------------------------------------------------------------------------- */

#ifdef _OPENMP
#define THREAD omp_get_thread_num()
#define THREADS omp_get_num_threads()
#else
#define THREAD 0
#define THREADS 1
#endif

/* How many numbers the workspace `panels` holds; the forward pass needs fewer than the backward pass. */
ptrdiff_t workspace(ptrdiff_t H)
{
    return 4 * H * ((H + 4 * LANES - 1) / (4 * LANES)) * 4 * LANES;
}

/* gates hold x W + b and become the activated gates; h, c and tanh_c are filled. */
void forward(
    ptrdiff_t T, ptrdiff_t B, ptrdiff_t H, const real *U, real *gates, real *h, real *c, real *tanh_c,
    real *panels, int threads)
{
    ptrdiff_t count = (H + LANES - 1) / LANES;
    sequence s = {T, B, H, gates, h, c, tanh_c};
#pragma omp parallel num_threads(threads)
    {
        thread_share mine = share_of_thread(B, count, THREADS, THREAD);
        for (ptrdiff_t p = count * THREAD / THREADS; p < count * (THREAD + 1) / THREADS; p++)
            pack_forward(H, U, p, panels + p * H * 4 * LANES);
        for (ptrdiff_t t = 0; t < T; t++) {
#pragma omp barrier
            forward_step(&mine, s, t, panels);
        }
    }
}

/* gates hold the activated gates and become the gradient of x W + b. dout (T, B, H) is the gradient of all
   hidden states, or null. dh and dc (B, H) hold the gradient of the final state and become that of the
   initial state. */
void backward(
    ptrdiff_t T, ptrdiff_t B, ptrdiff_t H, const real *U, real *gates, const real *c, const real *tanh_c,
    const real *dout, real *dh, real *dc, real *panels, int threads)
{
    ptrdiff_t count = (H + 4 * LANES - 1) / (4 * LANES);
    gradient s = {T, B, H, gates, c, tanh_c, dout, dh, dc};
#pragma omp parallel num_threads(threads)
    {
        thread_share mine = share_of_thread(B, count, THREADS, THREAD);
        for (ptrdiff_t p = count * THREAD / THREADS; p < count * (THREAD + 1) / THREADS; p++)
            pack_backward(H, U, p, panels + p * 4 * H * 4 * LANES);
        for (ptrdiff_t t = T - 1; t >= -1; t--) {
#pragma omp barrier
            backward_step(&mine, s, t, panels);
        }
    }
}
