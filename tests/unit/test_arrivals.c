/*
 * Protects the schedule: gaps and counts follow the plan's curve (Kolmogorov-
 * Smirnov and chi-square, of fixed seeds, bounds at about one in 10,000);
 * classes, double clicks, tokens used again and shares are as the plan says;
 * all of it together is the curve; shards add up to the whole, click for click.
 */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../loadtest/arrivals.h"

static const lp_census_t census = {
    .seed = 5,
    .pupils = 50000,
    .products = 400,
    .zipf = 1,
    .day = 20260901,
    .share = {[LP_HOLD_ENTITLED] = 0.05, [LP_HOLD_NONE] = 0.04,
              [LP_HOLD_ENDED] = 0.02, [LP_HOLD_OPEN] = 0.01},
    .algs = "ES256:1",
};

static lp_population_t *population;
static lp_plan_t        plan;
static lp_arrival_t    *clicks; /* of the last run */
static size_t           n_clicks;

static int
make_population(void **state)
{
    (void) state;
    population = lp_population_of(&census);
    return population == NULL ? -1 : 0;
}

static int
drop_population(void **state)
{
    (void) state;
    free(clicks);
    lp_population_close(population);
    return 0;
}

/* One stage, without anything else. */
static void
plan_of(lp_stage_t stage)
{
    memset(&plan, 0, sizeof(plan));
    plan.seed = 11;
    plan.stages[0] = stage;
    plan.n_stages = 1;
    plan.classes.seconds = 45;
    plan.clicks.denied = -1;
    plan.clicks.spread = -1;
    plan.tokens.reuse = 1;
    plan.tokens.think_s = 20;
}

static void
plan_level(double rate, double seconds)
{
    plan_of((lp_stage_t) {.shape = LP_SHAPE_CONSTANT, .rate = rate,
                          .seconds = seconds});
}

