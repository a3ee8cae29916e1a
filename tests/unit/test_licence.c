/*
 * Protects the length of a licence: no pupil loses a day that was paid for,
 * and none is given for ever.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../../core/day.h"
#include "../../core/licence.h"

typedef struct {
    const char *licence;
    uint32_t    today;
    uint32_t    minimum;
    uint32_t    until;
} length_t;

static const length_t lengths[] = {
    /* the school year ends with 31 July, which still belongs to it */
    {"schoolyear", 20260901, 0, 20270731},
    {"schoolyear", 20270730, 0, 20270731},
    {"schoolyear", 20270731, 0, 20270731},
    {"schoolyear", 20270801, 0, 20280731},
    {"schoolyear", 20261231, 0, 20270731},
    {"schoolyear", 20270101, 0, 20270731},
    {"", 20260901, 0, 20270731},
    {"decade", 20260901, 0, 20270731},
    {"schoolyear", 99991231, 0, 99991231},

    /* the day before the same day of a later month */
    {"month", 20260915, 0, 20261014},
    {"month", 20261201, 0, 20261231},
    {"month", 20261215, 0, 20270114},
    {"month", 20260301, 0, 20260331},
    {"quarter", 20260915, 0, 20261214},
    {"quarter", 20261130, 0, 20270228},
    {"year", 20260901, 0, 20270831},
    {"year", 20270301, 0, 20280229},
    {"year", 20280301, 0, 20290228},

    /* a day that the later month lacks becomes its last */
    {"month", 20260131, 0, 20260228},
    {"month", 20260130, 0, 20260228},
    {"month", 20280131, 0, 20280229},
    {"month", 20280130, 0, 20280229},
    {"month", 20260331, 0, 20260430},
    {"quarter", 20270130, 0, 20270429},
    {"quarter", 20270131, 0, 20270430},
    {"year", 20280229, 0, 20290228},
    {"year", 99990101, 0, 99991231},

    {"date:20270115", 20260901, 0, 20270115},
    {"date:20270115", 20270115, 0, 20270115},
    /* passed already: today, so that the click is no lie */
    {"date:20270115", 20270116, 0, 20270116},
    {"date:20270229", 20260901, 0, 20270731},

    /* never shorter than what the seller has said */
    {"month", 20260915, 20261101, 20261101},
    {"month", 20260915, 20261001, 20261014},
    {"date:20270115", 20270116, 20270201, 20270201},
    {"schoolyear", 20260901, 20290731, 20290731},
    {"schoolyear", 20260901, 20200101, 20270731},
};

static void
test_lengths(void **state)
{
    const length_t *l;
    unsigned        i;

    (void) state;
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        l = &lengths[i];
        assert_int_equal(lp_licence_until(lp_span_of(l->licence), l->today,
                                          l->minimum),
                         l->until);
    }
}

/* Whatever the day: one of the calendar, not before today, at most a year. */
static void
test_every_day_has_a_last_day(void **state)
{
    static const char *const kinds[] = {"schoolyear", "month", "quarter",
                                        "year"};
    uint32_t day, until;
    unsigned i;

    (void) state;
    for (day = 20230101; day < 20330101; day = lp_day_add(day, 1)) {
        for (i = 0; i < 4; i++) {
            until = lp_licence_until(lp_span_of(kinds[i]), day, 0);
            assert_true(lp_day_valid(until));
            assert_true(until >= day);
            assert_true(until <= lp_day_add(day, 366));
        }
    }
}

static void
test_names(void **state)
{
    static const char *const good[] = {"schoolyear", "month", "quarter",
                                       "year", "date:20270731"};
    static const char *const bad[] = {"", "Month", "months", "date:",
                                      "date:20270229", "date:2027073",
                                      "date:202707311", "date:2027-07-3",
                                      "DATE:20270731"};
    unsigned i;

    (void) state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(lp_licence_valid(lp_span_of(good[i])));
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(lp_licence_valid(lp_span_of(bad[i])));
    }
}

static void
test_days_are_added(void **state)
{
    (void) state;
    assert_int_equal(lp_day_add(20261231, 1), 20270101);
    assert_int_equal(lp_day_add(20270101, -1), 20261231);
    assert_int_equal(lp_day_add(20280228, 1), 20280229);
    assert_int_equal(lp_day_add(20270228, 1), 20270301);
    assert_int_equal(lp_day_add(19700101, -1), 19691231);
    assert_int_equal(lp_day_add(20000229, 146097), 24000229);
    assert_int_equal(lp_day_add(20260901, 0), 20260901);
}

static void
assert_week(uint32_t day, const char *week)
{
    char dst[9];

    assert_string_equal(lp_day_week(dst, day), week);
}

static void
test_weeks_belong_to_the_year_of_their_thursday(void **state)
{
    (void) state;
    assert_week(20260902, "2026-W36");
    assert_week(20210103, "2020-W53"); /* a Sunday */
    assert_week(20210104, "2021-W01");
    assert_week(20241229, "2024-W52");
    assert_week(20241230, "2025-W01"); /* a Monday */
    assert_week(20260101, "2026-W01"); /* a Thursday */
    assert_week(20251229, "2026-W01");
    assert_week(20261231, "2026-W53");
    assert_week(20270103, "2026-W53");
    assert_week(20270104, "2027-W01");
    assert_week(19000101, "1900-W01");
    assert_week(19691231, "1970-W01");
}

/* The C library agrees, for forty years. */
static void
test_weeks_as_the_c_library_has_them(void **state)
{
    char      dst[9], expected[16];
    struct tm tm;
    time_t    t;
    int64_t   number;

    (void) state;
    for (number = lp_day_number(20000101); number < lp_day_number(20400101);
         number++) {
        t = (time_t) (number * 86400);
        assert_non_null(gmtime_r(&t, &tm));
        assert_true(strftime(expected, sizeof(expected), "%G-W%V", &tm) > 0);
        assert_string_equal(lp_day_week(dst, lp_day_numbered(number)),
                            expected);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_every_day_has_a_last_day),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_days_are_added),
        cmocka_unit_test(test_weeks_belong_to_the_year_of_their_thursday),
        cmocka_unit_test(test_weeks_as_the_c_library_has_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
