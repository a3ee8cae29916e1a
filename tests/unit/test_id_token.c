/*
 * Protects what an id_token must be before anybody is signed in by it, and a
 * logout_token before anybody is signed out: each fault by itself refuses it,
 * times hold to the second, and a key that is not there yet is no fault.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../sso/id_token.h"
#include "minting.h"

#define NOW    1790000000
#define ISSUER "https://idp.example"
#define NONCE  "n-0123456789012345678901234567890123456789abc"
#define EVENT  "http://schemas.openid.net/event/backchannel-logout"

#define HEADER "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"JWT\"}"
#define LOGOUT_HEADER "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"logout+jwt\"}"

/* Members that make a token good; each test says itself what it is about. */
#define WHOSE  "\"iss\":\"" ISSUER "\",\"aud\":\"us\""
#define TIMES  "\"iat\":1790000000,\"exp\":1790000300"
#define SUB    "\"sub\":\"pupil\""
#define ONCE   "\"nonce\":\"" NONCE "\""
#define EVENTS "\"events\":{\"" EVENT "\":{}},\"jti\":\"j\""
#define GOOD   "{" WHOSE "," TIMES "," SUB "," ONCE "}"

static char            folder[] = "/tmp/leerpoort-test-XXXXXX";
static char            socket_path[128];
static int             asked; /* what leerpoort-keys would listen on */
static lp_key_files_t *keys;

static lp_algs_t           algs = {2, {LP_ALG_ES256, LP_ALG_RS256}};
static lp_expected_token_t expected;
static lp_token_t          token;
static lp_jose_error_t     error;
static const char         *why;

static void
write_keys(const char *name, const char *members)
{
    char *jwk = mint_jwk(mint_key(LP_ALG_ES256), members);
    char *path = mint_text("%s/%s.jwks.json", folder, name);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fprintf(file, "{\"keys\":[%s]}", jwk);
    assert_int_equal(fclose(file), 0);
    free(path);
    free(jwk);
}

static int
open_folder(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void) state;
    assert_non_null(mkdtemp(folder));
    snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
    memcpy(address.sun_path, socket_path, strlen(socket_path));
    asked = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(asked, (struct sockaddr *) &address,
                          sizeof(address)), 0);
    write_keys("idp", "\"kid\":\"k\",\"alg\":\"ES256\",");
    write_keys("nameless", "");
    return 0;
}

static int
remove_folder(void **state)
{
    static const char *const names[] = {"idp.jwks.json", "nameless.jwks.json",
                                        "socket"};
    char  *path;
    size_t i;

    (void) state;
    close(asked);
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        path = mint_text("%s/%s", folder, names[i]);
        unlink(path);
        free(path);
    }
    return rmdir(folder);
}

static int
set_up(void **state)
{
    (void) state;
    keys = lp_key_files_open(folder, socket_path);
    assert_non_null(keys);
    expected = (lp_expected_token_t) {
        .name = lp_span("idp"), .issuer = lp_span(ISSUER),
        .client_id = lp_span("us"), .algs = &algs, .leeway = 30,
        .nonce = lp_span(NONCE)};
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    lp_key_files_close(keys);
    return 0;
}

static lp_id_token_t
check_at(const char *text, int64_t now)
{
    lp_id_token_t result;

    error = LP_JOSE_ERRORS;
    why = NULL;
    result = lp_id_token_check(&token, lp_span_of(text), &expected, keys, now,
                               &error, &why);
    if (result != LP_ID_TOKEN_OK) {
        assert_non_null(why);
        assert_true(error < LP_JOSE_ERRORS);
    }
    lp_token_close(&token);
    return result;
}

static lp_id_token_t
check_with(const char *header, const char *payload)
{
    char *text = mint_token(mint_key(LP_ALG_ES256), LP_ALG_ES256, header,
                            payload);
    lp_id_token_t result = check_at(text, NOW);

    free(text);
    return result;
}

static lp_id_token_t
check(const char *payload)
{
    return check_with(HEADER, payload);
}

static int
was_asked(void)
{
    char    issuer[256];
    ssize_t n = recv(asked, issuer, sizeof(issuer), 0);

    return n == (ssize_t) strlen(ISSUER) && memcmp(issuer, ISSUER, n) == 0;
}

