/*
 * Protects what an operator reads off the charts: numbers with their units,
 * ticks that are round and cover the values, points where they belong, gaps
 * that stay gaps, and seconds put together without losing the worst of them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "../../loadtest/chart.h"
#include "../../loadtest/series.h"

static void
test_numbers_have_thousands_apart_and_a_unit(void **state)
{
    char figure[LP_FIGURE_MAX];

    (void) state;

    assert_string_equal(lp_figure_count(figure, 0), "0");
    assert_string_equal(lp_figure_count(figure, 999), "999");
    assert_string_equal(lp_figure_count(figure, 1000), "1,000");
    assert_string_equal(lp_figure_count(figure, UINT64_MAX),
                        "18,446,744,073,709,551,615");
    assert_string_equal(lp_figure_number(figure, -1234567.25, 2),
                        "-1,234,567.25");
    assert_string_equal(lp_figure_number(figure, NAN, 2), "-");
    assert_string_equal(lp_figure_short(figure, 50), "50");
    assert_string_equal(lp_figure_short(figure, 4.125), "4.12");
    assert_string_equal(lp_figure_short(figure, 1702.4), "1,702");
    assert_string_equal(lp_figure_short(figure, 0), "0");
}

static void
test_times_have_a_unit_that_fits(void **state)
{
    char figure[LP_FIGURE_MAX];

    (void) state;

    assert_string_equal(lp_figure_time(figure, 0), "0 µs");
    assert_string_equal(lp_figure_time(figure, 84), "84 µs");
    assert_string_equal(lp_figure_time(figure, 840), "0.84 ms");
    assert_string_equal(lp_figure_time(figure, 12345), "12.3 ms");
    assert_string_equal(lp_figure_time(figure, 911000), "911 ms");
    assert_string_equal(lp_figure_time(figure, 999499), "999 ms");
    assert_string_equal(lp_figure_time(figure, 999600), "1.00 s");
    assert_string_equal(lp_figure_time(figure, 3.6e9), "3,600 s");
    assert_string_equal(lp_figure_time(figure, INFINITY), "never");
    assert_string_equal(lp_figure_time(figure, NAN), "-");

    assert_string_equal(lp_figure_clock(figure, 65.9), "1:05");
    assert_string_equal(lp_figure_clock(figure, 3661), "1:01:01");
    assert_string_equal(lp_figure_clock(figure, -1), "-");
    assert_string_equal(lp_figure_length(figure, 12.5), "12.5 s");
    assert_string_equal(lp_figure_length(figure, 59.97), "1 min");
    assert_string_equal(lp_figure_length(figure, 3900), "1 h 5 min");
}

/* One wrong click in a million is not 0 %, and all but it not 100 %. */
static void
test_a_share_is_never_rounded_to_nothing_or_all(void **state)
{
    char     figure[LP_FIGURE_MAX];
    unsigned i;

    (void) state;

    assert_string_equal(lp_figure_share(figure, 0, 5), "0 %");
    assert_string_equal(lp_figure_share(figure, 5, 5), "100 %");
    assert_string_equal(lp_figure_share(figure, 0, 0), "-");
    assert_string_equal(lp_figure_share(figure, 1, 1000), "0.1 %");
    assert_string_equal(lp_figure_share(figure, 1, 3), "33.3 %");
    assert_string_equal(lp_figure_share(figure, 3714, 1e5), "3.71 %");
    assert_string_equal(lp_figure_share(figure, 464, 1e5), "0.46 %");
    assert_string_equal(lp_figure_share(figure, 99999028, 1e8),
                        "99.99903 %");
    assert_string_equal(lp_figure_share(figure, 999999, 1e6), "99.9999 %");
    assert_string_equal(lp_figure_share(figure, 1, 1e12), "< 0.000001 %");
    assert_string_equal(lp_figure_share(figure, 1e12 - 1, 1e12),
                        "> 99.999999 %");

    for (i = 1; i < 100000; i++) {
        (void) lp_figure_share(figure, i, 100000);
        assert_true(strtod(figure, NULL) > 0);
        assert_true(strtod(figure, NULL) < 100);
        assert_true(fabs(strtod(figure, NULL) - i / 1000.0) < 0.0501);
    }
}

/* Ticks rise and lie on the axis, which reaches the highest value. */
static void
check_ticks(const lp_axis_t *axis, double highest)
{
    unsigned i;

    assert_true(axis->low < axis->high);
    assert_true(axis->high >= highest);
    assert_in_range(axis->n_ticks, 2, LP_TICKS_MAX);

    for (i = 0; i < axis->n_ticks; i++) {
        assert_true(lp_axis_place(axis, axis->tick[i].at) >= 0);
        assert_true(lp_axis_place(axis, axis->tick[i].at) <= 1);
        if (i > 0) {
            assert_true(axis->tick[i].at > axis->tick[i - 1].at);
        }
    }
}

