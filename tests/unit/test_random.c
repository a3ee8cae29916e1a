/*
 * Protects the schedule and the population: numbers that are the same on every
 * machine, and distributions that are what their names say. All seeds are
 * fixed, so that a test that passes goes on passing; bounds are those that one
 * run in a thousand would break.
 */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../loadtest/random.h"

#define DRAWS 200000

/* The 0.999 quantile of chi-square (Wilson and Hilferty 1931). */
static double
chi_bound(unsigned freedom)
{
    double part = 2.0 / (9.0 * freedom);

    return freedom * pow(1 - part + 3.0902 * sqrt(part), 3);
}

/* Of counts that should be as expected; bins of less than 5 go into the last
   one. */
static void
assert_fits(const unsigned *counts, const double *expected, unsigned n)
{
    double   chi = 0, rest_counts = 0, rest_expected = 0;
    unsigned i, bins = 0;

    for (i = 0; i < n; i++) {
        if (expected[i] < 5) {
            rest_counts += counts[i];
            rest_expected += expected[i];
            continue;
        }
        chi += pow(counts[i] - expected[i], 2) / expected[i];
        bins++;
    }
    if (rest_expected >= 5) {
        chi += pow(rest_counts - rest_expected, 2) / rest_expected;
        bins++;
    }
    if (chi > chi_bound(bins - 1)) {
        print_error("chi-square %.1f with %u bins\n", chi, bins);
        fail();
    }
}

/* What the generator's authors' own code gives, as other libraries' tests
   have it too. */
static void
test_it_is_xoshiro256plusplus(void **state)
{
    static const uint64_t reference[] = {
        41943041U,
        58720359U,
        3588806011781223U,
        3591011842654386U,
        9228616714210784205U,
        9973669472204895162U,
        14011001112246962877U,
        12406186145184390807U,
        15849039046786891736U,
        10450023813501588000U,
    };
    lp_random_t random = {{1, 2, 3, 4}};
    unsigned    i;

    (void) state;

    for (i = 0; i < sizeof(reference) / sizeof(reference[0]); i++) {
        assert_true(lp_random_next(&random) == reference[i]);
    }
}

static void
test_the_same_seed_and_stream_give_the_same(void **state)
{
    lp_random_t a, b, other_stream, other_seed;
    unsigned    i, same_stream = 0, same_seed = 0;
    uint64_t    next;

    (void) state;

    lp_random_seed(&a, 7, 3);
    lp_random_seed(&b, 7, 3);
    lp_random_seed(&other_stream, 7, 4);
    lp_random_seed(&other_seed, 8, 3);
    for (i = 0; i < 1000; i++) {
        next = lp_random_next(&a);
        assert_true(next == lp_random_next(&b));
        same_stream += next == lp_random_next(&other_stream);
        same_seed += next == lp_random_next(&other_seed);
    }
    assert_int_equal(same_stream, 0);
    assert_int_equal(same_seed, 0);
}

/* A population that was made last year must be the same today. */
static void
test_numbers_of_pairs_do_not_change(void **state)
{
    (void) state;

    assert_true(lp_random_of(1, 0) == 0x378cb22f6ca5d76dU);
    assert_true(lp_random_of(1, 1) == 0x47f5dfe64e8dc03cU);
    assert_true(lp_random_of(UINT64_MAX, UINT64_MAX) == 0xfbc3291df6ced988U);
}

/* Neighbours in i and in the seed, as a population asks for them. */
static void
test_numbers_of_pairs_are_even(void **state)
{
    unsigned by_i[256] = {0}, by_seed[256] = {0}, low[256] = {0}, i;
    double   expected[256];

    (void) state;

    for (i = 0; i < DRAWS; i++) {
        by_i[lp_random_of(5, i) >> 56]++;
        by_seed[lp_random_of(i, 5) >> 56]++;
        low[lp_random_of(5, (uint64_t) i << 32) & 255]++;
    }
    for (i = 0; i < 256; i++) {
        expected[i] = DRAWS / 256.0;
    }
    assert_fits(by_i, expected, 256);
    assert_fits(by_seed, expected, 256);
    assert_fits(low, expected, 256);
}

static void
test_units_are_even_and_below_one(void **state)
{
    unsigned    counts[100] = {0}, i;
    double      expected[100], unit;
    lp_random_t random;

    (void) state;

    assert_true(lp_random_unit_of(0) == 0.0);
    assert_true(lp_random_unit_of(UINT64_MAX) < 1.0);
    lp_random_seed(&random, 11, 0);
    for (i = 0; i < DRAWS; i++) {
        unit = lp_random_unit(&random);
        assert_true(unit >= 0 && unit < 1);
        counts[(unsigned) (unit * 100)]++;
    }
    for (i = 0; i < 100; i++) {
        expected[i] = DRAWS / 100.0;
    }
    assert_fits(counts, expected, 100);
}