static void
test_a_good_one_is_taken(void **state)
{
    (void) state;
    assert_int_equal(check(GOOD), LP_ID_TOKEN_OK);
    assert_int_equal(check("{\"iss\":\"" ISSUER "\",\"aud\":[\"us\"],"
                           TIMES "," SUB "," ONCE "}"),
                     LP_ID_TOKEN_OK);
    assert_int_equal(check("{\"iss\":\"" ISSUER "\",\"aud\":[\"x\",\"us\"],"
                           "\"azp\":\"us\"," TIMES "," SUB "," ONCE "}"),
                     LP_ID_TOKEN_OK);
    assert_int_equal(check_with("{\"alg\":\"ES256\",\"kid\":\"k\"}", GOOD),
                     LP_ID_TOKEN_OK);
    assert_false(was_asked());
}

static void
test_each_fault_of_a_claim_refuses_it(void **state)
{
    static const struct {
        const char     *payload;
        lp_jose_error_t error;
    } faults[] = {
        {"{\"iss\":\"" ISSUER "/\",\"aud\":\"us\"," TIMES "," SUB "," ONCE "}",
         LP_JOSE_ISS_WRONG},
        {"{\"aud\":\"us\"," TIMES "," SUB "," ONCE "}", LP_JOSE_ISS_MISSING},
        {"{\"iss\":\"" ISSUER "\",\"aud\":\"them\"," TIMES "," SUB "," ONCE
         "}", LP_JOSE_AUD_WRONG},
        {"{\"iss\":\"" ISSUER "\"," TIMES "," SUB "," ONCE "}",
         LP_JOSE_AUD_MISSING},
        {"{\"iss\":\"" ISSUER "\",\"aud\":[\"us\",\"them\"]," TIMES "," SUB ","
         ONCE "}", LP_JOSE_AUD_WRONG},
        {"{\"iss\":\"" ISSUER "\",\"aud\":[\"us\",\"them\"],\"azp\":\"them\","
         TIMES "," SUB "," ONCE "}", LP_JOSE_AUD_WRONG},
        {"{" WHOSE ",\"azp\":\"them\"," TIMES "," SUB "," ONCE "}",
         LP_JOSE_AUD_WRONG},
        {"{" WHOSE ",\"azp\":null," TIMES "," SUB "," ONCE "}",
         LP_JOSE_AUD_WRONG},
        {"{" WHOSE ",\"iat\":1790000000," SUB "," ONCE "}",
         LP_JOSE_EXP_MISSING},
        {"{" WHOSE ",\"exp\":1790000300," SUB "," ONCE "}",
         LP_JOSE_IAT_MISSING},
        {"{" WHOSE "," TIMES "," ONCE "}", LP_JOSE_USER_MISSING},
        {"{" WHOSE "," TIMES ",\"sub\":\"\"," ONCE "}", LP_JOSE_USER_TYPE},
        {"{" WHOSE "," TIMES ",\"sub\":7," ONCE "}", LP_JOSE_USER_TYPE},
        {"{" WHOSE "," TIMES ",\"sub\":\"a\\nb\"," ONCE "}",
         LP_JOSE_USER_TYPE},
        {"{" WHOSE "," TIMES "," SUB "}", LP_JOSE_OK},
        {"{" WHOSE "," TIMES "," SUB ",\"nonce\":\"\"}", LP_JOSE_OK},
        {"{" WHOSE "," TIMES "," SUB ",\"nonce\":null}", LP_JOSE_OK},
        {"{" WHOSE "," TIMES "," SUB ",\"nonce\":[\"" NONCE "\"]}",
         LP_JOSE_OK},
        {"{" WHOSE "," TIMES "," SUB ",\"nonce\":\"" NONCE "x\"}",
         LP_JOSE_OK},
        {"{" WHOSE "," TIMES "," SUB "," ONCE "," EVENTS "}",
         LP_JOSE_TYPE},
        {"{" WHOSE "," TIMES "," SUB "," SUB "," ONCE "}",
         LP_JOSE_CLAIM_TWICE},
    };
    size_t i;

    (void) state;
    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        assert_int_equal(check(faults[i].payload), LP_ID_TOKEN_BAD);
        assert_int_equal(error, faults[i].error);
    }
    assert_false(was_asked());
}

static void
test_a_long_sub_is_refused(void **state)
{
    char  sub[LP_SUBJECT_MAX + 2], *text;
    int   i;

    (void) state;
    memset(sub, 'a', sizeof(sub));
    for (i = 0; i < 2; i++) {
        sub[LP_SUBJECT_MAX + i] = '\0';
        text = mint_text("{" WHOSE "," TIMES "," ONCE ",\"sub\":\"%s\"}", sub);
        assert_int_equal(check(text), i == 0 ? LP_ID_TOKEN_OK
                                             : LP_ID_TOKEN_BAD);
        free(text);
        sub[LP_SUBJECT_MAX + i] = 'a';
    }
}

