/*
 * Putting seconds together. When a second comes for which there is no room,
 * all points are merged in pairs; so one pass over the file is enough, whatever
 * its length.
 */

#include "series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../workers/say.h"

static void
empty(lp_series_t *series, size_t i)
{
    lp_point_t *point;

    point = &series->point[i];
    memset(point, 0, sizeof(*point));
    point->p99_lowest = NAN;
    point->p99_highest = NAN;
    lp_histogram_reset(&series->latency[i].h, LP_COARSE);
}

int
lp_series_begin(lp_series_t *series, size_t most)
{
    size_t i;

    memset(series, 0, sizeof(*series));
    series->most = most;
    series->width = 1;
    series->point = calloc(most, sizeof(lp_point_t));
    series->latency = calloc(most, sizeof(lp_coarse_t));

    if (series->point == NULL || series->latency == NULL) {
        lp_series_free(series);
        lp_say("out of memory");
        return -1;
    }

    for (i = 0; i < most; i++) {
        empty(series, i);
    }

    return 0;
}

static void
add_point(lp_point_t *into, const lp_point_t *from)
{
    into->seconds += from->seconds;
    into->target += from->target;
    lp_counts_add(&into->counts, &from->counts);
    into->p99_lowest = fmin(into->p99_lowest, from->p99_lowest);
    into->p99_highest = fmax(into->p99_highest, from->p99_highest);
}

/* Merges each two neighbours; the second half is empty then. */
static void
halve(lp_series_t *series)
{
    size_t i;

    for (i = 1; i < series->n; i++) {
        if (i % 2 == 0) {
            series->point[i / 2] = series->point[i];
            series->latency[i / 2] = series->latency[i];

        } else {
            add_point(&series->point[i / 2], &series->point[i]);
            lp_histogram_add(&series->latency[i / 2].h,
                             &series->latency[i].h);
        }
        empty(series, i);
    }

    series->n = (series->n + 1) / 2;
    series->width *= 2;
}

void
lp_series_put(lp_series_t *series, const lp_second_t *second, double target)
{
    size_t     i;
    lp_point_t alone;

    if (second->second < 0 || second->second > 2 * LP_PLAN_SECONDS_MAX) {
        return;
    }

    while ((size_t) second->second / series->width >= series->most) {
        halve(series);
    }

    i = (size_t) second->second / series->width;
    if (i >= series->n) {
        series->n = i + 1;
    }

    memset(&alone, 0, sizeof(alone));
    alone.seconds = 1;
    alone.target = isfinite(target) ? target : 0;
    alone.counts = second->counts;
    alone.p99_lowest = NAN;
    alone.p99_highest = NAN;

    if (lp_counts_ended(&second->counts) > 0) {
        alone.p99_lowest = 1000 * lp_second_quantile_ms(second, 0.99);
        alone.p99_highest = alone.p99_lowest;
    }

    add_point(&series->point[i], &alone);
    lp_histogram_add(&series->latency[i].h, &second->latency.h);
}

void
lp_series_end(lp_series_t *series)
{
    size_t                i;
    uint64_t              ended;
    lp_point_t           *point;
    const lp_histogram_t *h;

    for (i = 0; i < series->n; i++) {
        point = &series->point[i];
        h = &series->latency[i].h;
        ended = lp_counts_ended(&point->counts);

        point->max = h->total > 0 ? (double) h->max : NAN;
        if (ended == 0) {
            point->p50 = point->p90 = point->p99 = NAN;
            continue;
        }

        point->p50 = 1000 * lp_quantile_of_all_ms(h, ended, 0.5);
        point->p90 = 1000 * lp_quantile_of_all_ms(h, ended, 0.9);
        point->p99 = 1000 * lp_quantile_of_all_ms(h, ended, 0.99);
    }

    free(series->latency);
    series->latency = NULL;
}

void
lp_series_free(lp_series_t *series)
{
    free(series->point);
    free(series->latency);
    series->point = NULL;
    series->latency = NULL;
}

double
lp_series_at(const lp_series_t *series, size_t i)
{
    return ((double) i + 0.5) * series->width;
}
