/*
 * The seconds of a run, put together so that a chart of any run has a bounded
 * number of points: one second each, then two, four ... Latencies keep what an
 * average would hide: the highest value, and of the p99 of single seconds the
 * lowest and the highest.
 */

#ifndef LP_SERIES_H
#define LP_SERIES_H

#include <stddef.h>

#include "result.h"

typedef struct {
    uint32_t    seconds;  /* that are in it; 0: none was told */
    double      target;   /* clicks expected in them */
    lp_counts_t counts;
    double      p50, p90, p99; /* of all clicks that ended, from schedule, us;
                                  NAN: there was none; INFINITY: too many were
                                  not answered (lp_quantile_of_all_ms()) */
    double      max;           /* the slowest answer; NAN: none */
    double      p99_lowest, p99_highest; /* of single seconds */
} lp_point_t;

typedef struct {
    size_t       most;   /* points at most */
    uint32_t     width;  /* seconds of each: a power of two */
    size_t       n;
    lp_point_t  *point;
    lp_coarse_t *latency; /* of each; until lp_series_end() */
} lp_series_t;

/* most: even. Returns 0; -1: out of memory, after lp_say(). */
int lp_series_begin(lp_series_t *series, size_t most);

/* Seconds may come in any order. */
void lp_series_put(lp_series_t *series, const lp_second_t *second,
                   double target);

/* Works out the quantiles. */
void lp_series_end(lp_series_t *series);

void lp_series_free(lp_series_t *series);

/* When the i-th point is: the middle of its seconds. */
double lp_series_at(const lp_series_t *series, size_t i);

#endif