static void
test_times_hold_to_the_second(void **state)
{
    static const struct {
        int64_t         now;
        lp_jose_error_t error;
    } times[] = {
        {NOW - 31, LP_JOSE_NOT_BEFORE}, {NOW - 30, LP_JOSE_OK},
        {NOW + 329, LP_JOSE_OK},        {NOW + 330, LP_JOSE_EXPIRED},
    };
    char  *text, *ahead;
    size_t i;

    (void) state;
    text = mint_token(mint_key(LP_ALG_ES256), LP_ALG_ES256, HEADER,
                      "{" WHOSE "," TIMES ",\"nbf\":1790000000," SUB "," ONCE
                      "}");
    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        assert_int_equal(check_at(text, times[i].now),
                         times[i].error == LP_JOSE_OK ? LP_ID_TOKEN_OK
                                                      : LP_ID_TOKEN_BAD);
        if (times[i].error != LP_JOSE_OK) {
            assert_int_equal(error, times[i].error);
        }
    }
    ahead = mint_token(mint_key(LP_ALG_ES256), LP_ALG_ES256, HEADER, GOOD);
    assert_int_equal(check_at(ahead, NOW - 31), LP_ID_TOKEN_BAD);
    assert_int_equal(error, LP_JOSE_IAT_AHEAD);
    free(ahead);
    free(text);
}

/* A token that is older than the question it answers is no answer. */
static void
test_a_token_is_not_older_than_its_nonce(void **state)
{
    char *text;

    (void) state;
    text = mint_token(mint_key(LP_ALG_ES256), LP_ALG_ES256, HEADER,
                      "{" WHOSE ",\"iat\":1790000000,\"exp\":1790009000," SUB
                      "," ONCE "}");
    assert_int_equal(check_at(text, NOW + 631), LP_ID_TOKEN_OK);
    expected.nonce_age = 600;
    assert_int_equal(check_at(text, NOW + 630), LP_ID_TOKEN_OK);
    assert_int_equal(check_at(text, NOW + 631), LP_ID_TOKEN_BAD);
    assert_int_equal(error, LP_JOSE_TOO_OLD);
    free(text);
}

/* max_age of the request: the person signed in at most so long ago. */
static void
test_what_max_age_asked_is_checked(void **state)
{
    static const char *const bad[] = {
        "", ",\"auth_time\":null", ",\"auth_time\":\"1790000000\"",
        ",\"auth_time\":-0.5", ",\"auth_time\":-1",
        ",\"auth_time\":1790000030.5", ",\"auth_time\":1e300",
    };
    static const struct {
        int           ago;
        lp_id_token_t result;
    } ages[] = {{0, LP_ID_TOKEN_OK}, {330, LP_ID_TOKEN_OK},
                {331, LP_ID_TOKEN_BAD}, {-30, LP_ID_TOKEN_OK},
                {-31, LP_ID_TOKEN_BAD}};
    char   text[1024];
    size_t i;

    (void) state;
    for (i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        snprintf(text, sizeof(text), "{" WHOSE "," TIMES "," SUB "," ONCE
                 ",\"auth_time\":%lld}", (long long) NOW - ages[i].ago);
        expected.asks_age = 0;
        assert_int_equal(check(text), LP_ID_TOKEN_OK);
        expected.asks_age = 1;
        expected.auth_age = 300;
        assert_int_equal(check(text), ages[i].result);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "{" WHOSE "," TIMES "," SUB "," ONCE
                 "%s}", bad[i]);
        assert_int_equal(check(text), LP_ID_TOKEN_BAD);
    }
}

/* NumericDate of RFC 7519, as many a program writes it. */
static void
test_times_may_have_a_fraction(void **state)
{
    static const char *const good[] = {
        "\"iat\":1790000000.25,\"exp\":1790000300.75",
        "\"iat\":1790000000.0,\"exp\":1.7900003e9,\"nbf\":0.5",
        "\"iat\":1790000030.9,\"exp\":1790000300",
    };
    static const char *const bad[] = {
        "\"iat\":1790000031.5,\"exp\":1790000300",
        "\"iat\":1789999000.5,\"exp\":1789999970.9",
        "\"iat\":-0.5,\"exp\":1790000300", "\"iat\":0.5,\"exp\":1e300",
        "\"iat\":\"0.5\",\"exp\":1790000300",
    };
    char   text[1024];
    size_t i;

    (void) state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(text, sizeof(text), "{" WHOSE ",%s," SUB "," ONCE "}",
                 good[i]);
        assert_int_equal(check(text), LP_ID_TOKEN_OK);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "{" WHOSE ",%s," SUB "," ONCE "}",
                 bad[i]);
        assert_int_equal(check(text), LP_ID_TOKEN_BAD);
    }
}

