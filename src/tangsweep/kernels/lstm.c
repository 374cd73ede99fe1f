/* One layer of an LSTM over a whole sequence, forward and backward; equation numbers are those of
   docs/gradients.md. All arrays are contiguous and row-major: gates (T, B, 4H) in the order i, f, g, o,
   h and c (T + 1, B, H) with the initial state first.

   A step is a matrix product and then a function of each unit. Both are done on blocks of ROWS rows by one
   panel of columns: the sums never leave the registers before the unit's state is known. Panels are copied
   from the weights once a sequence, side by side as they are read. A thread owns the same blocks at every
   step, so that a result does not depend on how many threads there are. */
#include "vector.h"
#ifdef _OPENMP
#include <omp.h>
#endif

typedef struct {
    ptrdiff_t blocks, first, end; /* this thread's tasks: task = panel * blocks + block */
    ptrdiff_t batch;
} share;

INLINE ptrdiff_t first_row(const share *s, ptrdiff_t block) { return block * s->batch / s->blocks; }

static share shared_out(ptrdiff_t batch, ptrdiff_t panels, ptrdiff_t threads, ptrdiff_t thread)
{
    ptrdiff_t blocks = (batch + ROWS - 1) / ROWS;
    while (panels * blocks % threads && blocks < batch)
        blocks++;
    ptrdiff_t tasks = panels * blocks;
    return (share){blocks, tasks * thread / threads, tasks * (thread + 1) / threads, batch};
}

/* sums = a (rows, K) times panel (K, 4 vectors); `rows` is a constant, so that the sums are registers. */
INLINE void multiply_rows(
    const int rows, ptrdiff_t K, const real *a, ptrdiff_t stride, const real *panel, vec sums[ROWS][4])
{
    vec kept[ROWS][4] = {{{0}}};
    for (ptrdiff_t k = 0; k < K; k++, panel += 4 * LANES) {
        vec w[4] = {load(panel), load(panel + LANES), load(panel + 2 * LANES), load(panel + 3 * LANES)};
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < 4; v++)
                kept[r][v] += a[r * stride + k] * w[v];
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 4; v++)
            sums[r][v] = kept[r][v];
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

/* A vector from or to memory of which only the first `count` lanes exist. */
INLINE vec take(const real *from, ptrdiff_t count)
{
    if (count >= LANES)
        return load(from);
    real lanes[LANES] __attribute__((aligned(BYTES))) = {0};
    for (ptrdiff_t l = 0; l < count; l++)
        lanes[l] = from[l];
    return load(lanes);
}

INLINE void put(real *to, vec value, ptrdiff_t count)
{
    if (count >= LANES) {
        store(to, value);
        return;
    }
    for (ptrdiff_t l = 0; l < count; l++)
        to[l] = value[l];
}

/* ---- forward -------------------------------------------------------------------------------------- */

/* Panel p of U (H, 4H): for each k the weights into the four gates of units p * LANES and on. */
static void pack_forward(ptrdiff_t H, const real *U, ptrdiff_t p, real *panel)
{
    ptrdiff_t unit = p * LANES, count = H - unit;
    for (ptrdiff_t k = 0; k < H; k++)
        for (int gate = 0; gate < 4; gate++, panel += LANES)
            store(panel, take(U + (k * 4 + gate) * H + unit, count));
}

typedef struct {
    ptrdiff_t T, B, H;
    real *gates, *h, *c, *tanh_c;
} sequence;

/* One block of one step: the product, and (1) to (6) on LANES units. */
static void forward_block(
    ptrdiff_t rows, sequence s, ptrdiff_t t, ptrdiff_t row, ptrdiff_t unit, const real *panel)
{
    ptrdiff_t H = s.H, count = H - unit;
    vec sums[ROWS][4];
    multiply(rows, H, s.h + (t * s.B + row) * H, H, panel, sums);
    for (ptrdiff_t r = 0; r < rows; r++) {
        ptrdiff_t now = (t * s.B + row + r) * H + unit, later = now + s.B * H;
        real *gate = s.gates + (t * s.B + row + r) * 4 * H + unit;
        vec i = sigmoid(sums[r][0] + take(gate, count));
        vec f = sigmoid(sums[r][1] + take(gate + H, count));
        vec g = hyperbolic_tangent(sums[r][2] + take(gate + 2 * H, count));
        vec o = sigmoid(sums[r][3] + take(gate + 3 * H, count));
        vec c = f * take(s.c + now, count) + i * g;
        vec tanh_c = hyperbolic_tangent(c);
        put(gate, i, count), put(gate + H, f, count), put(gate + 2 * H, g, count), put(gate + 3 * H, o, count);
        put(s.c + later, c, count), put(s.tanh_c + now, tanh_c, count), put(s.h + later, o * tanh_c, count);
    }
}

