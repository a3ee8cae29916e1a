/*
 * The verdict: what a run says about the target, or why it can't say anything.
 *
 * First comes the tool itself. Where it could not keep its own schedule, what
 * it measured is its own slowness, and no figure of it is a PASS or a FAIL:
 * INVALID, with the thresholds worked out all the same. Then each threshold of
 * the plan, all of them, the wrong redirects first: one of those is a FAIL also
 * by a tool that was slow, for no slowness makes it.
 *
 * A run that was interrupted may FAIL, but never PASS: what comes after the
 * rehearsal must not begin because somebody pressed Ctrl-C. Nor one whose rate
 * was turned down by hand: the target has not borne the plan.
 *
 * Shares are of the clicks that ended, in whatever way: those that were missed
 * count. Quantiles are of all of them too (see result.c).
 */

#include "verdict.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of the clicks that were scheduled; the header says the same of errors. */
#define TOOL_MISSED_MOST 0.001

#define REDIRECTS "wrong_redirects"

/* Room for the luck of a Poisson process: five standard deviations. */
#define LUCK 5

typedef struct {
    const char *name;
    double      share;
    size_t      offset; /* of the limit, in lp_thresholds_t */
} quantile_t;

#define LIMIT(member) offsetof(lp_thresholds_t, member)

static const quantile_t quantiles[] = {
    {"p50_ms", 0.5, LIMIT(p50_ms)},    {"p90_ms", 0.9, LIMIT(p90_ms)},
    {"p99_ms", 0.99, LIMIT(p99_ms)},   {"p999_ms", 0.999, LIMIT(p999_ms)},
    {"max_ms", 1, LIMIT(max_ms)},
};

#define QUANTILES (sizeof(quantiles) / sizeof(quantiles[0]))

static void check_all(lp_result_t *result);
static void check(lp_conclusion_t *conclusion, const char *name, double limit,
                  double value);
static double limit_of(const lp_result_t *result, const quantile_t *quantile);
static void check_api(lp_result_t *result);
static int redirects_broken(const lp_conclusion_t *conclusion);
static double share_of(double part, double all);
static double clicks_at_most(const lp_result_t *result);
static double slower_than(const lp_result_t *result, double ms);


void
lp_result_conclude(lp_result_t *result)
{
    lp_conclusion_t *conclusion = &result->conclusion;
    unsigned         i;

    memset(conclusion, 0, sizeof(*conclusion));
    check_all(result);

    conclusion->pass = result->interrupted || result->lowest < 1 ? LP_INVALID
                                                                 : LP_PASS;
    for (i = 0; i < conclusion->n_checks; i++) {
        if (conclusion->checks[i].broken) {
            conclusion->pass = LP_FAIL;
        }
    }
    if (lp_doubt_of(result) != LP_DOUBT_NONE && !redirects_broken(conclusion))
    {
        conclusion->pass = LP_INVALID;
    }

    lp_conclusion_sentence(result);
}


lp_doubt_t
lp_doubt_of(const lp_result_t *result)
{
    const lp_counts_t *counts = &result->counts;

    if (result->trouble[0] != '\0') {
        return LP_DOUBT_TROUBLE;
    }
    if (counts->scheduled == 0) {
        return LP_DOUBT_NO_CLICK;
    }
    if (lp_slip_ms(result) > result->plan.honesty.slip_p99_ms) {
        return LP_DOUBT_SLIP;
    }
    if ((double) result->missed_by_tool
        > TOOL_MISSED_MOST * (double) counts->scheduled)
    {
        return LP_DOUBT_MISSED;
    }
    if (!result->interrupted && !result->stopped_early
        && lp_counts_ended(counts) != counts->scheduled)
    {
        return LP_DOUBT_LOST;
    }

    return LP_DOUBT_NONE;
}


/* Whether more pupils were sent elsewhere than the plan allows. */
static int
redirects_broken(const lp_conclusion_t *conclusion)
{
    unsigned i;

    for (i = 0; i < conclusion->n_checks; i++) {
        if (strcmp(conclusion->checks[i].name, REDIRECTS) == 0) {
            return conclusion->checks[i].broken;
        }
    }

    return 0;
}


double
lp_slip_ms(const lp_result_t *result)
{
    return (double) lp_histogram_quantile(&result->slip.h, 0.99) / 1000;
}