static void
test_types_of_other_tokens_are_refused(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"application/at+jwt\"}",
        LOGOUT_HEADER,
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"typ\":\"\"}",
        "{\"alg\":\"ES256\",\"kid\":\"k\",\"cty\":\"JWT\"}",
    };
    size_t i;

    (void) state;
    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        assert_int_equal(check_with(headers[i], GOOD), LP_ID_TOKEN_BAD);
        assert_int_equal(error, LP_JOSE_TYPE);
    }
}

static void
test_algorithms_that_are_not_allowed_ask_for_no_key(void **state)
{
    char *text;

    (void) state;
    assert_int_equal(check_with("{\"alg\":\"none\",\"kid\":\"x\"}", GOOD),
                     LP_ID_TOKEN_BAD);
    assert_int_equal(error, LP_JOSE_ALG_UNKNOWN);
    assert_int_equal(check_with("{\"alg\":\"PS256\",\"kid\":\"x\"}", GOOD),
                     LP_ID_TOKEN_BAD);
    assert_int_equal(error, LP_JOSE_ALG_REFUSED);

    lp_algs_add(&algs, LP_ALG_HS256); /* whatever the configuration says */
    text = mint_token(mint_key(LP_ALG_HS256), LP_ALG_HS256,
                      "{\"alg\":\"HS256\",\"kid\":\"k\"}", GOOD);
    assert_int_equal(check_at(text, NOW), LP_ID_TOKEN_BAD);
    assert_int_equal(error, LP_JOSE_ALG_REFUSED);
    algs.n = 2;
    free(text);
    assert_false(was_asked());
}

static void
test_a_key_that_is_not_there_is_asked_for(void **state)
{
    (void) state;
    assert_int_equal(check_with("{\"alg\":\"ES256\",\"kid\":\"new\"}", GOOD),
                     LP_ID_TOKEN_NO_KEY);
    assert_int_equal(error, LP_JOSE_KEY_UNKNOWN);
    assert_true(was_asked());
    expected.name = lp_span("nobody");
    assert_int_equal(check(GOOD), LP_ID_TOKEN_NO_KEY);
}

/* Without a kid a signature that does not fit may be a new key's. */
static void
test_a_signature_that_does_not_fit(void **state)
{
    EVP_PKEY *other = mint_new_key(LP_ALG_ES256);
    char     *text;

    (void) state;
    text = mint_token(other, LP_ALG_ES256, HEADER, GOOD);
    assert_int_equal(check_at(text, NOW), LP_ID_TOKEN_BAD);
    assert_int_equal(error, LP_JOSE_SIGNATURE);
    assert_false(was_asked());
    free(text);

    expected.name = lp_span("nameless");
    text = mint_token(other, LP_ALG_ES256, "{\"alg\":\"ES256\"}", GOOD);
    assert_int_equal(check_at(text, NOW), LP_ID_TOKEN_NO_KEY);
    assert_true(was_asked());
    free(text);
    text = mint_token(mint_key(LP_ALG_ES256), LP_ALG_ES256,
                      "{\"alg\":\"ES256\"}", GOOD);
    assert_int_equal(check_at(text, NOW), LP_ID_TOKEN_OK);
    free(text);
    EVP_PKEY_free(other);
}

static void
test_garbage_is_refused(void **state)
{
    static const char *const garbage[] = {"", ".", "..", "a.b.c", "{}"};
    size_t i;

    (void) state;
    for (i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        assert_int_equal(check_at(garbage[i], NOW), LP_ID_TOKEN_BAD);
    }
}

static void
test_a_nonce_that_nobody_gave_is_refused(void **state)
{
    (void) state;
    expected.nonce = (lp_span_t) {NULL, 0};
    assert_int_equal(check(GOOD), LP_ID_TOKEN_BAD);
    assert_int_equal(check("{" WHOSE "," TIMES "," SUB ",\"nonce\":null}"),
                     LP_ID_TOKEN_BAD);
    assert_int_equal(check("{" WHOSE "," TIMES "," SUB "}"), LP_ID_TOKEN_OK);
    expected.nonce = lp_span("");
    assert_int_equal(check("{" WHOSE "," TIMES "," SUB ",\"nonce\":\"\"}"),
                     LP_ID_TOKEN_BAD);
}

