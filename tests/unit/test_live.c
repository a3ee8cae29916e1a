/*
 * The live line: what it says of a moment, in any width, and that nothing of
 * it is ever cut into a colour.
 */

#include "../../loadtest/live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const lp_moment_t good = {
    .at = 65.2, .length = 180, .target = 1700, .reached = 1698, .factor = 1,
    .in_flight = 3, .waiting = 0, .open = 40, .p50 = 950, .p99 = 7254,
    .right = 100000, .denied = 4000, .retried = 2, .slip_p99 = 120};

static void
test_a_moment_in_full(void **state)
{
    char line[LP_LIVE_MAX];

    (void) state;
    lp_live_text(line, &good, 0, 0);
    assert_string_equal(
        line, "1:05/3:00  1698/1700 per s  p50 950us p99 7.25ms  errors 0  "
              "missed 0  right 100000 denied 4000  retries 2  in flight 3 "
              "waiting 0 open 40  slip p99 120us");
}

static void
test_what_is_not_usual_is_said(void **state)
{
    lp_moment_t moment = good;
    char        line[LP_LIVE_MAX];

    (void) state;
    moment.factor = 1.1;
    moment.ending = 1;
    moment.p50 = -1;
    moment.p99 = LP_LIVE_NEVER;
    moment.slip_p99 = 1310000;
    lp_live_text(line, &moment, 0, 0);
    assert_non_null(strstr(line, "1:05/3:00 ending  "));
    assert_non_null(strstr(line, " per s x1.10  p50 - p99 never  "));
    assert_non_null(strstr(line, "slip p99 1.31s"));
}

static void
test_before_it_begins_it_counts_down(void **state)
{
    lp_moment_t moment = {.at = -3723.5};
    char        line[LP_LIVE_MAX];

    (void) state;
    lp_live_text(line, &moment, 0, 0);
    assert_string_equal(line, "starts in 1:02:04");
    moment.at = -0.3;
    lp_live_text(line, &moment, 0, 0);
    assert_string_equal(line, "starts in 0:01");
}

static void
test_only_what_is_wrong_is_red(void **state)
{
    lp_moment_t moment = good;
    char        line[LP_LIVE_MAX];

    (void) state;
    lp_live_text(line, &moment, 0, 1);
    assert_null(strchr(line, '\x1b'));
    moment.errors = 5;
    lp_live_text(line, &moment, 0, 1);
    assert_non_null(strstr(line, "\x1b[31m  errors 5\x1b[0m  missed 0"));
    lp_live_text(line, &moment, 0, 0);
    assert_null(strchr(line, '\x1b'));
}

/* Columns that a terminal uses for it. */
static size_t
width_of(const char *line)
{
    size_t n = 0;

    while (*line != '\0') {
        if (*line == '\x1b') {
            line = strchr(line, 'm');
            assert_non_null(line); /* a colour is whole */
            line++;
            continue;
        }
        n++;
        line++;
    }
    return n;
}

static void
test_it_fits_every_terminal(void **state)
{
    lp_moment_t moment = good;
    char        line[LP_LIVE_MAX];
    size_t      columns;

    (void) state;
    moment.errors = 12345;
    moment.missed = 678;
    for (columns = 20; columns < 300; columns++) {
        lp_live_text(line, &moment, columns, 1);
        assert_true(width_of(line) < columns);
        lp_live_text(line, &moment, columns, 0);
        assert_true(width_of(line) < columns);
    }
}

static void
test_the_greatest_figures_stay_within_bounds(void **state)
{
    lp_moment_t moment;
    char        line[LP_LIVE_MAX + 16];

    (void) state;
    memset(&moment, 0xff, sizeof(moment));
    moment.at = 1e300;
    moment.length = 1e300;
    moment.target = 1e15;
    moment.reached = 1e15;
    moment.factor = 1e9;
    memset(line, 'x', sizeof(line));
    lp_live_text(line, &moment, 0, 1);
    assert_non_null(memchr(line, '\0', LP_LIVE_MAX));
    assert_int_equal(line[LP_LIVE_MAX], 'x');
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_moment_in_full),
        cmocka_unit_test(test_what_is_not_usual_is_said),
        cmocka_unit_test(test_before_it_begins_it_counts_down),
        cmocka_unit_test(test_only_what_is_wrong_is_red),
        cmocka_unit_test(test_it_fits_every_terminal),
        cmocka_unit_test(test_the_greatest_figures_stay_within_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
