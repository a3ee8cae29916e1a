/*
 * Protects the interface of outcomes: names and status codes as
 * docs/directives.md has them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/outcome.h"

static const struct {
    lp_outcome_t outcome;
    const char  *name;
    unsigned     status;
} expected[] = {
    {LP_REDIRECT, "redirect", 302},
    {LP_ACTIVATE, "activate", 503},
    {LP_LOGIN, "login", 401},
    {LP_BAD_TOKEN, "bad-token", 401},
    {LP_NO_RIGHT, "no-right", 403},
    {LP_NOT_YET, "not-yet", 403},
    {LP_ENDED, "ended", 403},
    {LP_BLOCKED_OUT, "blocked", 403},
    {LP_UNKNOWN_PRODUCT, "unknown-product", 404},
    {LP_UNKNOWN_MATERIAL, "unknown-material", 404},
    {LP_BAD_REQUEST, "bad-request", 400},
    {LP_UNAVAILABLE, "unavailable", 503},
};

static void
test_every_outcome_has_its_name_and_status(void **state)
{
    size_t i;

    (void) state;

    assert_int_equal(sizeof(expected) / sizeof(expected[0]), LP_OUTCOMES);

    for (i = 0; i < LP_OUTCOMES; i++) {
        assert_int_equal(expected[i].outcome, i);
        assert_string_equal(lp_outcome_name(expected[i].outcome),
                            expected[i].name);
        assert_int_equal(lp_outcome_status(expected[i].outcome),
                         expected[i].status);
    }
}

static void
test_a_value_outside_the_table_is_unavailable(void **state)
{
    (void) state;

    assert_string_equal(lp_outcome_name(LP_OUTCOMES), "unavailable");
    assert_int_equal(lp_outcome_status(LP_OUTCOMES), 503);
    assert_int_equal(lp_outcome_status((lp_outcome_t) -1), 503);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_outcome_has_its_name_and_status),
        cmocka_unit_test(test_a_value_outside_the_table_is_unavailable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
