/*
 * Protects the figures: a quantile is that of the values themselves within the
 * digits that are stated, histograms of several engines add up to the one of
 * all, and a text that fits not together is no histogram. That HdrHistogram
 * says the same is tested by tests/system/test_histogram_oracle.py, for which
 * this program, given the digits as its argument, records what it reads.
 */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../loadtest/histogram.h"
#include "../../loadtest/random.h"

#define VALUES 20000

static lp_fine_t   fine, other, sum;
static lp_coarse_t coarse;
static int64_t     values[VALUES];

static const double shares[] = {0.001, 0.07, 0.1,  0.25,  0.5,    0.75,
                                0.9,   0.95, 0.99, 0.999, 0.9999, 1};

#define SHARES (sizeof(shares) / sizeof(shares[0]))


/* From a microsecond to an hour, every magnitude as often. */
static void
draw_values(void)
{
    lp_random_t random;
    unsigned    i, shift;

    lp_random_seed(&random, 7, 0);
    for (i = 0; i < VALUES; i++) {
        shift = 32 + (unsigned) lp_random_below(&random, 32);
        values[i] = (int64_t) (lp_random_next(&random) >> shift)
                    % (LP_HISTOGRAM_HIGHEST + 1);
    }
}


static int
by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;

    return (x > y) - (x < y);
}


static void
check_quantiles(const lp_histogram_t *histogram, double error)
{
    unsigned i;
    int64_t  exact, told;

    for (i = 0; i < SHARES; i++) {
        exact = values[(unsigned) (shares[i] * VALUES + 0.999) - 1];
        told = lp_histogram_quantile(histogram, shares[i]);
        assert_true(told >= exact);
        assert_true((double) (told - exact) <= (double) exact * error);
    }
}


static void
test_quantiles_are_as_exact_as_the_digits_say(void **state)
{
    unsigned i;

    (void) state;

    draw_values();
    lp_histogram_reset(&fine.h, LP_FINE);
    lp_histogram_reset(&coarse.h, LP_COARSE);
    for (i = 0; i < VALUES; i++) {
        lp_histogram_record(&fine.h, values[i]);
        lp_histogram_record(&coarse.h, values[i]);
    }
    qsort(values, VALUES, sizeof(values[0]), by_value);

    check_quantiles(&fine.h, 0.001);
    check_quantiles(&coarse.h, 0.01);
    assert_int_equal(lp_histogram_quantile(&fine.h, 0), values[0]);
    assert_int_equal(lp_histogram_quantile(&fine.h, 1), values[VALUES - 1]);
    assert_int_equal(lp_histogram_quantile(&fine.h, 7), values[VALUES - 1]);
}


static void
check_buckets(lp_histogram_t *histogram, lp_digits_t digits)
{
    uint32_t i;
    int64_t  low, high, next = 0;

    lp_histogram_reset(histogram, digits);

    for (i = 0; i < histogram->n_buckets; i++) {
        low = lp_histogram_low(histogram, i);
        high = lp_histogram_high(histogram, i);
        assert_int_equal(low, next);
        assert_int_equal(lp_histogram_index(histogram, low), i);
        assert_int_equal(lp_histogram_index(histogram, high), i);
        next = high + 1;
    }

    assert_true(next > LP_HISTOGRAM_HIGHEST);
}


static void
test_every_value_has_one_bucket(void **state)
{
    (void) state;

    check_buckets(&fine.h, LP_FINE);
    check_buckets(&coarse.h, LP_COARSE);
}


static void
test_values_outside_are_counted_at_the_ends(void **state)
{
    (void) state;

    lp_histogram_reset(&fine.h, LP_FINE);
    lp_histogram_record(&fine.h, -5);
    lp_histogram_record(&fine.h, INT64_MIN);
    lp_histogram_record(&fine.h, INT64_MAX);

    assert_int_equal(fine.h.total, 3);
    assert_int_equal(fine.h.min, 0);
    assert_int_equal(fine.h.max, LP_HISTOGRAM_HIGHEST);
    assert_int_equal(fine.h.bucket[0], 2);
    assert_int_equal(lp_histogram_quantile(&fine.h, 1), LP_HISTOGRAM_HIGHEST);
}


