/* Vectors of REAL (float or double) by the compilers' own extension, and the functions an LSTM needs.

   No intrinsics: the same source serves AVX-512, AVX2 and NEON. Nothing here may assume that numbers are
   finite: a run that diverges is known by its NaN. */
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
#define ROUNDER 0x1.8p52
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

#if defined(__AVX512F__)
#define BYTES 64
#define ROWS 6 /* of a block: ROWS x 4 sums stay in registers */
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
typedef integer whole __attribute__((vector_size(BYTES)));
typedef real anywhere __attribute__((vector_size(BYTES), aligned(sizeof(real)), may_alias));

INLINE vec load(const real *from) { return *(const anywhere *)from; }
INLINE void store(real *to, vec value) { *(anywhere *)to = value; }
INLINE vec all(real value) { return value - (vec){0}; }
INLINE vec either(whole mask, vec yes, vec no) { return (vec)((mask & (whole)yes) | (~mask & (whole)no)); }

/* Comparisons are false for NaN, so that it passes through. */
INLINE vec at_most(vec x, real limit) { return either(x > all(limit), all(limit), x); }
INLINE vec at_least(vec x, real limit) { return either(x < all(limit), all(limit), x); }
INLINE vec larger(vec x, vec y) { return either(x < y, y, x); }

/* x = n ln 2 + rest, |rest| <= ln(2)/2: 2^n is returned, the rest written. */
INLINE vec power_of_two(vec x, vec *rest)
{
    vec shifted = x * LOG2_E + ROUNDER;
    vec n = shifted - ROUNDER;
    *rest = (x - n * LN2_HIGH) - n * LN2_LOW;
    whole exponent = ((whole)shifted - (whole)all(ROUNDER)) + BIAS;
    return (vec)(exponent << MANTISSA);
}

/* (e^x - 1) / x for |x| <= ln(2)/2. */
INLINE vec series(vec x)
{
    vec sum = all(1);
#pragma GCC unroll 16
    for (int k = TERMS; k > 1; k--)
        sum = 1 + sum * (x * ((real)1 / k));
    return sum;
}

/* e^x for x up to LARGEST; below -LARGEST the smallest normal numbers. */
INLINE vec exponential(vec x)
{
    vec rest, scale = power_of_two(at_least(at_most(x, LARGEST), -LARGEST), &rest);
    return scale + scale * (rest * series(rest));
}

INLINE vec sigmoid(vec x) { return 1 / (1 + exponential(-x)); }

/* d / (d + 2) with d = e^2x - 1, which keeps its relative accuracy around 0. */
INLINE vec hyperbolic_tangent(vec x)
{
    vec rest, scale = power_of_two(at_least(at_most(x + x, 40), -40), &rest);
    vec d = (scale - 1) + scale * (rest * series(rest));
    return d / (d + 2);
}
