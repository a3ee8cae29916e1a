/*
 * What the load clients measure with: a clock, and quantiles of what they took.
 */

#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <stddef.h>
#include <time.h>

/* Seconds of CLOCK_MONOTONIC. */
static inline double
now(void)
{
    struct timespec ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


/* For qsort() of doubles. */
static inline int
order(const void *a, const void *b)
{
    double x, y;

    x = *(const double *) a;
    y = *(const double *) b;

    return (x > y) - (x < y);
}


/* took: n times in order(), n at least 1; q from 0 to 1. */
static inline double
quantile(const double *took, size_t n, double q)
{
    size_t i;

    i = (size_t) (q * (double) n);

    return took[i < n ? i : n - 1];
}

#endif