static void
run_shard(unsigned shard, unsigned shards)
{
    lp_arrivals_t *arrivals = lp_arrivals_create(&plan, population, shard,
                                                 shards);
    size_t         room = 0;
    int64_t        end = (int64_t) (lp_plan_seconds(&plan) * 1e9);
    int            rc = 1;
    void          *more;

    assert_non_null(arrivals);
    for (n_clicks = 0;; n_clicks++) {
        if (n_clicks == room) {
            room = room > 0 ? 2 * room : 4096;
            more = realloc(clicks, room * sizeof(*clicks));
            assert_non_null(more);
            clicks = more;
        }
        memset(&clicks[n_clicks], 0, sizeof(*clicks));
        rc = lp_arrivals_next(arrivals, &clicks[n_clicks]);
        if (rc != 1) {
            break;
        }
        assert_in_range(clicks[n_clicks].at_ns, 0, end - 1);
        assert_true(n_clicks == 0 || clicks[n_clicks].at_ns
                                         >= clicks[n_clicks - 1].at_ns);
        assert_true(clicks[n_clicks].member
                    < lp_population_members(population));
        assert_true(clicks[n_clicks].slot < LP_SHELF
                    || clicks[n_clicks].slot == LP_SLOT_UNKNOWN);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(lp_arrivals_next(arrivals, &clicks[n_clicks]), 0);
    lp_arrivals_destroy(arrivals);
}

static void
run(void)
{
    run_shard(0, 1);
}

static void
near(double value, double expected, double within)
{
    if (!(fabs(value - expected) <= within)) {
        fail_msg("%.12g, not %.12g within %g", value, expected, within);
    }
}

/* A share of n draws, within four deviations. */
static void
near_share(double count, double n, double share)
{
    near(count / n, share, 4 * sqrt(share * (1 - share) / n) + 1e-9);
}

static int
in_order(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

/* The largest distance of sorted values from uniform ones, times sqrt(n):
   above 2.23 once in 10,000. */
static double
kolmogorov(double *values, size_t n)
{
    size_t i;
    double far = 0;

    qsort(values, n, sizeof(*values), in_order);
    for (i = 0; i < n; i++) {
        far = fmax(far, fabs(values[i] - (double) i / (double) n));
        far = fmax(far, fabs(values[i] - (double) (i + 1) / (double) n));
    }
    return far * sqrt((double) n);
}

/* Gaps, measured in clicks that the curve expects, must be exponential. */
static double
gap_distance(void)
{
    double *gaps = calloc(n_clicks, sizeof(*gaps)), last = 0, now, far;
    size_t  i;

    assert_non_null(gaps);
    for (i = 0; i < n_clicks; i++) {
        now = lp_plan_clicks(&plan, (double) clicks[i].at_ns / 1e9);
        gaps[i] = -expm1(last - now);
        last = now;
    }
    far = kolmogorov(gaps, n_clicks);
    free(gaps);
    return far;
}

/*
 * Chi-square of the counts in bins of seconds against the curve, as so many
 * standard deviations of a chi-square (Wilson and Hilferty's cube root).
 */
static double
count_distance(double bin)
{
    enum { BINS_MAX = 1000 };
    static double counts[BINS_MAX];
    unsigned      n = (unsigned) ceil(lp_plan_seconds(&plan) / bin - 1e-9);
    unsigned      i, used = 0;
    double        expected, sum = 0, k;
    size_t        j;

    assert_true(n <= BINS_MAX);
    memset(counts, 0, sizeof(counts));
    for (j = 0; j < n_clicks; j++) {
        counts[(unsigned) ((double) clicks[j].at_ns / 1e9 / bin)]++;
    }
    for (i = 0; i < n; i++) {
        expected = lp_plan_clicks(&plan, (i + 1) * bin)
                   - lp_plan_clicks(&plan, i * bin);
        if (expected < 5) {
            continue; /* too few for the formula */
        }
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
        used++;
    }
    assert_true(used > 10);
    k = 2.0 / (9 * used);
    return (cbrt(sum / used) - (1 - k)) / sqrt(k);
}

static const lp_stage_t shapes[] = {
    {.shape = LP_SHAPE_CONSTANT, .seconds = 100, .rate = 300},
    {.shape = LP_SHAPE_LINEAR, .seconds = 100, .from = 0, .to = 600},
    {.shape = LP_SHAPE_LINEAR, .seconds = 100, .from = 600, .to = 10},
    {.shape = LP_SHAPE_STEP, .seconds = 100, .from = 10, .to = 400,
     .steps = 7},
    {.shape = LP_SHAPE_SPIKE, .seconds = 100, .rate = 100, .peak = 3000,
     .at = 31, .width = 5},
    {.shape = LP_SHAPE_BELL, .seconds = 200, .rate = 20, .peak = 500,
     .at = 90, .sigma = 25},
};

static void
test_every_shape_follows_its_formula(void **state)
{
    unsigned i;
    double   expected;

    (void) state;
    for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        plan_of(shapes[i]);
        plan.n_spikes = i % 2;
        plan.spikes[0] = (lp_spike_t) {.at = 40, .seconds = 7, .rate = 900};
        run();
        expected = lp_plan_clicks(&plan, 1e9);
        near((double) n_clicks, expected, 4 * sqrt(expected));
        near(gap_distance(), 0, 2.23);
        near(count_distance(1.0), 0, 3.9);
    }
}

/* The tests above must be able to fail: a curve a little off is seen. */
static void
test_another_curve_is_seen(void **state)
{
    (void) state;
    plan_level(300, 100);
    run();
    plan.stages[0].rate = 320;
    assert_true(gap_distance() > 2.23);
    plan_of(shapes[5]);
    run();
    plan.stages[0].sigma = 27;
    assert_true(count_distance(1.0) > 3.9);
}

static void
test_even_gaps_are_even(void **state)
{
    size_t i;

    (void) state;
    plan_level(250, 40);
    plan.even = 1;
    run();
    assert_int_equal(n_clicks, 10000);
    for (i = 0; i < n_clicks; i++) {
        near((double) clicks[i].at_ns, (double) i * 4e6 + 2e6, 2);
    }
    plan_of(shapes[5]);
    plan.even = 1;
    run();
    for (i = 0; i < n_clicks; i++) {
        near(lp_plan_clicks(&plan, (double) clicks[i].at_ns / 1e9),
             (double) i + 0.5, 1e-5);
    }
}

static void
test_the_seed_decides(void **state)
{
    lp_arrival_t *first;
    size_t        n;

    (void) state;
    plan_level(500, 20);
    plan.classes.share = 0.5;
    plan.clicks.doubled = 0.1;
    run();
    first = clicks;
    n = n_clicks;
    clicks = NULL;
    run();
    assert_int_equal(n_clicks, n);
    assert_memory_equal(clicks, first, n * sizeof(*clicks));
    plan.seed++;
    run();
    assert_true(n_clicks != n || memcmp(clicks, first,
                                       n * sizeof(*clicks)) != 0);
    free(first);
}

/* Everything at once, as shipped plans have it. */
static void
plan_busy(void)
{
    plan_level(600, 400);
    plan.classes.share = 0.6;
    plan.clicks.expired = 0.03;
    plan.clicks.forged = 0.01;
    plan.clicks.no_token = 0.02;
    plan.clicks.unknown_product = 0.015;
    plan.clicks.paths = 0.1;
    plan.clicks.doubled = 0.05;
    plan.tokens.reuse = 4;
    plan.connections.fresh = 0.8;
    plan.connections.resumed = 0.25;
}

/* Classes make counts scatter more than single clicks: by their size. */
static void
test_the_total_is_the_curve(void **state)
{
    double   sum, counts[8] = {0}, size;
    unsigned i;
    size_t   j;

    (void) state;
    plan_busy();
    for (i = 0, sum = 0; i < 8; i++) {
        plan.seed = 100 + i;
        run();
        sum += (double) n_clicks;
        for (j = 0; j < n_clicks; j++) {
            counts[clicks[j].at_ns / 50000000000]++;
        }
    }
    /* 1.9 million clicks, 60 % of them 25 at once: a deviation of 0.3 % */
    near(sum / 8 / (600 * 400), 1, 0.01);
    size = sqrt(600 * 50 * 8 * 16.0) / (600 * 50 * 8);
    for (i = 0; i < 8; i++) {
        near(counts[i] / 8 / (600 * 50), 1, 4 * size);
    }
    /* from the first second on */
    for (i = 0, sum = 0; i < 8; i++) {
        plan.seed = 200 + i;
        plan.stages[0].seconds = 5;
        run();
        sum += (double) n_clicks;
    }
    near(sum / (8 * 5 * 600), 1, 4 * sqrt(16.0 / (8 * 5 * 600)));
}

static void
test_shares_are_the_plans(void **state)
{
    double n, count[LP_TOKEN_NONE + 1] = {0}, unknown = 0, paths = 0;
    double doubled = 0, fresh = 0, resumed = 0;
    size_t i;

    (void) state;
    plan_busy();
    plan.classes.share = 0; /* so that draws are alike */
    run();
    n = (double) n_clicks;
    for (i = 0; i < n_clicks; i++) {
        count[clicks[i].token]++;
        unknown += clicks[i].slot == LP_SLOT_UNKNOWN;
        paths += clicks[i].path;
        doubled += clicks[i].doubled;
        fresh += clicks[i].fresh;
        resumed += clicks[i].resumed;
        assert_true(clicks[i].fresh || !clicks[i].resumed);
    }
    near_share(count[LP_TOKEN_EXPIRED], n, 0.03);
    near_share(count[LP_TOKEN_FORGED], n, 0.01);
    near_share(count[LP_TOKEN_NONE], n, 0.02);
    near_share(unknown, n, 0.015);
    near_share(paths, n, 0.1);
    near_share(doubled, n, 0.05 / 1.05);
    near_share(fresh, n, 0.8);
    near_share(resumed, fresh, 0.25);
}

static void
test_double_clicks_are_the_same_within_two_seconds(void **state)
{
    size_t   i, j;
    int64_t  gap;
    unsigned found, seconds = 0;

    (void) state;
    plan_busy();
    plan.stages[0].seconds = 60;
    run();
    for (i = 0; i < n_clicks; i++) {
        if (!clicks[i].doubled || clicks[i].at_ns < 2000000000) {
            continue; /* its first may have been before the run */
        }
        for (found = 0, j = i; j-- > 0 && !found;) {
            gap = clicks[i].at_ns - clicks[j].at_ns;
            assert_true(gap <= 2000000000);
            found = !clicks[j].doubled && clicks[j].member == clicks[i].member
                    && clicks[j].slot == clicks[i].slot
                    && clicks[j].token == clicks[i].token
                    && clicks[j].number == clicks[i].number
                    && clicks[j].path == clicks[i].path;
        }
        assert_true(found);
        seconds++;
    }
    assert_in_range(seconds, 1000, 2500);
}

/*
 * With few classes at a time, clicks of one class are those that lie within
 * the window: all of one class on one slot, each member once, teacher first.
 */
static void
test_classes_click_together(void **state)
{
    static uint8_t  seen[200000];
    static int64_t  first[4000];
    static int      slot[4000];
    static unsigned size[4000];
    size_t          i;
    uint32_t        class;
    double          pupils = 0, classes = 0;

    (void) state;
    memset(seen, 0, sizeof(seen));
    memset(size, 0, sizeof(size));
    plan_level(3, 1000);
    plan.classes.share = 1;
    plan.classes.seconds = 30;
    run();
    for (i = 0; i < n_clicks; i++) {
        class = lp_population_class_of(population, clicks[i].member);
        assert_true(class < 4000);
        if (size[class] == 0 || clicks[i].at_ns - first[class] > 30000000000) {
            if (clicks[i].at_ns > 30000000000) {
                assert_true(lp_population_teaches(population,
                                                  clicks[i].member));
            }
            first[class] = clicks[i].at_ns;
            slot[class] = clicks[i].slot;
            size[class] = 0;
            classes++;
        }
        assert_int_equal(clicks[i].slot, slot[class]);
        size[class]++;
        pupils++;
        assert_int_equal(clicks[i].again, 0);
    }
    /* 0.96 of 25 pupils and the teacher; some are cut by the ends */
    near(pupils / classes, 25, 1.5);
}

/* Their moments are uniform over the window around the curve's moment. */
static void
test_a_short_spike_of_classes_is_smeared(void **state)
{
    double   inside = 0, expected = 0;
    size_t   i;
    unsigned seed, t;

    (void) state;
    plan_of((lp_stage_t) {.shape = LP_SHAPE_SPIKE, .seconds = 100, .rate = 0,
                          .peak = 20000, .at = 50, .width = 1});
    plan.classes.share = 1;
    plan.classes.seconds = 40;
    for (t = 40; t < 60; t++) {
        expected += lp_plan_expected(&plan, t);
    }
    near(expected, 10000, 10);
    for (seed = 1; seed <= 5; seed++) {
        plan.seed = seed;
        run();
        for (i = 0; i < n_clicks; i++) {
            assert_in_range(clicks[i].at_ns, 30000000000, 71000000000);
            inside += clicks[i].at_ns >= 40000000000
                      && clicks[i].at_ns < 60000000000;
        }
        near((double) n_clicks / 20000, 1, 0.15);
    }
    near(inside / 5 / expected, 1, 0.08);
}

static void
test_members_come_again(void **state)
{
    static unsigned uses[60000];
    static int64_t  last[60000];
    double          gaps = 0, gap_sum = 0, again = 0, users = 0;
    size_t          i;
    uint32_t        member;

    (void) state;
    memset(uses, 0, sizeof(uses));
    plan_level(50, 1000);
    plan.tokens.reuse = 5;
    plan.tokens.think_s = 10;
    run();
    for (i = 0; i < n_clicks; i++) {
        member = clicks[i].member;
        assert_true(member < 60000);
        /* `again` tells nothing but what was */
        assert_true(!clicks[i].again || uses[member] > 0);
        if (clicks[i].again) {
            gap_sum += (double) (clicks[i].at_ns - last[member]) / 1e9;
            gaps++;
        }
        again += clicks[i].again;
        users += !clicks[i].again;
        last[member] = clicks[i].at_ns;
        uses[member]++;
    }
    near((double) n_clicks / users, 5, 0.35);
    near(gap_sum / gaps, 10, 0.5);
    near(again / (double) n_clicks, 0.8, 0.02);
}

static int
by_moment(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(lp_arrival_t));
}

