/*
 * Protects what is made of a token endpoint's answer: only a bearer token that
 * can stand in a header, and for no longer than it lives.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../workers/access_token.h"

#define NOW 1000000

static int
read_answer(lp_access_token_t *token, const char *body)
{
    memset(token, 0, sizeof(*token));
    return lp_access_token_read(token, lp_span_of(body), NOW);
}

static void
test_a_token_is_good_until_a_little_before_its_end(void **state)
{
    static const struct {
        const char *body;
        int64_t     good_ms;
    } answers[] = {
        {"{\"access_token\":\"a.b\",\"expires_in\":600}", 570000},
        {"{\"access_token\":\"a.b\",\"expires_in\":20}", 10000},
        {"{\"access_token\":\"a.b\",\"expires_in\":1e30}", 21570000},
        {"{\"access_token\":\"a.b\"}", 270000},
        {"{\"access_token\":\"a.b\",\"token_type\":\"BEARER\"}", 270000},
        {"{\"access_token\":\"a.b\",\"expires_in\":-5}", 0},
    };
    lp_access_token_t token;
    size_t            i;

    (void) state;
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        assert_int_equal(read_answer(&token, answers[i].body), 0);
        assert_string_equal(token.value, "a.b");
        assert_int_equal(lp_access_token_good(&token, NOW),
                         answers[i].good_ms > 0);
        assert_int_equal(token.good_until - NOW, answers[i].good_ms);
        assert_false(lp_access_token_good(&token, token.good_until));
        lp_access_token_drop(&token);
        assert_false(lp_access_token_good(&token, 0));
    }
}

static void
test_what_can_not_be_sent_is_no_token(void **state)
{
    static const char *const bodies[] = {
        "", "{", "[]", "{}", "\"token\"", "{\"access_token\":7}",
        "{\"access_token\":\"\"}", "{\"access_token\":\"a b\"}",
        "{\"access_token\":\"a\\r\\nX: y\"}",
        "{\"access_token\":\"\\u00e9\"}",
        "{\"access_token\":\"a\",\"access_token\":\"b\"}",
        "{\"access_token\":\"a\",\"token_type\":\"mac\"}",
    };
    lp_access_token_t token;
    size_t            i;

    (void) state;
    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(read_answer(&token, bodies[i]), -1);
        assert_null(token.value);
    }
}

static void
test_a_party_without_a_key_is_not_asked(void **state)
{
    lp_party_t  party;
    const char *reason = NULL;

    (void) state;
    memset(&party, 0, sizeof(party));
    assert_null(lp_access_token_ask(&party, NOW, &reason));
    assert_non_null(reason);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_is_good_until_a_little_before_its_end),
        cmocka_unit_test(test_what_can_not_be_sent_is_no_token),
        cmocka_unit_test(test_a_party_without_a_key_is_not_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
