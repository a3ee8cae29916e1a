/*
 * Protects the verdict: a tool that was too slow never says PASS, a wrong
 * redirect is never outweighed, who was not answered counts as slow, and a run
 * is given up early only where its end is certain.
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

#include "../../loadtest/verdict.h"
#include "rehearsal_result.h"


static int
make_run(void **state)
{
    *state = good_result();

    return 0;
}


static int
drop_run(void **state)
{
    free(*state);

    return 0;
}


static const lp_check_t *
check_of(const lp_result_t *run, const char *name)
{
    unsigned i;

    for (i = 0; i < run->conclusion.n_checks; i++) {
        if (strcmp(run->conclusion.checks[i].name, name) == 0) {
            return &run->conclusion.checks[i];
        }
    }

    return NULL;
}


static void
assert_says(lp_result_t *run, lp_pass_t pass, const char *words)
{
    lp_result_conclude(run);
    if (run->conclusion.pass != pass
        || strstr(run->conclusion.sentence, words) == NULL)
    {
        fail_msg("%d: %s", (int) run->conclusion.pass,
                 run->conclusion.sentence);
    }
}


/* So many clicks end otherwise than right, and without a time. */
static void
spoil(lp_result_t *run, lp_end_t end, uint64_t n)
{
    uint64_t i;

    run->counts.ended[LP_END_RIGHT] -= n;
    run->counts.ended[end] += n;
    lp_histogram_reset(&run->schedule.h, LP_FINE);
    for (i = 0; i < run->counts.ended[LP_END_RIGHT]; i++) {
        lp_histogram_record(&run->schedule.h, 5000);
    }
}


static void
test_a_good_run_passes(void **state)
{
    lp_result_t *run = *state;

    assert_says(run, LP_PASS,
                "PASS: 1,000 clicks, planned peak 100/s: every pupil got the "
                "right answer; 99 of 100 clicks within 9.9");
    assert_non_null(strstr(run->conclusion.sentence, "(allowed: 50 ms)."));
    assert_int_equal(check_of(run, "p99_ms")->broken, 0);
    assert_true(check_of(run, "p99_ms")->limit == 50);
    assert_null(check_of(run, "p50_ms"));
    assert_null(check_of(run, "api_p99_ms"));
}


static void
test_one_wrong_redirect_fails_and_comes_first(void **state)
{
    lp_result_t *run = *state;

    run->counts.ended[LP_END_RIGHT]--;
    run->counts.ended[LP_END_WRONG_REDIRECT]++;
    assert_says(run, LP_FAIL,
                "FAIL: 1 pupil was sent to somebody else's book (allowed: 0)");

    run->counts.ended[LP_END_RIGHT] -= 499;
    run->counts.ended[LP_END_LATE] += 497;
    run->counts.ended[LP_END_WRONG_REDIRECT] += 2;
    assert_says(run, LP_FAIL, "FAIL: 3 pupils were sent to somebody else's");
    assert_non_null(strstr(run->conclusion.sentence,
                           "; 50 % of the clicks went wrong (allowed: 0.1 %), "
                           "most of them with no answer in time"));
}


static void
test_slow_answers_fail(void **state)
{
    lp_result_t *run = *state;
    int          i;

    for (i = 0; i < 20; i++) {
        lp_histogram_record(&run->schedule.h, 71000);
    }
    run->counts.scheduled += 20;
    run->counts.ended[LP_END_RIGHT] += 20;

    assert_says(run, LP_FAIL, "FAIL: 99 of 100 clicks took up to 71 ms "
                "(allowed: 50 ms).");
}


static void
test_who_was_not_answered_is_slower_than_any_limit(void **state)
{
    lp_result_t *run = *state;

    run->plan.thresholds.errors = 1;
    run->plan.thresholds.missed = 1;

    spoil(run, LP_END_NO_CONNECTION, 10);
    assert_says(run, LP_PASS, "PASS");
    assert_true(lp_result_quantile_ms(run, 0.99) < 6);
    assert_true(isinf(lp_result_quantile_ms(run, 0.991)));

    spoil(run, LP_END_MISSED, 1);
    assert_says(run, LP_FAIL, "fewer than 99 of 100 clicks were answered at "
                "all (allowed: within 50 ms)");
    assert_true(isinf(check_of(run, "p99_ms")->value));
}


static void
test_missed_clicks_fail(void **state)
{
    lp_result_t *run = *state;

    spoil(run, LP_END_MISSED, 2);
    assert_says(run, LP_FAIL, "0.2 % of the clicks could not be sent");
}