static void
test_ticks_are_round_and_cover_the_values(void **state)
{
    lp_axis_t axis;
    double    highest, low;
    int       i, j;

    (void) state;

    lp_axis_counts(&axis, 1702);
    check_ticks(&axis, 1702);
    assert_string_equal(axis.tick[axis.n_ticks - 1].label, "2,000");
    assert_string_equal(axis.tick[1].label, "500");

    lp_axis_counts(&axis, 0.7);
    assert_string_equal(axis.tick[1].label, "0.2");

    for (i = 0; i < 54; i++) {
        highest = 0.001 * pow(1.7, i); /* to 2.7e9 */
        lp_axis_counts(&axis, highest);
        check_ticks(&axis, highest);
        assert_true(axis.high <= highest * 2.0);
        assert_true(axis.n_ticks <= 8);

        for (j = 0; 0.5 * pow(7, j) <= highest; j++) {
            low = 0.5 * pow(7, j);
            lp_axis_times(&axis, low, highest, 0);
            check_ticks(&axis, highest);
            assert_true(axis.low <= fmax(low, 1));
            lp_axis_times(&axis, low, highest, 1);
            check_ticks(&axis, highest);
            assert_string_equal(axis.tick[axis.n_ticks - 1].label, "never");
        }

        if (highest >= 1 && highest < 2e5) {
            lp_axis_clock(&axis, highest);
            check_ticks(&axis, highest);
            assert_true(axis.n_ticks <= 11);
        }
    }
}

static void
test_times_are_placed_by_their_logarithm(void **state)
{
    lp_axis_t axis;

    (void) state;

    lp_axis_times(&axis, 100, 99000, 0); /* 100 us to 200 ms */
    assert_string_equal(axis.tick[0].label, "100 µs");
    assert_true(lp_axis_place(&axis, 100) == 0);
    assert_true(fabs(lp_axis_place(&axis, 1000)
                     - (lp_axis_place(&axis, 10000)
                        - lp_axis_place(&axis, 1000))) < 1e-9);
    assert_true(lp_axis_place(&axis, 1e12) == 1);
    assert_true(lp_axis_place(&axis, INFINITY) == 1);
    assert_true(lp_axis_place(&axis, 0) == 0);

    lp_axis_percentiles(&axis, 1e6);
    assert_true(fabs(lp_axis_place(&axis, 1e3) - 0.5) < 1e-9); /* 99.9 % */
}

/* A chart of 0 to 10 seconds by 0 to 100, and the path of a trace. */
static char *
path_of(const double *x, const double *y, size_t n)
{
    static char path[512];
    lp_chart_t  chart;
    lp_trace_t  trace = {"", LP_LOOK_P50, x, y, NULL, n};
    FILE       *out;

    memset(&chart, 0, sizeof(chart));
    chart.x.high = 10;
    chart.y.high = 100;

    memset(path, 0, sizeof(path));
    out = fmemopen(path, sizeof(path) - 1, "w");
    assert_non_null(out);
    lp_chart_line(out, &chart, &trace);
    assert_int_equal(fclose(out), 0);

    return path;
}

static void
test_points_are_where_they_belong_and_gaps_stay(void **state)
{
    static const double x[] = {0, 2.5, 5, 7.5, 10};
    static const double whole[] = {0, 25, 50, 100, 1000};
    static const double broken[] = {50, NAN, 50, 100, NAN};
    static const double endless[] = {NAN, INFINITY, 0, NAN, NAN};

    (void) state;

    assert_string_equal(path_of(x, whole, 5),
                        "M0.0 1000.0L250.0 750.0L500.0 500.0L750.0 0.0"
                        "L1000.0 0.0");
    assert_string_equal(path_of(x, broken, 5),
                        "M0.0 500.0h0M500.0 500.0L750.0 0.0");
    assert_string_equal(path_of(x, endless, 5),
                        "M250.0 0.0L500.0 1000.0");
    assert_string_equal(path_of(x, whole, 0), "");
}

/* What a chart writes; free() it. */
static char *
drawn(const lp_chart_t *chart)
{
    char  *text;
    size_t len;
    FILE  *out;

    out = open_memstream(&text, &len);
    assert_non_null(out);
    lp_chart_draw(out, chart);
    assert_int_equal(fclose(out), 0);

    return text;
}