/* ---- backward ------------------------------------------------------------------------------------- */

/* Panel p of U^T (4H, H): for each gate k the weights from units p * 4 * LANES and on. */
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

/* One block of one step: dh from the step after, through U^T, and what the step's gates are due. */
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
                dh += take(s.dh + last, count);
            if (t < 0) {
                put(s.dh + last, dh, count);
                continue;
            }
            ptrdiff_t now = t * s.B * H + last;
            real *gate = s.gates + (t * s.B + row + r) * 4 * H + j;
            vec i = take(gate, count), f = take(gate + H, count), g = take(gate + 2 * H, count);
            vec o = take(gate + 3 * H, count), tanh_c = take(s.tanh_c + now, count);
            if (s.dout)
                dh += take(s.dout + now, count);
            vec dc = take(s.dc + last, count) + dh * o * (1 - tanh_c * tanh_c);
            put(gate, dc * g * i * (1 - i), count);
            put(gate + H, dc * take(s.c + now, count) * f * (1 - f), count);
            put(gate + 2 * H, dc * i * (1 - g * g), count);
            put(gate + 3 * H, dh * tanh_c * o * (1 - o), count);
            put(s.dc + last, dc * f, count);
        }
}

static void forward_step(const share *mine, sequence s, ptrdiff_t t, const real *panels)
{
    for (ptrdiff_t task = mine->first; task < mine->end; task++) {
        ptrdiff_t p = task / mine->blocks, block = task % mine->blocks;
        ptrdiff_t row = first_row(mine, block), rows = first_row(mine, block + 1) - row;
        forward_block(rows, s, t, row, p * LANES, panels + p * s.H * 4 * LANES);
    }
}

static void backward_step(const share *mine, gradient s, ptrdiff_t t, const real *panels)
{
    for (ptrdiff_t task = mine->first; task < mine->end; task++) {
        ptrdiff_t p = task / mine->blocks, block = task % mine->blocks;
        ptrdiff_t row = first_row(mine, block), rows = first_row(mine, block + 1) - row;
        backward_block(rows, s, t, row, p * 4 * LANES, panels + p * 4 * s.H * 4 * LANES);
    }
}

/* ---- what Python calls ---------------------------------------------------------------------------- */

#ifdef _OPENMP
#define THREAD omp_get_thread_num()
#define TEAM omp_get_num_threads()
#else
#define THREAD 0
#define TEAM 1
#endif

/* How many numbers of workspace both directions need. */
ptrdiff_t workspace(ptrdiff_t H)
{
    return 4 * H * ((H + 4 * LANES - 1) / (4 * LANES)) * 4 * LANES; /* the backward pass's; forward needs less */
}

/* gates: x W + b in, activated gates out. */
void forward(
    ptrdiff_t T, ptrdiff_t B, ptrdiff_t H, const real *U, real *gates, real *h, real *c, real *tanh_c,
    real *panels, int threads)
{
    ptrdiff_t count = (H + LANES - 1) / LANES;
    sequence s = {T, B, H, gates, h, c, tanh_c};
#pragma omp parallel num_threads(threads)
    {
        share mine = shared_out(B, count, TEAM, THREAD);
        for (ptrdiff_t p = count * THREAD / TEAM; p < count * (THREAD + 1) / TEAM; p++)
            pack_forward(H, U, p, panels + p * H * 4 * LANES);
        for (ptrdiff_t t = 0; t < T; t++) {
#pragma omp barrier
            forward_step(&mine, s, t, panels);
        }
    }
}

/* gates: activated gates in, their gradients out. dout may be null; dh and dc (B, H): the final state's
   gradient in, the initial state's out. */
void backward(
    ptrdiff_t T, ptrdiff_t B, ptrdiff_t H, const real *U, real *gates, const real *c, const real *tanh_c,
    const real *dout, real *dh, real *dc, real *panels, int threads)
{
    ptrdiff_t count = (H + 4 * LANES - 1) / (4 * LANES);
    gradient s = {T, B, H, gates, c, tanh_c, dout, dh, dc};
#pragma omp parallel num_threads(threads)
    {
        share mine = shared_out(B, count, TEAM, THREAD);
        for (ptrdiff_t p = count * THREAD / TEAM; p < count * (THREAD + 1) / TEAM; p++)
            pack_backward(H, U, p, panels + p * 4 * H * 4 * LANES);
        for (ptrdiff_t t = T - 1; t >= -1; t--) {
#pragma omp barrier
            backward_step(&mine, s, t, panels);
        }
    }
}
