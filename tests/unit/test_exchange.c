/*
 * Protects what is made of a provider's answers: every bad one ends as one that
 * passes by itself or one that does not, and nothing of it is kept.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../sso/exchange.h"
#include "minting.h"

static lp_tokens_t tokens;
static const char *why;

static lp_http_reply_t
answer(int status, const char *body)
{
    return (lp_http_reply_t) {.result = LP_HTTP_ANSWERED, .status = status,
                              .max_age = -1, .type = "application/json",
                              .body = lp_span_of(body)};
}

static lp_exchange_t
read_tokens(int status, const char *body)
{
    lp_http_reply_t reply = answer(status, body);

    why = NULL;
    memset(&tokens, 0, sizeof(tokens));
    return lp_exchange_read(&tokens, &reply, &why);
}

static void
test_tokens_are_read(void **state)
{
    (void) state;
    assert_int_equal(read_tokens(200, "{\"id_token\":\"a.b.c\","
                                      "\"access_token\":\"x\","
                                      "\"token_type\":\"bearer\"}"),
                     LP_EXCHANGE_OK);
    assert_string_equal(tokens.id_token, "a.b.c");
    assert_int_equal(tokens.id_token_len, 5);
    assert_string_equal(tokens.access_token, "x");
    assert_int_equal(read_tokens(200, "{\"id_token\":\"a.b.c\"}"),
                     LP_EXCHANGE_OK);
    assert_string_equal(tokens.access_token, "");
}

static void
test_an_answer_without_tokens_is_wrong(void **state)
{
    static const char *const bodies[] = {
        "", "{", "[]", "\"a\"", "{}", "<html></html>", "{\"id_token\":7}",
        "{\"id_token\":\"\"}", "{\"id_token\":\"a b\"}",
        "{\"id_token\":\"a\\nb\"}", "{\"id_token\":\"\\u00e9\"}",
        "{\"id_token\":\"a\",\"id_token\":\"b\"}",
        "{\"id_token\":\"a\",\"access_token\":7}",
        "{\"id_token\":\"a\",\"access_token\":\"\"}",
        "{\"id_token\":\"a\",\"access_token\":\"x\\r\\ny\"}",
        "{\"id_token\":\"a\",\"access_token\":\"x\",\"token_type\":\"mac\"}",
        "{\"access_token\":\"x\",\"token_type\":\"Bearer\"}",
        "{\"error\":\"invalid_grant\"}",
    };
    size_t i;

    (void) state;
    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(read_tokens(200, bodies[i]), LP_EXCHANGE_WRONG);
        assert_non_null(why);
    }
}

static void
test_long_tokens_are_wrong(void **state)
{
    char *token = malloc(LP_TOKEN_MAX + 2), *body;
    int   more;

    (void) state;
    assert_non_null(token);
    for (more = 0; more < 2; more++) {
        memset(token, 'a', LP_TOKEN_MAX + 1);
        token[LP_TOKEN_MAX + more] = '\0';
        body = mint_text("{\"id_token\":\"%s\"}", token);
        assert_int_equal(read_tokens(200, body),
                         more ? LP_EXCHANGE_WRONG : LP_EXCHANGE_OK);
        free(body);
        body = mint_text("{\"id_token\":\"a\",\"access_token\":\"%s\"}",
                         token);
        assert_int_equal(read_tokens(200, body),
                         more ? LP_EXCHANGE_WRONG : LP_EXCHANGE_OK);
        free(body);
    }
    free(token);
}

static void
test_a_status_says_whether_it_passes(void **state)
{
    static const struct {
        int           status;
        lp_exchange_t result;
    } statuses[] = {
        {100, LP_EXCHANGE_WRONG}, {204, LP_EXCHANGE_WRONG},
        {301, LP_EXCHANGE_WRONG}, {307, LP_EXCHANGE_WRONG},
        {400, LP_EXCHANGE_WRONG}, {401, LP_EXCHANGE_WRONG},
        {403, LP_EXCHANGE_WRONG}, {404, LP_EXCHANGE_WRONG},
        {429, LP_EXCHANGE_DOWN},  {500, LP_EXCHANGE_DOWN},
        {502, LP_EXCHANGE_DOWN},  {503, LP_EXCHANGE_DOWN},
        {999, LP_EXCHANGE_DOWN},
    };
    size_t i;

    (void) state;
    for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        assert_int_equal(read_tokens(statuses[i].status,
                                     "{\"id_token\":\"a\"}"),
                         statuses[i].result);
    }
}

static void
test_what_is_no_answer(void **state)
{
    static const struct {
        lp_http_result_t result;
        lp_exchange_t    is;
    } results[] = {
        {LP_HTTP_UNREACHED, LP_EXCHANGE_DOWN},
        {LP_HTTP_LATE, LP_EXCHANGE_DOWN},
        {LP_HTTP_UNTRUSTED, LP_EXCHANGE_DOWN},
        {LP_HTTP_GARBAGE, LP_EXCHANGE_DOWN},
        {LP_HTTP_FORBIDDEN, LP_EXCHANGE_WRONG},
    };
    lp_http_reply_t reply;
    size_t          i;

    (void) state;
    for (i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        reply = answer(200, "{\"id_token\":\"a\"}");
        reply.result = results[i].result;
        assert_int_equal(lp_exchange_read(&tokens, &reply, &why),
                         results[i].is);
    }
}

static void
test_errors_are_told_in_our_words(void **state)
{
    (void) state;
    read_tokens(400, "{\"error\":\"invalid_grant\",\"error_description\":"
                     "\"code abc of pupil\"}");
    assert_non_null(strstr(why, "code"));
    assert_null(strstr(why, "pupil"));
    read_tokens(401, "{\"error\":\"invalid_client\"}");
    assert_non_null(strstr(why, "secret"));
    read_tokens(400, "{\"error\":\"made up\"}");
    assert_null(strstr(why, "made up"));
    read_tokens(400, "{\"error\":7}");
    read_tokens(400, "garbage");
}

static lp_exchange_t
read_userinfo(const char *type, const char *body)
{
    lp_http_reply_t   reply = answer(200, body);
    lp_json_memory_t *memory;
    lp_exchange_t     result;
    json_t           *claims = NULL;

    reply.type = type;
    result = lp_userinfo_read(&claims, &memory, &reply, lp_span("pupil"),
                              &why);
    if (result == LP_EXCHANGE_OK) {
        assert_non_null(json_object_get(claims, "sub"));
        lp_json_release(memory);
    }
    return result;
}

static void
test_userinfo_is_about_the_same_person(void **state)
{
    (void) state;
    assert_int_equal(read_userinfo("application/json; charset=utf-8",
                                   "{\"sub\":\"pupil\"}"),
                     LP_EXCHANGE_OK);
    assert_int_equal(read_userinfo(NULL, "{\"sub\":\"pupil\"}"),
                     LP_EXCHANGE_OK);
    assert_int_equal(read_userinfo(NULL, "{\"sub\":\"pupil2\"}"),
                     LP_EXCHANGE_WRONG);
    assert_int_equal(read_userinfo(NULL, "{\"sub\":[\"pupil\"]}"),
                     LP_EXCHANGE_WRONG);
    assert_int_equal(read_userinfo(NULL, "{}"), LP_EXCHANGE_WRONG);
    assert_int_equal(read_userinfo(NULL, "pupil"), LP_EXCHANGE_WRONG);
    assert_int_equal(read_userinfo("Application/JWT", "a.b.c"),
                     LP_EXCHANGE_WRONG);
    assert_non_null(strstr(why, "signed"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_are_read),
        cmocka_unit_test(test_an_answer_without_tokens_is_wrong),
        cmocka_unit_test(test_long_tokens_are_wrong),
        cmocka_unit_test(test_a_status_says_whether_it_passes),
        cmocka_unit_test(test_what_is_no_answer),
        cmocka_unit_test(test_errors_are_told_in_our_words),
        cmocka_unit_test(test_userinfo_is_about_the_same_person),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