static void
test_who_is_anonymous_needs_no_sub(void **state)
{
    (void) state;
    expected.anonymous = 1;
    assert_int_equal(check("{" WHOSE "," TIMES "," ONCE "}"), LP_ID_TOKEN_OK);
    assert_int_equal(check("{" WHOSE "," TIMES ",\"sub\":\"\"," ONCE "}"),
                     LP_ID_TOKEN_BAD);
}

static void
test_a_logout_token_is_about_a_logout(void **state)
{
    static const struct {
        const char   *payload;
        lp_id_token_t result;
    } tokens[] = {
        {"{" WHOSE "," TIMES "," SUB "," EVENTS "}", LP_ID_TOKEN_OK},
        {"{" WHOSE "," TIMES ",\"sid\":\"s\"," EVENTS "}", LP_ID_TOKEN_OK},
        {"{" WHOSE "," TIMES "," EVENTS "}", LP_ID_TOKEN_BAD},
        {"{" WHOSE "," TIMES ",\"sid\":7," EVENTS "}", LP_ID_TOKEN_BAD},
        {"{" WHOSE "," TIMES "," SUB "}", LP_ID_TOKEN_BAD},
        {"{" WHOSE "," TIMES "," SUB "," ONCE "," EVENTS "}",
         LP_ID_TOKEN_BAD},
        {"{" WHOSE "," TIMES "," SUB ",\"jti\":\"j\",\"events\":"
         "{\"" EVENT "\":true}}", LP_ID_TOKEN_BAD},
        {"{" WHOSE "," TIMES "," SUB ",\"events\":{\"" EVENT "\":{}}}",
         LP_ID_TOKEN_BAD},
        {"{" WHOSE "," TIMES "," SUB ",\"jti\":\"j\",\"events\":[\"" EVENT
         "\"]}", LP_ID_TOKEN_BAD},
    };
    size_t i;

    (void) state;
    expected.logout = 1;
    expected.nonce = (lp_span_t) {NULL, 0};
    for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        assert_int_equal(check_with(LOGOUT_HEADER, tokens[i].payload),
                         tokens[i].result);
        assert_int_equal(check(tokens[i].payload), tokens[i].result);
    }
    assert_int_equal(check_with("{\"alg\":\"ES256\",\"kid\":\"k\","
                                "\"typ\":\"Application/Logout+JWT\"}",
                                tokens[0].payload),
                     LP_ID_TOKEN_OK);
}

/* The example of OpenID Connect Core A.3: SHA-256. */
static void
test_at_hash_binds_the_access_token(void **state)
{
    static const char payload[] =
        "{" WHOSE "," TIMES "," SUB "," ONCE
        ",\"at_hash\":\"77QmUPtjPfzWtF2AnpK9RQ\"}";
    char *text = mint_token(mint_key(LP_ALG_ES256), LP_ALG_ES256, HEADER,
                            payload);

    (void) state;
    assert_int_equal(lp_id_token_check(&token, lp_span_of(text), &expected,
                                       keys, NOW, &error, &why),
                     LP_ID_TOKEN_OK);
    assert_int_equal(
        lp_id_token_at_hash(&token, lp_span("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0"
                                            "z9K3vx5KF0Y")), 0);
    assert_int_equal(
        lp_id_token_at_hash(&token, lp_span("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0"
                                            "z9K3vx5KF0Z")), -1);
    assert_int_equal(lp_id_token_at_hash(&token, lp_span("")), -1);
    lp_token_close(&token);
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_good_one_is_taken),
        TEST(test_each_fault_of_a_claim_refuses_it),
        TEST(test_a_long_sub_is_refused),
        TEST(test_times_hold_to_the_second),
        TEST(test_a_token_is_not_older_than_its_nonce),
        TEST(test_what_max_age_asked_is_checked),
        TEST(test_times_may_have_a_fraction),
        TEST(test_types_of_other_tokens_are_refused),
        TEST(test_algorithms_that_are_not_allowed_ask_for_no_key),
        TEST(test_a_key_that_is_not_there_is_asked_for),
        TEST(test_a_signature_that_does_not_fit),
        TEST(test_garbage_is_refused),
        TEST(test_a_nonce_that_nobody_gave_is_refused),
        TEST(test_who_is_anonymous_needs_no_sub),
        TEST(test_a_logout_token_is_about_a_logout),
        TEST(test_at_hash_binds_the_access_token),
    };

    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
