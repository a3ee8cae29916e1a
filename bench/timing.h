/*
 * What the load clients and the signature programs measure with: clocks, and
 * quantiles of what they took.
 */

#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#define SLICES_MAX 4096
#define SLICE_NS   5000000.0

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


/* Nanoseconds of CPU time of this thread. */
static inline double
cpu_ns(void)
{
    struct timespec ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (double) ts.tv_sec * 1e9 + (double) ts.tv_nsec;
}


/*
 * Nanoseconds of CPU time of one call of once(what), the median of slices of
 * some ms: a slice that was disturbed does not count. Returns 0 where a call
 * did not return 1.
 */
static inline double
cpu_ns_of(int (*once)(void *what), void *what, double seconds)
{
    static double  slices[SLICES_MAX];
    size_t         n;
    double         start, began, at;
    unsigned       i, calls;

    n = 0;
    start = cpu_ns();
    at = start;

    while (n < SLICES_MAX && at - start < seconds * 1e9) {
        began = at;

        for (calls = 0; at - began < SLICE_NS; calls += 10) {
            for (i = 0; i < 10; i++) {
                if (once(what) != 1) {
                    return 0;
                }
            }
            at = cpu_ns();
        }

        slices[n++] = (at - began) / calls;
    }

    if (n == 0) {
        return 0;
    }

    qsort(slices, n, sizeof(double), order);

    return slices[n / 2];
}

#endif
