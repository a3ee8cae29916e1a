/*
 * Protects whom leerpoort-keys asks, and how often: by a clock of its own.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../sso/schedule.h"

#define MIDDLE 500 /* a random number that moves nothing */

static const lp_schedule_t schedule = {.every_ms = 900000, .again_ms = 30000};


static void
test_who_asks_often_is_served_twice_a_minute(void **state)
{
    lp_turn_t turn;
    int64_t   now, begun = 0;

    (void) state;

    lp_turn_init(&turn, 0);
    for (now = 0; now < 3600000; now += 100) {
        lp_turn_ask(&turn, &schedule, now);
        if (now >= turn.due) {
            lp_turn_begin(&turn, now);
            begun++;
            lp_turn_ask(&turn, &schedule, now + 50); /* while it runs */
            lp_turn_succeed(&turn, &schedule, now + 60, -1, MIDDLE);
        }
    }
    assert_int_equal(begun, 120);
}


static void
test_a_question_that_came_too_soon_is_kept(void **state)
{
    lp_turn_t turn;

    (void) state;

    lp_turn_init(&turn, 1000);
    lp_turn_ask(&turn, &schedule, 1000);
    assert_int_equal(turn.due, 1000);
    lp_turn_begin(&turn, 1000);
    lp_turn_succeed(&turn, &schedule, 1500, -1, MIDDLE);
    assert_int_equal(turn.due, 901500);

    lp_turn_ask(&turn, &schedule, 2000);
    assert_int_equal(turn.due, 31000);

    /* what is sooner stays; what the operator wants is not held up */
    turn.due = 2500;
    lp_turn_ask(&turn, &schedule, 2100);
    assert_int_equal(turn.due, 2500);
    lp_turn_hurry(&turn, 2200);
    assert_int_equal(turn.due, 2200);
}


/* A provider may change its keys a moment after the schedule had a look. */
static void
test_who_asks_just_after_a_scheduled_fetch_is_served_at_once(void **state)
{
    lp_turn_t turn;

    (void) state;

    lp_turn_init(&turn, 0);
    lp_turn_begin(&turn, 0);
    lp_turn_succeed(&turn, &schedule, 10, -1, MIDDLE);
    lp_turn_ask(&turn, &schedule, 2000);
    assert_int_equal(turn.due, 2000);

    /* that one counts, and so does nothing but the next that is asked for */
    lp_turn_begin(&turn, 2000);
    lp_turn_succeed(&turn, &schedule, 2010, -1, MIDDLE);
    lp_turn_ask(&turn, &schedule, 2020);
    assert_int_equal(turn.due, 32000);

    /* asked while the schedule's own is under way: once more behind it */
    lp_turn_init(&turn, 0);
    lp_turn_begin(&turn, 0);
    lp_turn_ask(&turn, &schedule, 5);
    lp_turn_succeed(&turn, &schedule, 10, -1, MIDDLE);
    assert_int_equal(turn.due, 10);
}


/* What it brings may have been old when it was told of the new. */
static void
test_the_operator_s_wish_is_not_lost_while_it_runs(void **state)
{
    lp_turn_t turn;

    (void) state;

    lp_turn_init(&turn, 0);
    lp_turn_ask(&turn, &schedule, 0);
    lp_turn_begin(&turn, 0);
    lp_turn_hurry(&turn, 5);
    lp_turn_fail(&turn, &schedule, 10, 0, MIDDLE);
    assert_int_equal(turn.due, 10);

    lp_turn_begin(&turn, 10);
    lp_turn_succeed(&turn, &schedule, 20, -1, MIDDLE);
    assert_int_equal(turn.due, 900020);
}


static void
test_a_question_may_come_long_after(void **state)
{
    lp_turn_t turn;

    (void) state;

    lp_turn_init(&turn, 0);
    lp_turn_begin(&turn, 0);
    lp_turn_succeed(&turn, &schedule, 10, -1, MIDDLE);
    lp_turn_ask(&turn, &schedule, 100000);
    assert_int_equal(turn.due, 100000);
}


static void
test_pauses_double_up_to_an_hour(void **state)
{
    static const int64_t pauses[] = {30, 60, 120, 240, 480, 960, 1920, 3600,
                                     3600, 3600};
    lp_turn_t            turn;
    unsigned             i;

    (void) state;

    lp_turn_init(&turn, 0);
    for (i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        lp_turn_begin(&turn, 5);
        lp_turn_fail(&turn, &schedule, 10, 0, MIDDLE);
        assert_int_equal(turn.due, 10 + pauses[i] * 1000);
    }
    turn.failures = UINT32_MAX;
    lp_turn_fail(&turn, &schedule, 10, 0, MIDDLE);
    assert_int_equal(turn.due, 10 + 3600000);

    lp_turn_succeed(&turn, &schedule, 10, -1, MIDDLE);
    assert_int_equal(turn.failures, 0);
    lp_turn_fail(&turn, &schedule, 10, 0, MIDDLE);
    assert_int_equal(turn.due, 10 + 30000);
}


static void
test_a_source_may_ask_for_patience_up_to_an_hour(void **state)
{
    lp_turn_t turn;

    (void) state;

    lp_turn_init(&turn, 0);
    lp_turn_fail(&turn, &schedule, 0, 600, MIDDLE);
    assert_int_equal(turn.due, 600000);
    lp_turn_fail(&turn, &schedule, 0, 1, MIDDLE);
    assert_int_equal(turn.due, 60000);
    lp_turn_fail(&turn, &schedule, 0, INT64_MAX, MIDDLE);
    assert_int_equal(turn.due, 3600000);
}


static void
test_max_age_counts_between_bounds(void **state)
{
    static const int64_t ages[][2] = {
        {-1, 900}, {0, 300}, {299, 300}, {300, 300}, {7200, 7200},
        {86400, 86400}, {86401, 86400}, {INT64_MAX, 86400},
    };
    lp_turn_t            turn;
    unsigned             i;

    (void) state;

    lp_turn_init(&turn, 0);
    for (i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        lp_turn_begin(&turn, 0);
        lp_turn_succeed(&turn, &schedule, 0, ages[i][0], MIDDLE);
        assert_int_equal(turn.due, ages[i][1] * 1000);
    }
}


static void
test_turns_drift_by_a_tenth_at_most(void **state)
{
    lp_turn_t turn;
    uint32_t  random;
    int64_t   least = INT64_MAX, most = 0;

    (void) state;

    lp_turn_init(&turn, 0);
    for (random = 0; random < 5000; random += 7) {
        lp_turn_begin(&turn, 0);
        lp_turn_succeed(&turn, &schedule, 0, -1, random);
        least = turn.due < least ? turn.due : least;
        most = turn.due > most ? turn.due : most;
    }
    assert_in_range(least, 810000, 812000);
    assert_in_range(most, 988000, 990000);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_asks_often_is_served_twice_a_minute),
        cmocka_unit_test(test_a_question_that_came_too_soon_is_kept),
        cmocka_unit_test(
            test_who_asks_just_after_a_scheduled_fetch_is_served_at_once),
        cmocka_unit_test(test_the_operator_s_wish_is_not_lost_while_it_runs),
        cmocka_unit_test(test_a_question_may_come_long_after),
        cmocka_unit_test(test_pauses_double_up_to_an_hour),
        cmocka_unit_test(test_a_source_may_ask_for_patience_up_to_an_hour),
        cmocka_unit_test(test_max_age_counts_between_bounds),
        cmocka_unit_test(test_turns_drift_by_a_tenth_at_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