/* Sorted by their bytes: of two clicks of one moment any may be first. */
static void
test_shards_are_the_whole(void **state)
{
    lp_arrival_t *parts = NULL, *more, *whole;
    size_t        n = 0, n_whole;
    unsigned      shard;

    (void) state;
    plan_busy();
    plan.stages[0].seconds = 60;
    plan.n_spikes = 1;
    plan.spikes[0] = (lp_spike_t) {.at = 20, .seconds = 5, .rate = 2000};
    for (shard = 0; shard < 5; shard++) {
        run_shard(shard, 5);
        assert_true(n_clicks > 5000);
        more = realloc(parts, (n + n_clicks) * sizeof(*parts));
        assert_non_null(more);
        parts = more;
        memcpy(parts + n, clicks, n_clicks * sizeof(*parts));
        n += n_clicks;
    }
    run();
    n_whole = n_clicks;
    whole = clicks;
    assert_int_equal(n, n_whole);
    qsort(parts, n, sizeof(*parts), by_moment);
    qsort(whole, n, sizeof(*whole), by_moment);
    assert_memory_equal(parts, whole, n * sizeof(*parts));
    free(parts);
}

/* Denied and activating clicks as the plan asks, not as the population is. */
static void
test_rights_are_chosen(void **state)
{
    double    denied = 0, activating = 0;
    size_t    i;
    lp_hold_t hold;

    (void) state;
    plan_level(500, 60);
    plan.clicks.denied = 0;
    run();
    for (i = 0; i < n_clicks; i++) {
        hold = lp_population_hold(population, clicks[i].member,
                                  clicks[i].slot);
        assert_int_equal(lp_hold_outcome(hold), LP_REDIRECT);
    }
    plan.clicks.denied = 0.2;
    plan.clicks.activations = 0.3;
    plan.classes.share = 0.5;
    run();
    for (i = 0; i < n_clicks; i++) {
        hold = lp_population_hold(population, clicks[i].member,
                                  clicks[i].slot);
        denied += lp_hold_outcome(hold) != LP_REDIRECT;
        activating += hold == LP_HOLD_ENTITLED || hold == LP_HOLD_OPEN;
    }
    near(denied / (double) n_clicks, 0.2, 0.02);
    /* of the good half some activate by themselves */
    near(activating / (double) n_clicks, 0.3 + 0.5 * 0.065, 0.03);
}