static void
test_an_empty_one_says_nothing(void **state)
{
    (void) state;

    lp_histogram_reset(&fine.h, LP_FINE);

    assert_int_equal(lp_histogram_quantile(&fine.h, 0.99), 0);
    assert_true(lp_histogram_mean(&fine.h) == 0);
    assert_true(lp_histogram_deviation(&fine.h) == 0);
    assert_int_equal(lp_histogram_above(&fine.h, 0), 0);
}


static void
test_mean_and_deviation(void **state)
{
    static const int64_t recorded[] = {2000, 4000, 4000, 4000,
                                       5000, 5000, 7000, 9000};
    unsigned             i;

    (void) state;

    lp_histogram_reset(&fine.h, LP_FINE);
    for (i = 0; i < 8; i++) {
        lp_histogram_record(&fine.h, recorded[i]);
    }

    assert_true(lp_histogram_mean(&fine.h) == 5000);
    assert_true(lp_histogram_deviation(&fine.h) == 2000);
}


static void
test_above_counts_what_is_above(void **state)
{
    int64_t us;

    (void) state;

    lp_histogram_reset(&fine.h, LP_FINE);
    for (us = 1; us <= 1000; us++) {
        lp_histogram_record(&fine.h, us);
    }
    lp_histogram_record(&fine.h, 50000000);

    assert_int_equal(lp_histogram_above(&fine.h, -1), 1001);
    assert_int_equal(lp_histogram_above(&fine.h, 0), 1001);
    assert_int_equal(lp_histogram_above(&fine.h, 990), 11);
    assert_int_equal(lp_histogram_above(&fine.h, 1000), 1);
    assert_int_equal(lp_histogram_above(&fine.h, 50000000), 0);
    assert_int_equal(lp_histogram_above(&fine.h, INT64_MAX), 0);
}


static void
test_parts_add_up_exactly(void **state)
{
    unsigned i;

    (void) state;

    draw_values();
    lp_histogram_reset(&fine.h, LP_FINE);
    lp_histogram_reset(&other.h, LP_FINE);
    lp_histogram_reset(&sum.h, LP_FINE);
    for (i = 0; i < VALUES; i++) {
        lp_histogram_record(&sum.h, values[i]);
        lp_histogram_record(i % 3 == 0 ? &fine.h : &other.h, values[i]);
    }
    lp_histogram_add(&fine.h, &other.h);

    assert_int_equal(fine.h.total, sum.h.total);
    assert_int_equal(fine.h.min, sum.h.min);
    assert_int_equal(fine.h.max, sum.h.max);
    assert_true(fine.h.sum == sum.h.sum);
    assert_memory_equal(fine.h.bucket, sum.h.bucket,
                        LP_FINE_BUCKETS * sizeof(uint64_t));
}


static void
test_adding_nothing_changes_nothing(void **state)
{
    (void) state;

    lp_histogram_reset(&fine.h, LP_FINE);
    lp_histogram_reset(&other.h, LP_FINE);
    lp_histogram_record(&fine.h, 12);
    lp_histogram_add(&fine.h, &other.h);
    assert_int_equal(fine.h.min, 12);
    assert_int_equal(fine.h.max, 12);

    lp_histogram_add(&other.h, &fine.h);
    assert_int_equal(other.h.min, 12);
    assert_int_equal(other.h.total, 1);
}


static void
test_a_fine_one_into_a_coarse_one(void **state)
{
    unsigned i;

    (void) state;

    draw_values();
    lp_histogram_reset(&fine.h, LP_FINE);
    lp_histogram_reset(&coarse.h, LP_COARSE);
    for (i = 0; i < VALUES; i++) {
        lp_histogram_record(&fine.h, values[i]);
    }
    lp_histogram_add(&coarse.h, &fine.h);
    qsort(values, VALUES, sizeof(values[0]), by_value);

    assert_int_equal(coarse.h.total, VALUES);
    check_quantiles(&coarse.h, 0.011);
}


/* The text of a histogram; to be freed. */
static char *
text_of(const lp_histogram_t *histogram)
{
    char  *text = NULL;
    size_t len;
    FILE  *stream = open_memstream(&text, &len);

    assert_non_null(stream);
    assert_int_equal(lp_histogram_write(histogram, stream), 0);
    fclose(stream);

    return text;
}


