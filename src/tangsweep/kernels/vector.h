/* SIMD vectors of `real`, float or double, by the compilers' vector extension, and the functions that the
   kernels need.

   There are no intrinsics: the same source serves AVX-512, AVX2 and NEON. Nothing here may assume that
   numbers are finite, because a run that diverges is recognized by its NaN. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef DOUBLE
typedef double real;
typedef int64_t integer;
#define TERMS 13 /* of the exponential's Taylor series: the error on |x| <= ln(2)/2 is below rounding */
#define MANTISSA 52
#define BIAS 1023
#define LARGEST 700
#define LN2_HIGH 0x1.62e42fefap-1
#define LN2_LOW 0x1.cf79abc9e3b398p-40
#define ROUNDER 0x1.8p52 /* adding it rounds to an integer, which stands in the low bits of the sum */
#else
typedef float real;
typedef int32_t integer;
#define TERMS 7
#define MANTISSA 23
#define BIAS 127
#define LARGEST 87
#define LN2_HIGH 0x1.62e4p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
#define ROUNDER 0x1.8p23f
#endif
#define LOG2_E ((real)1.4426950408889634074)

/* BYTES of a vector register; ROWS of a block, chosen so that ROWS x 4 sums stay in registers. */
#if defined(__AVX512F__)
#define BYTES 64
#define ROWS 6
#elif defined(__AVX__)
#define BYTES 32
#define ROWS 3
#else
#define BYTES 16
#define ROWS 6
#endif
#define LANES ((ptrdiff_t)(BYTES / sizeof(real)))
#define INLINE static inline __attribute__((always_inline))

typedef real vec __attribute__((vector_size(BYTES)));
typedef integer int_vec __attribute__((vector_size(BYTES)));
typedef real unaligned_vec __attribute__((vector_size(BYTES), aligned(sizeof(real)), may_alias));

INLINE vec load(const real *from) { return *(const unaligned_vec *)from; }
INLINE void store(real *to, vec value) { *(unaligned_vec *)to = value; }
INLINE vec broadcast(real value) { return value - (vec){0}; }
INLINE vec blend(int_vec mask, vec yes, vec no)
{
    return (vec)((mask & (int_vec)yes) | (~mask & (int_vec)no));
}

/* Comparisons with NaN are false, so that a NaN in x is returned. */
INLINE vec clamp_above(vec x, real limit) { return blend(x > broadcast(limit), broadcast(limit), x); }
INLINE vec clamp_below(vec x, real limit) { return blend(x < broadcast(limit), broadcast(limit), x); }
INLINE vec maximum(vec x, vec y) { return blend(x < y, y, x); }

/* Split x = n ln 2 + rest with |rest| <= ln(2)/2; return 2^n. */
INLINE vec power_of_two(vec x, vec *rest)
{
    vec shifted = x * LOG2_E + ROUNDER;
    vec n = shifted - ROUNDER;
    *rest = (x - n * LN2_HIGH) - n * LN2_LOW;
    int_vec exponent = ((int_vec)shifted - (int_vec)broadcast(ROUNDER)) + BIAS;
    return (vec)(exponent << MANTISSA);
}

/* (e^x - 1) / x for |x| <= ln(2)/2, by its Taylor series. */
INLINE vec taylor_series(vec x)
{
    vec sum = broadcast(1);
#pragma GCC unroll 16
    for (int k = TERMS; k > 1; k--)
        sum = 1 + sum * (x * ((real)1 / k));
    return sum;
}

/* e^x for x up to LARGEST; below -LARGEST the smallest normal numbers. */
INLINE vec exponential(vec x)
{
    vec rest, scale = power_of_two(clamp_below(clamp_above(x, LARGEST), -LARGEST), &rest);
    return scale + scale * (rest * taylor_series(rest));
}

INLINE vec sigmoid(vec x) { return 1 / (1 + exponential(-x)); }

/* d / (d + 2) with d = e^2x - 1, which keeps its relative accuracy around 0. */
INLINE vec hyperbolic_tangent(vec x)
{
    vec rest, scale = power_of_two(clamp_below(clamp_above(x + x, 40), -40), &rest);
    vec d = (scale - 1) + scale * (rest * taylor_series(rest));
    return d / (d + 2);
}
