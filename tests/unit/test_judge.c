/*
 * Protects the judge: only the exact answer is right, and a browser that is
 * sent where this pupil must not be is never taken for anything less.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../loadtest/judge.h"

#define LOGIN "https://login.example/?return="
#define MINE  "https://u01.load.example/boek/000001"
#define OTHER "https://u01.load.example/boek/000002"

static lp_expected_t expected;

static void
expect(lp_outcome_t outcome, const char *location)
{
    memset(&expected, 0, sizeof(expected));
    expected.outcome = outcome;
    expected.status = location != NULL ? 302 : lp_outcome_status(outcome);
    if (location != NULL) {
        expected.location_len = strlen(location);
        memcpy(expected.location, location, strlen(location));
    }
}

/* location: NULL for none; outcome: LP_OUTCOME_NONE for none. */
static lp_end_t
judge(unsigned status, lp_outcome_t outcome, const char *location)
{
    static lp_answer_t answer;

    memset(&answer, 0, sizeof(answer));
    answer.status = status;
    answer.outcome = outcome;
    if (location != NULL) {
        answer.redirects = 1;
        answer.location_len = strlen(location);
        memcpy(answer.location, location, strlen(location));
    }
    return lp_judge(&expected, &answer, LOGIN);
}

static void
test_the_exact_answer_is_right(void **state)
{
    unsigned i;

    (void) state;
    expect(LP_REDIRECT, MINE);
    assert_int_equal(judge(302, LP_REDIRECT, MINE), LP_END_RIGHT);

    for (i = LP_LOGIN; i < LP_UNAVAILABLE; i++) {
        expect((lp_outcome_t) i, NULL);
        assert_int_equal(judge(lp_outcome_status((lp_outcome_t) i),
                               (lp_outcome_t) i, NULL),
                         LP_END_RIGHT);
    }
}

static void
test_another_location_is_wrong_whatever_else_it_says(void **state)
{
    static const char *const others[] = {
        OTHER, MINE "/", MINE "2", "", "https://u01.load.example/boek/00000",
        "/boek/000001", "HTTPS://u01.load.example/boek/000001",
    };
    static const unsigned statuses[] = {301, 302, 303, 307, 308};
    size_t                i, j;

    (void) state;
    expect(LP_REDIRECT, MINE);
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        for (j = 0; j < sizeof(statuses) / sizeof(statuses[0]); j++) {
            assert_int_equal(judge(statuses[j], LP_REDIRECT, others[i]),
                             LP_END_WRONG_REDIRECT);
            assert_int_equal(judge(statuses[j], LP_OUTCOME_NONE, others[i]),
                             LP_END_WRONG_REDIRECT);
            assert_int_equal(judge(statuses[j], LP_NO_RIGHT, others[i]),
                             LP_END_WRONG_REDIRECT);
        }
    }
}

static void
test_a_redirect_where_none_is_allowed_is_wrong(void **state)
{
    unsigned i;

    (void) state;
    for (i = LP_LOGIN; i < LP_UNAVAILABLE; i++) {
        expect((lp_outcome_t) i, NULL);
        assert_int_equal(judge(302, LP_REDIRECT, MINE), LP_END_WRONG_REDIRECT);
        assert_int_equal(judge(302, (lp_outcome_t) i, MINE),
                         LP_END_WRONG_REDIRECT);
    }
}

static void
test_a_location_that_is_too_long_is_another(void **state)
{
    static lp_answer_t answer = {
        .status = 302, .outcome = LP_REDIRECT, .redirects = 1,
        .location_len = LP_LOCATION_KEPT + 1,
    };

    (void) state;
    expect(LP_REDIRECT, MINE);
    assert_int_equal(lp_judge(&expected, &answer, LOGIN),
                     LP_END_WRONG_REDIRECT);
    expect(LP_LOGIN, LOGIN);
    answer.outcome = LP_LOGIN;
    assert_int_equal(lp_judge(&expected, &answer, LOGIN),
                     LP_END_WRONG_REDIRECT);
    /* but a login's may be long: what it begins with is known */
    memcpy(answer.location, LOGIN, strlen(LOGIN));
    assert_int_equal(lp_judge(&expected, &answer, LOGIN), LP_END_RIGHT);
}

