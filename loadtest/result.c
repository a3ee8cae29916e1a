/*
 * What a run's result is made from, and the one figure that has to be worked
 * out with care: a quantile of all clicks, where some were never answered.
 *
 * The histogram holds the clicks that have a time: answered, or given up after
 * it. One that was refused, reset or never sent has none; leaving it out would
 * make a target that drops its slowest tenth look fast. So a quantile is taken
 * over all clicks that ended; those without a time stand behind the slowest.
 */

#include "result.h"

#include <math.h>
#include <string.h>


void
lp_result_reset(lp_result_t *result)
{
    memset(result, 0, sizeof(*result));
    result->shards = 1;
    result->scale = 1;
    result->factor = 1;
    result->lowest = 1;
    lp_histogram_reset(&result->schedule.h, LP_FINE);
    lp_histogram_reset(&result->service.h, LP_FINE);
    lp_histogram_reset(&result->activation.h, LP_FINE);
    lp_histogram_reset(&result->connect.h, LP_FINE);
    lp_histogram_reset(&result->slip.h, LP_FINE);
    lp_histogram_reset(&result->api.latency.h, LP_FINE);
}


void
lp_result_take(lp_result_t *result, const lp_score_t *score)
{
    lp_counts_add(&result->counts, &score->counts);
    lp_histogram_add(&result->schedule.h, &score->schedule.h);
    lp_histogram_add(&result->service.h, &score->service.h);
    lp_histogram_add(&result->activation.h, &score->activation.h);
    lp_histogram_add(&result->connect.h, &score->connect.h);
    lp_histogram_add(&result->slip.h, &score->slip.h);
    result->missed_by_tool += score->missed_by_tool;
    result->most_open += score->most_open;
    result->first_uses += score->first_uses;
}


double
lp_result_quantile_ms(const lp_result_t *result, double share)
{
    return lp_quantile_of_all_ms(&result->schedule.h,
                                 lp_counts_ended(&result->counts), share);
}


double
lp_second_quantile_ms(const lp_second_t *second, double share)
{
    return lp_quantile_of_all_ms(&second->latency.h,
                                 lp_counts_ended(&second->counts), share);
}


double
lp_quantile_of_all_ms(const lp_histogram_t *histogram, uint64_t all,
                      double share)
{
    double rank;

    if (all <= histogram->total) {
        return (double) lp_histogram_quantile(histogram, share) / 1000;
    }

    rank = share * (double) all;
    rank = fmax(1, ceil(nextafter(rank, 0)));
    if (rank > (double) histogram->total) {
        return INFINITY;
    }

    return (double) lp_histogram_quantile(histogram,
                                          rank / (double) histogram->total)
           / 1000;
}
