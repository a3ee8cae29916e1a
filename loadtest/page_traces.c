/*
 * What the charts are made from: values of points, and the percentile curve.
 */

#include "page.h"

#include <math.h>
#include <stdlib.h>

#include "../workers/say.h"

static double
a_second(const lp_point_t *point, double value)
{
    return point->seconds > 0 ? value / point->seconds : NAN;
}

double
lp_page_asked(const lp_point_t *point)
{
    return a_second(point, point->target);
}

double
lp_page_sent(const lp_point_t *point)
{
    return a_second(point, (double) point->counts.sent);
}

double
lp_page_not_right(const lp_point_t *point)
{
    return a_second(point,
                    (double) (lp_counts_errors(&point->counts)
                              + point->counts.ended[LP_END_MISSED]));
}

double
lp_page_p50(const lp_point_t *point)
{
    return point->p50;
}

double
lp_page_p90(const lp_point_t *point)
{
    return point->p90;
}

double
lp_page_p99(const lp_point_t *point)
{
    return point->p99;
}

double
lp_page_max(const lp_point_t *point)
{
    return point->max;
}

static double *
room(size_t n)
{
    double *values;

    values = calloc(n + 1, sizeof(double));
    if (values == NULL) {
        lp_say("out of memory");
    }

    return values;
}

double *
lp_page_times(const lp_series_t *series)
{
    double *times;
    size_t  i;

    times = room(series->n);
    for (i = 0; times != NULL && i < series->n; i++) {
        times[i] = lp_series_at(series, i);
    }

    return times;
}

double *
lp_page_values(const lp_series_t *series, lp_page_value_t value)
{
    double *values;
    size_t  i;

    values = room(series->n);
    for (i = 0; values != NULL && i < series->n; i++) {
        values[i] = value(&series->point[i]);
    }

    return values;
}

double
lp_page_highest(const lp_series_t *series, lp_page_value_t value, size_t *at)
{
    double highest, here;
    size_t i;

    highest = 0;
    *at = 0;

    for (i = 0; i < series->n; i++) {
        here = value(&series->point[i]);
        if (isfinite(here) && here > highest) {
            highest = here;
            *at = i;
        }
    }

    return highest;
}

double
lp_page_lowest(const lp_series_t *series, lp_page_value_t value)
{
    double lowest;
    size_t i;

    lowest = INFINITY;
    for (i = 0; i < series->n; i++) {
        lowest = fmin(lowest, value(&series->point[i]));
    }

    return isfinite(lowest) ? lowest : 0;
}

int
lp_page_never(const lp_series_t *series, lp_page_value_t value, size_t *at)
{
    for (*at = 0; *at < series->n; (*at)++) {
        if (isinf(value(&series->point[*at]))) {
            return 1;
        }
    }

    return 0;
}

size_t
lp_page_curve(const lp_histogram_t *histogram, uint64_t all, double *x,
              double *y)
{
    double reach, total;
    size_t i, n;

    total = (double) all;
    if (histogram->total == 0 || total < 1) {
        return 0;
    }

    n = (size_t) (40 * log10(total)) + 2;
    n = n < LP_PAGE_CURVE ? n : LP_PAGE_CURVE;

    for (i = 0; i < n; i++) {
        reach = pow(total, (double) i / (double) (n - 1));
        x[i] = reach;
        y[i] = 1000 * lp_quantile_of_all_ms(histogram, all,
                                            i + 1 < n ? 1 - 1 / reach : 1);
    }

    return n;
}