/* Popular products are clicked as often as they stand on shelves. */
static void
test_products_are_as_popular_as_on_shelves(void **state)
{
    static double got[400], wanted[400];
    uint32_t      class, classes = lp_population_classes(population), i;
    unsigned      slot;
    double        sum = 0;
    size_t        j;

    (void) state;
    memset(got, 0, sizeof(got));
    memset(wanted, 0, sizeof(wanted));
    for (class = 0; class < classes; class++) {
        for (slot = 0; slot < LP_SHELF; slot++) {
            wanted[lp_population_shelf(population, class, slot)]
                += 1.0 / classes / LP_SHELF;
        }
    }
    plan_level(1000, 100);
    plan.tokens.reuse = 1;
    run();
    for (j = 0; j < n_clicks; j++) {
        class = lp_population_class_of(population, clicks[j].member);
        got[lp_population_shelf(population, class, clicks[j].slot)]++;
    }
    for (i = 0; i < 400; i++) {
        wanted[i] *= (double) n_clicks;
        if (wanted[i] >= 5) {
            sum += (got[i] - wanted[i]) * (got[i] - wanted[i]) / wanted[i];
        } else {
            sum += 1;
        }
    }
    /* chi-square of 400: mean 400, deviation 28 */
    near(sum, 400, 4 * sqrt(800));
    assert_true(got[0] > 20 * got[399]);
}