static void
test_whole_numbers_are_even_and_below_n(void **state)
{
    unsigned    counts[7] = {0}, i;
    double      expected[7];
    lp_random_t random;

    (void) state;

    lp_random_seed(&random, 12, 0);
    for (i = 0; i < DRAWS; i++) {
        uint64_t number = lp_random_below(&random, 7);

        assert_true(number < 7);
        counts[number]++;
        assert_int_equal(lp_random_below(&random, 1), 0);
    }
    for (i = 0; i < 7; i++) {
        expected[i] = DRAWS / 7.0;
    }
    assert_fits(counts, expected, 7);
}

static int
ascending(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov: the largest distance from 1 - e^-x. */
static void
test_gaps_are_exponential(void **state)
{
    static double gaps[DRAWS];
    double        distance = 0, sum = 0, law;
    lp_random_t   random;
    unsigned      i;

    (void) state;

    lp_random_seed(&random, 13, 0);
    for (i = 0; i < DRAWS; i++) {
        gaps[i] = lp_random_exponential(&random);
        assert_true(gaps[i] >= 0 && isfinite(gaps[i]));
        sum += gaps[i];
    }
    qsort(gaps, DRAWS, sizeof(gaps[0]), ascending);
    for (i = 0; i < DRAWS; i++) {
        law = 1 - exp(-gaps[i]);
        distance = fmax(distance, fabs(law - (double) i / DRAWS));
        distance = fmax(distance, fabs(law - (double) (i + 1) / DRAWS));
    }
    assert_true(distance < 1.95 / sqrt(DRAWS)); /* its 0.999 quantile */
    assert_true(fabs(sum / DRAWS - 1) < 3.3 / sqrt(DRAWS));
}

static void
assert_zipf(double s, uint64_t seed)
{
    static unsigned counts[500];
    static double   expected[500];
    lp_zipf_t       zipf;
    lp_random_t     random;
    double          sum = 0;
    unsigned        i;

    assert_int_equal(lp_zipf_make(&zipf, 500, s), 0);
    lp_random_seed(&random, seed, 0);
    for (i = 0; i < 500; i++) {
        counts[i] = 0;
        sum += pow(i + 1, -s);
    }
    for (i = 0; i < DRAWS; i++) {
        counts[lp_zipf_rank(&zipf, lp_random_unit(&random))]++;
    }
    for (i = 0; i < 500; i++) {
        expected[i] = DRAWS * pow(i + 1, -s) / sum;
    }
    assert_fits(counts, expected, 500);
    lp_zipf_free(&zipf);
    assert_null(zipf.cumulated);
}

static void
test_ranks_follow_zipf(void **state)
{
    (void) state;

    assert_zipf(0, 21);
    assert_zipf(0.8, 22);
    assert_zipf(1.0, 23);
    assert_zipf(1.2, 24);
    assert_zipf(3.0, 25);
}

/* Shares of the first ten and hundred of 5,000, known from elsewhere. */
static void
test_zipf_has_the_known_shares(void **state)
{
    static const struct {
        double s, ten, hundred;
    } known[] = {{0.8, 0.15, 0.35}, {1.0, 0.32, 0.57}, {1.2, 0.53, 0.77}};
    lp_zipf_t zipf;
    unsigned  i;

    (void) state;

    for (i = 0; i < 3; i++) {
        assert_int_equal(lp_zipf_make(&zipf, 5000, known[i].s), 0);
        assert_true(fabs(zipf.cumulated[9] - known[i].ten) < 0.01);
        assert_true(fabs(zipf.cumulated[99] - known[i].hundred) < 0.011);
        lp_zipf_free(&zipf);
    }
}

static void
test_zipf_at_its_ends(void **state)
{
    lp_zipf_t zipf;

    (void) state;

    assert_int_equal(lp_zipf_make(&zipf, 1, 1.0), 0);
    assert_int_equal(lp_zipf_rank(&zipf, 0), 0);
    assert_int_equal(lp_zipf_rank(&zipf, lp_random_unit_of(UINT64_MAX)), 0);
    lp_zipf_free(&zipf);
    assert_int_equal(lp_zipf_make(&zipf, 3, 0), 0);
    assert_int_equal(lp_zipf_rank(&zipf, 0), 0);
    assert_int_equal(lp_zipf_rank(&zipf, 0.34), 1);
    assert_int_equal(lp_zipf_rank(&zipf, lp_random_unit_of(UINT64_MAX)), 2);
    lp_zipf_free(&zipf);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_xoshiro256plusplus),
        cmocka_unit_test(test_the_same_seed_and_stream_give_the_same),
        cmocka_unit_test(test_numbers_of_pairs_do_not_change),
        cmocka_unit_test(test_numbers_of_pairs_are_even),
        cmocka_unit_test(test_units_are_even_and_below_one),
        cmocka_unit_test(test_whole_numbers_are_even_and_below_n),
        cmocka_unit_test(test_gaps_are_exponential),
        cmocka_unit_test(test_ranks_follow_zipf),
        cmocka_unit_test(test_zipf_has_the_known_shares),
        cmocka_unit_test(test_zipf_at_its_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