static void
test_a_late_tool_is_invalid(void **state)
{
    lp_result_t *run = *state;
    int          i;

    for (i = 0; i < 20; i++) {
        lp_histogram_record(&run->slip.h, 400000);
    }
    assert_says(run, LP_INVALID, "INVALID: this machine was too slow to keep "
                "the schedule: 1 of 100 clicks was sent 400 ms late");
    run->engines = 3;
    assert_says(run, LP_INVALID, "more --cores than 3, or more machines");

    /* no slowness sends a pupil elsewhere */
    run->counts.ended[LP_END_RIGHT]--;
    run->counts.ended[LP_END_WRONG_REDIRECT]++;
    assert_says(run, LP_FAIL, "1 pupil was sent to somebody else's book");
    assert_non_null(strstr(run->conclusion.sentence, "too slow to keep"));
    assert_int_equal(check_of(run, "wrong_redirects")->broken, 1);
}


static void
test_clicks_that_the_tool_missed_are_invalid(void **state)
{
    lp_result_t *run = *state;

    spoil(run, LP_END_MISSED, 2);
    run->missed_by_tool = 1;
    assert_says(run, LP_FAIL, "FAIL");
    run->missed_by_tool = 2;
    assert_says(run, LP_INVALID, "2 of 1,000 clicks could not be sent");
}


static void
test_lacking_results_are_invalid(void **state)
{
    lp_result_t *run = *state;

    run->counts.scheduled++;
    assert_says(run, LP_INVALID, "of 1,001 clicks 1 have no end");

    run->interrupted = 1;
    run->seconds = 4;
    assert_says(run, LP_INVALID, "Interrupted after 4 of 10 s");
    run->counts.ended[LP_END_RIGHT]--;
    run->counts.ended[LP_END_WRONG_REDIRECT]++;
    assert_says(run, LP_FAIL, "Interrupted after 4 of 10 s");
    run->counts.ended[LP_END_RIGHT]++;
    run->counts.ended[LP_END_WRONG_REDIRECT]--;

    snprintf(run->trouble, sizeof(run->trouble), "an engine ended");
    assert_says(run, LP_INVALID, "INVALID: an engine ended.");

    lp_result_reset(run);
    assert_says(run, LP_INVALID, "not a single click was due");
}


static void
test_first_uses_that_broke_off_are_slow_ones(void **state)
{
    lp_result_t *run = *state;
    unsigned     i;

    lp_histogram_reset(&run->activation.h, LP_FINE);
    for (i = 0; i < 98; i++) {
        lp_histogram_record(&run->activation.h, 1000);
    }
    run->plan.thresholds.activation_p99_ms = 500;
    run->first_uses = 98;
    assert_says(run, LP_PASS, "PASS");
    run->first_uses = 100;
    assert_says(run, LP_FAIL, "fewer than 99 of 100 first uses of a book");
}


/* The plan was never borne, whatever the rate is at the end. */
static void
test_a_rate_turned_down_never_passes(void **state)
{
    lp_result_t *run = *state;

    run->lowest = 0.91;
    assert_says(run, LP_INVALID, "turned down by hand, to 0.91 times");

    run->counts.ended[LP_END_RIGHT] -= 10;
    run->counts.ended[LP_END_UNAVAILABLE] += 10;
    assert_says(run, LP_FAIL, "went wrong");

    run->counts.ended[LP_END_RIGHT] += 10;
    run->counts.ended[LP_END_UNAVAILABLE] -= 10;
    run->lowest = 1;
    run->factor = 1.1;
    assert_says(run, LP_PASS, "changed by hand (1.10 times at the end)");
}


static void
test_a_part_says_that_it_is_one(void **state)
{
    lp_result_t *run = *state;

    run->shards = 5;
    run->shard = 1;
    assert_says(run, LP_PASS, "PASS: (part 2 of 5 alone) ");
}


static void
test_sellers_are_judged_where_there_are_any(void **state)
{
    lp_result_t *run = *state;

    run->plan.thresholds.api_p99_ms = 100;
    run->plan.thresholds.api_errors = 0.001;
    run->api.requests = 99;
    run->api.missed = 1;
    lp_histogram_record(&run->api.latency.h, 1000);

    assert_says(run, LP_FAIL, "1 % of the sellers' requests failed");
    assert_true(isinf(check_of(run, "api_p99_ms")->value));
}