static void
test_a_text_is_read_back_as_it_was(void **state)
{
    char    *text;
    unsigned i;

    (void) state;

    draw_values();
    lp_histogram_reset(&fine.h, LP_FINE);
    lp_histogram_reset(&other.h, LP_FINE);
    for (i = 0; i < VALUES; i++) {
        lp_histogram_record(&fine.h, values[i]);
    }

    text = text_of(&fine.h);
    assert_int_equal(lp_histogram_read(&other.h, text), 0);
    assert_memory_equal(&fine, &other, sizeof(fine));
    free(text);

    lp_histogram_reset(&fine.h, LP_FINE);
    text = text_of(&fine.h);
    assert_int_equal(lp_histogram_read(&other.h, text), 0);
    assert_memory_equal(&fine, &other, sizeof(fine));
    free(text);
}


static void
test_a_text_that_fits_not_together_is_none(void **state)
{
    static const char *const broken[] = {
        "",
        "3",
        "3 1 5 5 5",
        "3 1 5 5 5 25",                    /* the total is of no bucket */
        "3 2 5 5 10 50 5:1",               /* fewer than the total */
        "3 1 5 5 5 25 5:2",                /* more */
        "2 1 5 5 5 25 5:1",                /* of other digits */
        "3 1 5 5 5 25 5:1 ",
        "3 1 5 5 5 25 5:1x",
        "3 1 5 5 5 25 5=1",
        "3 1 5 5 5 25 5:-1",
        "3 1 5 5 5 25 -5:1",
        "3 1 5 5 5 25 5:0 6:1",
        "3 2 5 5 10 50 5:1 5:1",           /* twice */
        "3 2 5 6 11 61 6:1 5:1",           /* not in order */
        "3 1 4 5 5 25 5:1",                /* the least in another bucket */
        "3 1 5 6 5 25 5:1",                /* so is the highest */
        "3 1 5 5 500 25 5:1",
        "3 1 5 5 5 2500 5:1",
        "3 1 5 5 nan 25 5:1",
        "3 1 5 5 5 inf 5:1",
        "3 1 5 5 5 1e999 5:1",
        "3 1 5 5 5 25 23552:1",            /* beyond the last bucket */
        "3 1 5 5 5 25 4294967301:1",
        "3 18446744073709551616 5 5 5 25 5:1",
        "3 18446744073709551615 5 6 5 25 5:18446744073709551615 6:1",
        "3 1 9999999999 9999999999 5 25 5:1",
        "3 0 5 5 0 0",
    };
    unsigned i;

    (void) state;

    for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        lp_histogram_reset(&fine.h, LP_FINE);
        if (lp_histogram_read(&fine.h, broken[i]) != -1) {
            fail_msg("taken: %s", broken[i]);
        }
        assert_int_equal(fine.h.total, 0);
        assert_int_equal(fine.h.min, INT64_MAX);
        assert_int_equal(fine.h.bucket[5], 0);
        assert_int_equal(fine.h.n_buckets, LP_FINE_BUCKETS);
    }

    assert_int_equal(lp_histogram_read(&fine.h, "3 1 5 5 5 25 5:1"), 0);
}


/* For the oracle: a line of quantiles, then the .hgrm. */
static int
record_input(lp_digits_t digits)
{
    lp_histogram_t *histogram = digits == LP_FINE ? &fine.h : &coarse.h;
    char            line[64];
    unsigned        i;

    lp_histogram_reset(histogram, digits);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        lp_histogram_record(histogram, strtoll(line, NULL, 10));
    }

    for (i = 0; i < SHARES; i++) {
        printf("%g %" PRId64 "\n", shares[i] * 100,
               lp_histogram_quantile(histogram, shares[i]));
    }

    return lp_histogram_hgrm(histogram, stdout) == 0 ? 0 : 1;
}


int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles_are_as_exact_as_the_digits_say),
        cmocka_unit_test(test_every_value_has_one_bucket),
        cmocka_unit_test(test_values_outside_are_counted_at_the_ends),
        cmocka_unit_test(test_an_empty_one_says_nothing),
        cmocka_unit_test(test_mean_and_deviation),
        cmocka_unit_test(test_above_counts_what_is_above),
        cmocka_unit_test(test_parts_add_up_exactly),
        cmocka_unit_test(test_adding_nothing_changes_nothing),
        cmocka_unit_test(test_a_fine_one_into_a_coarse_one),
        cmocka_unit_test(test_a_text_is_read_back_as_it_was),
        cmocka_unit_test(test_a_text_that_fits_not_together_is_none),
    };

    if (argc == 2) {
        return record_input(argv[1][0] == '2' ? LP_COARSE : LP_FINE);
    }

    return cmocka_run_group_tests(tests, NULL, NULL);
}