static void
test_a_chart_says_its_numbers_in_words(void **state)
{
    static const double x[] = {1, 2}, y[] = {3, 4};
    lp_chart_t          chart;
    unsigned            i;
    char               *text;

    (void) state;

    memset(&chart, 0, sizeof(chart));
    chart.id = "rate";
    chart.title = "Title <1>";
    chart.words = "Words & \"numbers\"";
    chart.unit = "clicks a second";
    chart.along = "time";
    lp_axis_clock(&chart.x, 10);
    lp_axis_counts(&chart.y, 4);
    lp_chart_trace(&chart, "a < b", LP_LOOK_P99, x, y, NULL, 2);

    for (i = 0; i < LP_PINS_MAX + 9; i++) {
        lp_chart_pin(&chart, i / 5.0, i + 1);
    }
    for (i = 0; i < LP_TRACES_MAX + 9; i++) {
        lp_chart_trace(&chart, NULL, LP_LOOK_MAX, x, y, NULL, 2);
    }

    text = drawn(&chart);
    assert_non_null(strstr(text, "role=\"img\" aria-labelledby=\"rate-title "
                                 "rate-words\""));
    assert_non_null(strstr(text, "<title id=\"rate-title\">Title &lt;1&gt;"));
    assert_non_null(strstr(text, "<desc id=\"rate-words\">Words &amp; "
                                 "&quot;numbers&quot;</desc>"));
    assert_non_null(strstr(text, "a &lt; b"));
    assert_non_null(strstr(text, ">48</text>"));
    assert_null(strstr(text, ">49</text>"));
    assert_null(strstr(text, "nan"));
    free(text);
}

/* A second in which every click took us, but a share of a hundredth. */
static void
put(lp_series_t *series, lp_second_t *second, int64_t number, int64_t us,
    int64_t slowest)
{
    unsigned i;

    memset(second, 0, sizeof(*second));
    second->second = number;
    lp_histogram_reset(&second->latency.h, LP_COARSE);

    for (i = 0; i < 100; i++) {
        lp_histogram_record(&second->latency.h, i < 98 ? us : slowest);
    }
    second->counts.scheduled = 100;
    second->counts.sent = 100;
    second->counts.ended[LP_END_RIGHT] = 100;
    lp_series_put(series, second, 120);
}

static void
test_seconds_put_together_keep_the_worst(void **state)
{
    lp_second_t *second;
    lp_series_t  series;
    int64_t      i;
    uint64_t     sum;

    (void) state;

    second = malloc(sizeof(*second));
    assert_non_null(second);
    assert_int_equal(lp_series_begin(&series, 60), 0);

    for (i = 0; i < 14400; i++) {
        put(&series, second, i, 1000, i == 7777 ? 2000000 : 1500);
    }
    put(&series, second, -5, 1, 1);
    put(&series, second, INT64_MAX, 1, 1);
    lp_series_end(&series);

    assert_int_equal(series.width, 256);
    assert_int_equal(series.n, 57);

    for (sum = 0, i = 0; i < (int64_t) series.n; i++) {
        sum += series.point[i].counts.sent;
    }
    assert_int_equal(sum, 1440000);

    i = 7777 / 256;
    assert_int_equal(series.point[i].seconds, 256);
    assert_true(series.point[i].target == 256 * 120);
    assert_true(series.point[i].p99 < 1600); /* two of 25,600 */
    assert_true(series.point[i].max == 2000000);
    assert_true(series.point[i].p99_highest > 1900000);
    assert_true(series.point[i].p99_lowest < 1600);
    assert_true(series.point[i - 1].max == 1500);
    assert_int_equal(series.point[56].seconds, 14400 - 56 * 256);

    lp_series_free(&series);
    free(second);
}

/* A second that lacks is a gap; one without an answer is never. */
static void
test_seconds_without_answers_are_not_fast(void **state)
{
    lp_second_t *second;
    lp_series_t  series;

    (void) state;

    second = malloc(sizeof(*second));
    assert_non_null(second);
    assert_int_equal(lp_series_begin(&series, 60), 0);

    put(&series, second, 0, 1000, 1000);
    memset(second, 0, sizeof(*second));
    lp_histogram_reset(&second->latency.h, LP_COARSE);
    second->second = 2;
    second->counts.scheduled = 10;
    second->counts.ended[LP_END_MISSED] = 10;
    lp_series_put(&series, second, 10);
    lp_series_end(&series);

    assert_int_equal(series.n, 3);
    assert_int_equal(series.point[1].seconds, 0);
    assert_true(isnan(series.point[1].p99));
    assert_true(isinf(series.point[2].p50));
    assert_true(isinf(series.point[2].p99_highest));
    assert_true(isnan(series.point[2].max));

    lp_series_free(&series);
    free(second);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_have_thousands_apart_and_a_unit),
        cmocka_unit_test(test_times_have_a_unit_that_fits),
        cmocka_unit_test(test_a_share_is_never_rounded_to_nothing_or_all),
        cmocka_unit_test(test_ticks_are_round_and_cover_the_values),
        cmocka_unit_test(test_times_are_placed_by_their_logarithm),
        cmocka_unit_test(test_points_are_where_they_belong_and_gaps_stay),
        cmocka_unit_test(test_a_chart_says_its_numbers_in_words),
        cmocka_unit_test(test_seconds_put_together_keep_the_worst),
        cmocka_unit_test(test_seconds_without_answers_are_not_fast),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