static void
test_all_broken_at_once_still_fit(void **state)
{
    lp_result_t     *run = *state;
    lp_thresholds_t *limits = &run->plan.thresholds;

    limits->p50_ms = limits->p90_ms = limits->p99_ms = 0.001;
    limits->p999_ms = limits->max_ms = limits->activation_p99_ms = 0.001;
    limits->api_p99_ms = limits->api_errors = 0.001;
    run->api.requests = run->api.errors = 5;
    lp_histogram_record(&run->activation.h, 60000);
    spoil(run, LP_END_WRONG_REDIRECT, 100);
    spoil(run, LP_END_MISSED, 100);

    lp_result_conclude(run);
    assert_int_equal(run->conclusion.n_checks, 11);
    assert_int_equal(run->conclusion.pass, LP_FAIL);
    assert_true(strlen(run->conclusion.sentence)
                < sizeof(run->conclusion.sentence));
}


static void
test_hopeless_only_where_the_rest_cannot_mend_it(void **state)
{
    lp_result_t *run = *state;
    char         why[256];

    assert_int_equal(lp_result_hopeless(run, why, sizeof(why)), 0);

    /* 1,000 are expected, 1,160 with luck: 1 of 1,000 may go wrong */
    run->counts.ended[LP_END_LATE] = 1;
    assert_int_equal(lp_result_hopeless(run, why, sizeof(why)), 0);
    run->counts.ended[LP_END_LATE] = 2;
    assert_int_equal(lp_result_hopeless(run, why, sizeof(why)), 1);
    assert_non_null(strstr(why, "2 clicks went wrong"));
}


static void
test_hopeless_at_the_first_wrong_redirect(void **state)
{
    lp_result_t *run = *state;
    char         why[256];

    run->counts.ended[LP_END_WRONG_REDIRECT] = 1;
    assert_int_equal(lp_result_hopeless(run, why, sizeof(why)), 1);
    run->plan.thresholds.wrong_redirects = -1;
    run->plan.thresholds.errors = -1;
    assert_int_equal(lp_result_hopeless(run, why, sizeof(why)), 0);
}


static void
test_hopeless_when_too_many_were_slow(void **state)
{
    lp_result_t *run = *state;
    char         why[256];
    int          i;

    lp_histogram_reset(&run->schedule.h, LP_FINE);
    memset(&run->counts, 0, sizeof(run->counts));
    for (i = 0; i < 11; i++) {
        lp_histogram_record(&run->schedule.h, 60000);
    }
    run->counts.ended[LP_END_RIGHT] = 11;
    assert_int_equal(lp_result_hopeless(run, why, sizeof(why)), 0);

    lp_histogram_record(&run->schedule.h, 60000);
    run->counts.ended[LP_END_RIGHT] = 12;
    assert_int_equal(lp_result_hopeless(run, why, sizeof(why)), 1);
    assert_non_null(strstr(why, "p99_ms: 12 clicks"));

    /* a part of five has a fifth of the clicks, a higher rate more */
    run->shards = 5;
    assert_int_equal(lp_result_hopeless(run, why, sizeof(why)), 1);
    run->shards = 1;
    run->factor = 2;
    assert_int_equal(lp_result_hopeless(run, why, sizeof(why)), 0);
}


#define RUN_TEST(test) cmocka_unit_test_setup_teardown(test, make_run, drop_run)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_TEST(test_a_good_run_passes),
        RUN_TEST(test_one_wrong_redirect_fails_and_comes_first),
        RUN_TEST(test_slow_answers_fail),
        RUN_TEST(test_who_was_not_answered_is_slower_than_any_limit),
        RUN_TEST(test_missed_clicks_fail),
        RUN_TEST(test_a_late_tool_is_invalid),
        RUN_TEST(test_clicks_that_the_tool_missed_are_invalid),
        RUN_TEST(test_lacking_results_are_invalid),
        RUN_TEST(test_first_uses_that_broke_off_are_slow_ones),
        RUN_TEST(test_a_rate_turned_down_never_passes),
        RUN_TEST(test_a_part_says_that_it_is_one),
        RUN_TEST(test_sellers_are_judged_where_there_are_any),
        RUN_TEST(test_all_broken_at_once_still_fit),
        RUN_TEST(test_hopeless_only_where_the_rest_cannot_mend_it),
        RUN_TEST(test_hopeless_at_the_first_wrong_redirect),
        RUN_TEST(test_hopeless_when_too_many_were_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