static void
test_the_login_begins_as_it_is_known(void **state)
{
    (void) state;
    expect(LP_LOGIN, LOGIN);
    assert_int_equal(judge(302, LP_LOGIN, LOGIN "https%3A%2F%2Fx"),
                     LP_END_RIGHT);
    assert_int_equal(judge(302, LP_LOGIN, "https://login.example.evil/"),
                     LP_END_WRONG_REDIRECT);
    assert_int_equal(judge(302, LP_REDIRECT, MINE), LP_END_WRONG_REDIRECT);
    assert_int_equal(judge(302, LP_OUTCOME_NONE, LOGIN "x"),
                     LP_END_WRONG_OUTCOME);
    assert_int_equal(judge(401, LP_LOGIN, NULL), LP_END_WRONG_OUTCOME);
}

static void
test_to_the_login_by_mistake_is_another_outcome(void **state)
{
    (void) state;
    expect(LP_REDIRECT, MINE);
    assert_int_equal(judge(302, LP_LOGIN, LOGIN "x"), LP_END_WRONG_OUTCOME);
    assert_int_equal(judge(302, LP_REDIRECT, LOGIN "x"),
                     LP_END_WRONG_REDIRECT);
    expect(LP_NO_RIGHT, NULL);
    assert_int_equal(judge(302, LP_LOGIN, LOGIN "x"), LP_END_WRONG_OUTCOME);
}

static void
test_all_three_must_be_right(void **state)
{
    (void) state;
    expect(LP_REDIRECT, MINE);
    assert_int_equal(judge(301, LP_REDIRECT, MINE), LP_END_WRONG_OUTCOME);
    assert_int_equal(judge(302, LP_ACTIVATE, MINE), LP_END_WRONG_OUTCOME);
    assert_int_equal(judge(302, LP_OUTCOME_NONE, MINE), LP_END_WRONG_OUTCOME);
    assert_int_equal(judge(302, LP_REDIRECT, NULL), LP_END_WRONG_OUTCOME);
    assert_int_equal(judge(200, LP_REDIRECT, MINE), LP_END_WRONG_OUTCOME);

    expect(LP_NO_RIGHT, NULL);
    assert_int_equal(judge(403, LP_ENDED, NULL), LP_END_WRONG_OUTCOME);
    assert_int_equal(judge(404, LP_NO_RIGHT, NULL), LP_END_WRONG_OUTCOME);
    assert_int_equal(judge(403, LP_NO_RIGHT, MINE), LP_END_WRONG_OUTCOME);
}

static void
test_overload_is_told_apart(void **state)
{
    (void) state;
    expect(LP_REDIRECT, MINE);
    assert_int_equal(judge(503, LP_UNAVAILABLE, NULL), LP_END_UNAVAILABLE);
    assert_int_equal(judge(503, LP_OUTCOME_NONE, NULL), LP_END_UNAVAILABLE);
    assert_int_equal(judge(502, LP_REDIRECT, NULL), LP_END_UNAVAILABLE);
    assert_int_equal(judge(429, LP_OUTCOME_NONE, NULL), LP_END_LIMITED);
    expect(LP_NO_RIGHT, NULL);
    assert_int_equal(judge(500, LP_NO_RIGHT, NULL), LP_END_UNAVAILABLE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_exact_answer_is_right),
        cmocka_unit_test(test_another_location_is_wrong_whatever_else_it_says),
        cmocka_unit_test(test_a_redirect_where_none_is_allowed_is_wrong),
        cmocka_unit_test(test_a_location_that_is_too_long_is_another),
        cmocka_unit_test(test_the_login_begins_as_it_is_known),
        cmocka_unit_test(test_to_the_login_by_mistake_is_another_outcome),
        cmocka_unit_test(test_all_three_must_be_right),
        cmocka_unit_test(test_overload_is_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
