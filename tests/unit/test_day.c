/*
 * Protects the day: a right begins and ends at midnight in Amsterdam, also in
 * the nights and on the days when the clock is changed. Compared with the C
 * library, which knows the zone from tzdata.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../../core/day.h"

#define FIRST 852076800  /* 1997-01-01 00:00 UTC */
#define LAST  2145916800 /* 2038-01-01 00:00 UTC */

static int zone_known;

/* The zone must be that of tzdata; without it the C library falls silent and
   says UTC. */
static int
load_zone(void **state)
{
    struct tm tm;
    time_t    t;

    (void) state;

    setenv("TZ", "Europe/Amsterdam", 1);
    tzset();

    t = 1751328000; /* a day in July */
    zone_known = localtime_r(&t, &tm) != NULL && tm.tm_isdst > 0;

    return 0;
}

static void
skip_without_zone(void)
{
    if (!zone_known) {
        print_message("SKIP: no time zone Europe/Amsterdam (tzdata)\n");
        skip();
    }
}

static uint32_t
library_day(int64_t t)
{
    struct tm tm;
    time_t    seconds;

    seconds = (time_t) t;
    assert_non_null(localtime_r(&seconds, &tm));

    return (uint32_t) ((tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100
                       + tm.tm_mday);
}

static int
library_dst(int64_t t)
{
    struct tm tm;
    time_t    seconds;

    seconds = (time_t) t;
    assert_non_null(localtime_r(&seconds, &tm));

    return tm.tm_isdst > 0;
}

/* Day and end of the day at t, both against the library. */
static void
assert_day(int64_t t)
{
    uint32_t day;
    int64_t  until;

    day = lp_day_amsterdam(t, &until);

    assert_int_equal(day, library_day(t));
    assert_true(until > t && until - t <= 25 * 3600);
    assert_int_equal(library_day(until - 1), day);
    assert_true(library_day(until) > day);
    assert_int_equal(lp_day_amsterdam(until - 1, NULL), day);
    assert_int_equal(lp_day_amsterdam(until, NULL), library_day(until));
    assert_true(lp_day_valid(day));
}

static void
test_every_six_hours_from_1997_to_2037(void **state)
{
    int64_t t;

    (void) state;
    skip_without_zone();

    /* a step that is no divisor of a day, so that all hours come by */
    for (t = FIRST; t < LAST; t += 6 * 3600 - 7) {
        assert_day(t);
    }
}

static void
test_every_change_of_the_clock_to_the_second(void **state)
{
    int64_t  t, low, high, middle;
    unsigned changes;

    (void) state;
    skip_without_zone();

    changes = 0;

    for (t = FIRST; t + 86400 < LAST; t += 86400) {
        if (library_dst(t) == library_dst(t + 86400)) {
            continue;
        }

        low = t;
        high = t + 86400;

        while (high - low > 1) {
            middle = low + (high - low) / 2;
            if (library_dst(middle) == library_dst(t)) {
                low = middle;
            } else {
                high = middle;
            }
        }

        assert_day(high - 1);
        assert_day(high);
        assert_day(high + 1);

        /* the midnights around it, the day of 23 or 25 hours */
        for (middle = high - 30 * 3600; middle < high + 30 * 3600;
             middle += 600) {
            assert_day(middle - 1);
            assert_day(middle);
        }

        changes++;
    }

    assert_int_equal(changes, 2 * (2037 - 1997 + 1));
}

static void
test_random_times(void **state)
{
    unsigned i;
    int64_t  t;

    (void) state;
    skip_without_zone();
    srandom(20260901);

    for (i = 0; i < 20000; i++) {
        t = FIRST + (int64_t) random() % (LAST - FIRST - 86400 * 2);
        assert_day(t);
    }
}

/* These need no tzdata. */
static void
test_days_that_are_known(void **state)
{
    int64_t until;

    (void) state;

    /* 2026-07-31 21:59:59 UTC is the last second of the school year */
    assert_int_equal(lp_day_amsterdam(1785535199, &until), 20260731);
    assert_int_equal(until, 1785535200);
    assert_int_equal(lp_day_amsterdam(1785535200, NULL), 20260801);

    /* New Year's Eve is an hour before that of UTC */
    assert_int_equal(lp_day_amsterdam(1798757999, NULL), 20261231);
    assert_int_equal(lp_day_amsterdam(1798758000, NULL), 20270101);

    /* 2026-03-29 has 23 hours, 2026-10-25 has 25 */
    assert_int_equal(lp_day_amsterdam(1774738800, &until), 20260329);
    assert_int_equal(until - 1774738800, 23 * 3600);
    assert_int_equal(lp_day_amsterdam(1792879200, &until), 20261025);
    assert_int_equal(until - 1792879200, 25 * 3600);

    /* a leap day, one that the century takes away, one that it keeps */
    assert_int_equal(lp_day_amsterdam(1835391600, NULL), 20280229);
    assert_int_equal(lp_day_amsterdam(4107495600, NULL), 21000228);
    assert_int_equal(lp_day_amsterdam(4107582000, NULL), 21000301);
    assert_int_equal(lp_day_amsterdam(951778800, NULL), 20000229);

    assert_int_equal(lp_day_amsterdam(253402297199, &until), 99991231);
    assert_int_equal(until, 253402297200);
}

static void
test_the_calendar_from_1900_to_9999(void **state)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30,
                                  31, 31, 30, 31, 30, 31};
    uint32_t         year, month, day;
    int              valid, leap;

    (void) state;

    for (year = 1890; year < 10010; year += year < 2110 ? 1 : 37) {
        leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        for (month = 0; month < 100; month++) {
            for (day = 0; day < 100; day++) {
                valid = year >= 1900 && year <= 9999 && month >= 1
                        && month <= 12 && day >= 1
                        && (int) day <= lengths[month - 1]
                                        + (month == 2 ? leap : 0);

                assert_int_equal(
                    lp_day_valid(year * 10000 + month * 100 + day), valid);
            }
        }
    }

    assert_true(lp_day_valid(99991231));
    assert_false(lp_day_valid(99991232));
    assert_false(lp_day_valid(100000101));
    assert_false(lp_day_valid(UINT32_MAX));
    assert_false(lp_day_valid(0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_six_hours_from_1997_to_2037),
        cmocka_unit_test(test_every_change_of_the_clock_to_the_second),
        cmocka_unit_test(test_random_times),
        cmocka_unit_test(test_days_that_are_known),
        cmocka_unit_test(test_the_calendar_from_1900_to_9999),
    };

    return cmocka_run_group_tests(tests, load_zone, NULL);
}