static void
test_spread_reaches_everybody(void **state)
{
    static uint8_t seen[60000];
    size_t         i, different = 0;

    (void) state;
    memset(seen, 0, sizeof(seen));
    plan_level(1000, 20);
    plan.classes.share = 1;
    plan.tokens.reuse = 10;
    plan.clicks.spread = 1;
    run();
    for (i = 0; i < n_clicks; i++) {
        different += !seen[clicks[i].member];
        seen[clicks[i].member] = 1;
        assert_int_equal(clicks[i].again, 0);
    }
    /* n of N at random: N (1 - exp(-n / N)) different ones */
    near((double) different,
         52000 * -expm1(-(double) n_clicks / 52000), 300);
}

static size_t
count_with_factor(double factor, int64_t from_ns, int64_t *before)
{
    lp_arrivals_t *arrivals = lp_arrivals_create(&plan, population, 0, 1);
    lp_arrival_t   arrival;
    size_t         n = 0;
    int            changed = 0;

    assert_non_null(arrivals);
    *before = 0;
    while (lp_arrivals_next(arrivals, &arrival) == 1) {
        if (arrival.at_ns < from_ns) {
            ++*before;
        } else if (!changed) {
            lp_arrivals_factor(arrivals, factor, from_ns);
            changed = 1;
        } else {
            n++;
        }
    }
    lp_arrivals_destroy(arrivals);
    return n;
}

