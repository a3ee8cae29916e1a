/*
 * Protects the seconds: none is read while it is written, none overwrites one
 * that was not taken, and what came too late for its second is in the totals
 * alone.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../loadtest/score.h"

static int
make_score(void **state)
{
    *state = lp_score_create();

    return *state == NULL ? -1 : 0;
}


static int
drop_score(void **state)
{
    lp_score_destroy(*state);

    return 0;
}


static void
test_a_new_score_is_empty(void **state)
{
    lp_score_t *score = *state;
    unsigned    i;

    assert_int_equal(score->schedule.h.n_buckets, LP_FINE_BUCKETS);
    assert_int_equal(score->slip.h.min, INT64_MAX);
    assert_int_equal(atomic_load(&score->control.factor), 1000);
    for (i = 0; i < LP_SCORE_SECONDS; i++) {
        assert_int_equal(score->second[i].second, -1);
        assert_int_equal(score->second[i].latency.h.digits, LP_COARSE);
    }
}


static void
test_a_second_keeps_its_slot(void **state)
{
    lp_score_t  *score = *state;
    lp_second_t *second = lp_score_second(score, 3);

    assert_non_null(second);
    assert_int_equal(second->second, 3);
    second->counts.sent = 5;
    lp_histogram_record(&second->latency.h, 12);
    assert_ptr_equal(lp_score_second(score, 3), second);
    assert_int_equal(second->counts.sent, 5);
    assert_ptr_not_equal(lp_score_second(score, 2), second);
}


/* A second whose beginning found no room would look like a quiet one. */
static void
test_a_second_that_lacks_its_beginning_is_none(void **state)
{
    lp_score_t *score = *state;
    int64_t     lost = LP_SCORE_SECONDS + 2;

    assert_non_null(lp_score_second(score, 5));
    assert_null(lp_score_second(score, lost));
    assert_null(lp_score_second(score, lost + 1));
    atomic_store(&score->taken, 10);
    assert_null(lp_score_second(score, lost));
    assert_null(lp_score_second(score, lost + 1));
    assert_non_null(lp_score_second(score, lost + 2));
    assert_non_null(lp_score_second(score, 5));
}


static void
test_what_was_not_taken_is_not_overwritten(void **state)
{
    lp_score_t  *score = *state;
    lp_second_t *second = lp_score_second(score, 0);

    assert_non_null(second);
    second->counts.sent = 5;
    lp_histogram_record(&second->latency.h, 12);
    atomic_store(&score->finished, 1);
    assert_non_null(lp_score_second(score, LP_SCORE_SECONDS - 1));
    assert_null(lp_score_second(score, LP_SCORE_SECONDS));
    assert_int_equal(second->counts.sent, 5);

    atomic_store(&score->taken, LP_SCORE_SECONDS + 1);
    assert_ptr_equal(lp_score_second(score, 2 * LP_SCORE_SECONDS), second);
    assert_int_equal(second->second, 2 * LP_SCORE_SECONDS);
    assert_int_equal(second->counts.sent, 0);
    assert_int_equal(second->latency.h.total, 0);
    assert_null(lp_score_second(score, 2 * LP_SCORE_SECONDS + 1));
}


static void
test_a_finished_second_is_left_alone(void **state)
{
    lp_score_t *score = *state;

    assert_non_null(lp_score_second(score, 4));
    atomic_store(&score->finished, 5);
    assert_null(lp_score_second(score, 4));
    assert_null(lp_score_second(score, -1));
    assert_non_null(lp_score_second(score, 5));
}


static void
test_counts_add_up_and_errors_are_all_but_right_and_missed(void **state)
{
    lp_counts_t a, b;
    unsigned    end;

    (void) state;

    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    a.scheduled = 100;
    b.scheduled = 11;
    b.tls_resumed = 3;
    b.outcome[LP_OUTCOMES - 1] = 2;
    for (end = 0; end < LP_ENDS; end++) {
        b.ended[end] = 1;
    }
    lp_counts_add(&a, &b);
    lp_counts_add(&a, &b);

    assert_int_equal(a.scheduled, 122);
    assert_int_equal(a.tls_resumed, 6);
    assert_int_equal(a.outcome[LP_OUTCOMES - 1], 4);
    assert_int_equal(a.ended[LP_END_MISSED], 2);
    assert_int_equal(lp_counts_errors(&a), 2 * (LP_ENDS - 2));
}


static void
test_every_end_has_a_name_of_its_own(void **state)
{
    unsigned a, b;

    (void) state;

    for (a = 0; a < LP_ENDS; a++) {
        assert_non_null(lp_end_name(a));
        for (b = 0; b < a; b++) {
            assert_string_not_equal(lp_end_name(a), lp_end_name(b));
        }
    }
    assert_string_equal(lp_end_name(LP_ENDS), "unknown");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_new_score_is_empty, make_score,
                                        drop_score),
        cmocka_unit_test_setup_teardown(test_a_second_keeps_its_slot,
                                        make_score, drop_score),
        cmocka_unit_test_setup_teardown(
            test_what_was_not_taken_is_not_overwritten, make_score,
            drop_score),
        cmocka_unit_test_setup_teardown(
            test_a_second_that_lacks_its_beginning_is_none, make_score,
            drop_score),
        cmocka_unit_test_setup_teardown(test_a_finished_second_is_left_alone,
                                        make_score, drop_score),
        cmocka_unit_test(
            test_counts_add_up_and_errors_are_all_but_right_and_missed),
        cmocka_unit_test(test_every_end_has_a_name_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