static void
check_all(lp_result_t *result)
{
    const lp_thresholds_t *limits = &result->plan.thresholds;
    const lp_counts_t     *counts = &result->counts;
    lp_conclusion_t       *conclusion = &result->conclusion;
    double                 all = (double) lp_counts_ended(counts);
    unsigned               i;

    check(conclusion, REDIRECTS, limits->wrong_redirects,
          (double) counts->ended[LP_END_WRONG_REDIRECT]);
    check(conclusion, "errors", limits->errors,
          share_of((double) lp_counts_errors(counts), all));
    check(conclusion, "missed", limits->missed,
          share_of((double) counts->ended[LP_END_MISSED], all));

    for (i = 0; i < QUANTILES; i++) {
        check(conclusion, quantiles[i].name, limit_of(result, &quantiles[i]),
              lp_result_quantile_ms(result, quantiles[i].share));
    }

    check(conclusion, "activation_p99_ms", limits->activation_p99_ms,
          lp_quantile_of_all_ms(&result->activation.h, result->first_uses,
                                0.99));
    check_api(result);
}


/* A limit below 0 was not asked for. */
static void
check(lp_conclusion_t *conclusion, const char *name, double limit,
      double value)
{
    lp_check_t *row = &conclusion->checks[conclusion->n_checks];

    if (limit < 0) {
        return;
    }

    row->name = name;
    row->limit = limit;
    row->value = value;
    row->broken = value > limit;
    conclusion->n_checks++;
}


static double
limit_of(const lp_result_t *result, const quantile_t *quantile)
{
    return *(const double *) (const void *)
        ((const char *) &result->plan.thresholds + quantile->offset);
}


/* Nothing is judged where the plan has no such traffic. */
static void
check_api(lp_result_t *result)
{
    const lp_thresholds_t *limits = &result->plan.thresholds;
    const lp_api_score_t  *api = &result->api;
    uint64_t               all = api->requests + api->missed;

    if (all == 0) {
        return;
    }

    check(&result->conclusion, "api_p99_ms", limits->api_p99_ms,
          lp_quantile_of_all_ms(&api->latency.h, all, 0.99));
    check(&result->conclusion, "api_errors", limits->api_errors,
          share_of((double) (api->errors + api->missed), (double) all));
}


static double
share_of(double part, double all)
{
    return all > 0 ? part / all : 0;
}


/*
 * Only what the rest of the plan can't mend: a limit on a share is out of reach
 * when too many clicks broke it even if every click still to come were right.
 */
int
lp_result_hopeless(const lp_result_t *result, char *sentence, size_t size)
{
    const lp_thresholds_t *limits = &result->plan.thresholds;
    const lp_counts_t     *counts = &result->counts;
    double                 all = clicks_at_most(result), n;
    unsigned               i;

    n = (double) counts->ended[LP_END_WRONG_REDIRECT];
    if (limits->wrong_redirects >= 0 && n > limits->wrong_redirects) {
        snprintf(sentence, size, "%.0f clicks led to a wrong place, allowed "
                 "are %.0f", n, limits->wrong_redirects);
        return 1;
    }

    n = (double) lp_counts_errors(counts);
    if (limits->errors >= 0 && n > limits->errors * all) {
        snprintf(sentence, size, "%.0f clicks went wrong, more than %g %% of "
                 "the whole plan's", n, limits->errors * 100);
        return 1;
    }

    n = (double) counts->ended[LP_END_MISSED];
    if (limits->missed >= 0 && n > limits->missed * all) {
        snprintf(sentence, size, "%.0f clicks were missed, more than %g %% of "
                 "the whole plan's", n, limits->missed * 100);
        return 1;
    }

    for (i = 0; i < QUANTILES; i++) {
        if (limit_of(result, &quantiles[i]) < 0) {
            continue;
        }

        n = slower_than(result, limit_of(result, &quantiles[i]));
        if (n > (1 - quantiles[i].share) * all + 1e-6) {
            snprintf(sentence, size, "%s: %.0f clicks took longer than the "
                     "%g ms allowed, more than %g %% of the whole plan's",
                     quantiles[i].name, n, limit_of(result, &quantiles[i]),
                     (1 - quantiles[i].share) * 100);
            return 1;
        }
    }

    return 0;
}


/* Clicks of this part of the whole plan, if luck and an operator's + make it
   many. */
static double
clicks_at_most(const lp_result_t *result)
{
    double clicks;

    clicks = lp_plan_clicks(&result->plan, lp_plan_seconds(&result->plan))
             / (result->shards > 0 ? result->shards : 1)
             * fmax(1, result->factor);
    clicks += LUCK * sqrt(clicks) + 1;

    return fmax(clicks, (double) lp_counts_ended(&result->counts));
}


static double
slower_than(const lp_result_t *result, double ms)
{
    uint64_t ended = lp_counts_ended(&result->counts),
             answered = result->schedule.h.total;
    double   us = ms * 1000;

    if (us >= (double) LP_HISTOGRAM_HIGHEST) {
        us = (double) LP_HISTOGRAM_HIGHEST;
    }

    return (double) lp_histogram_above(&result->schedule.h, (int64_t) us)
           + (double) (ended > answered ? ended - answered : 0);
}