static void
test_the_operators_factor(void **state)
{
    int64_t before, same;
    size_t  n;

    (void) state;
    plan_level(500, 100);
    plan.tokens.reuse = 3;
    n = count_with_factor(1, 40000000000, &same);
    near((double) n, 30000, 4 * sqrt(30000));
    n = count_with_factor(2, 40000000000, &before);
    assert_int_equal(before, same);
    near((double) n, 60000, 4 * sqrt(60000));
    n = count_with_factor(0.25, 40000000000, &before);
    near((double) n, 7500, 4 * sqrt(7500));
    plan.even = 1;
    n = count_with_factor(3, 40000000000, &before);
    near((double) n, 90000, 3);
    plan.even = 0;
    plan.classes.share = 0.8;
    n = count_with_factor(2, 40000000000, &before);
    /* classes that had begun go on at the old rate for half a minute */
    near((double) n, 60000 - 0.8 * 500 * 45 / 2, 4000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_shape_follows_its_formula),
        cmocka_unit_test(test_another_curve_is_seen),
        cmocka_unit_test(test_even_gaps_are_even),
        cmocka_unit_test(test_the_seed_decides),
        cmocka_unit_test(test_the_total_is_the_curve),
        cmocka_unit_test(test_shares_are_the_plans),
        cmocka_unit_test(test_double_clicks_are_the_same_within_two_seconds),
        cmocka_unit_test(test_classes_click_together),
        cmocka_unit_test(test_a_short_spike_of_classes_is_smeared),
        cmocka_unit_test(test_members_come_again),
        cmocka_unit_test(test_shards_are_the_whole),
        cmocka_unit_test(test_rights_are_chosen),
        cmocka_unit_test(test_products_are_as_popular_as_on_shelves),
        cmocka_unit_test(test_spread_reaches_everybody),
        cmocka_unit_test(test_the_operators_factor),
    };

    return cmocka_run_group_tests(tests, make_population, drop_population);
}
