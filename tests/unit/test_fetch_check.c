/*
 * Protects what is written of what a network said.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/json.h"
#include "../../core/private_jwk.h"
#include "../../sso/fetch_check.h"

#define ISSUER "https://op.example/a"

static void
check_url(const char *issuer, const char *url)
{
    char dst[LP_FETCH_URL_MAX + 1];

    assert_int_equal(lp_discovery_url(dst, lp_span_of(issuer)), 0);
    assert_string_equal(dst, url);
}


static void
test_metadata_lie_below_the_issuer(void **state)
{
    char long_one[LP_FETCH_URL_MAX + 1], dst[LP_FETCH_URL_MAX + 1];

    (void) state;

    check_url("https://op.example",
              "https://op.example/.well-known/openid-configuration");
    check_url("https://op.example/",
              "https://op.example/.well-known/openid-configuration");
    check_url("https://op.example/tenant/v2.0/",
              "https://op.example/tenant/v2.0/"
              ".well-known/openid-configuration");

    memset(long_one, 'a', sizeof(long_one));
    assert_int_equal(lp_discovery_url(dst, (lp_span_t) {
                                               long_one,
                                               LP_FETCH_URL_MAX - 33}), 0);
    assert_int_equal(strlen(dst), LP_FETCH_URL_MAX);
    assert_int_equal(lp_discovery_url(dst, (lp_span_t) {
                                               long_one,
                                               LP_FETCH_URL_MAX - 32}), -1);
}


/* What is said of a document: NULL where it is taken. */
static const char *
said(const char *document, const char *issuer)
{
    char        jwks_uri[LP_FETCH_URL_MAX + 1];
    const char *why = "nothing was said";
    char       *text = lp_discovery_check(lp_span_of(document),
                                          lp_span_of(issuer), jwks_uri, &why);

    assert_true((text == NULL) == (why != NULL));
    free(text);
    return why;
}


static void
test_nobody_speaks_for_another(void **state)
{
    static const char *const others[] = {
        "{\"issuer\": \"" ISSUER "/\"}", "{\"issuer\": \"https://op.example\"}",
        "{\"issuer\": \"" ISSUER "\\u0000\"}",
        "{\"issuer\": \"HTTPS://op.example/a\"}", "{\"issuer\": \"\"}",
    };
    static const char *const unnamed[] = {
        "{}", "{\"issuer\": null}", "{\"issuer\": [\"" ISSUER "\"]}",
    };
    unsigned i;

    (void) state;

    assert_null(said("{\"issuer\": \"" ISSUER "\"}", ISSUER));
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_non_null(said(others[i], ISSUER));
    }
    for (i = 0; i < sizeof(unnamed) / sizeof(unnamed[0]); i++) {
        assert_string_equal(said(unnamed[i], ISSUER), "it names no issuer");
    }
}


static void
test_no_address_without_tls(void **state)
{
    static const char *const names[] = {
        "authorization_endpoint", "token_endpoint", "userinfo_endpoint",
        "end_session_endpoint", "jwks_uri",
    };
    static const char *const bad[] = {
        "\"http://op.example/x\"", "\"http://127.0.0.1/x\"", "\"//op.example\"",
        "\"javascript:alert(1)\"", "\"https://a@op.example/\"", "7",
        "\"https://op.example/ x\"", "\"\"",
    };
    char     document[512];
    unsigned i, j;

    (void) state;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
            snprintf(document, sizeof(document),
                     "{\"issuer\": \"" ISSUER "\", \"%s\": %s}", names[i],
                     bad[j]);
            assert_non_null(strstr(said(document, ISSUER), names[i]));
        }
        snprintf(document, sizeof(document),
                 "{\"issuer\": \"" ISSUER "\", \"%s\": "
                 "\"https://keys.example:8443/x?y=z\"}", names[i]);
        assert_null(said(document, ISSUER));
        snprintf(document, sizeof(document),
                 "{\"issuer\": \"" ISSUER "\", \"%s\": null}", names[i]);
        assert_null(said(document, ISSUER));
        snprintf(document, sizeof(document),
                 "{\"issuer\": \"http://127.0.0.1:1\", \"%s\": "
                 "\"http://127.0.0.1:1/x\"}", names[i]);
        assert_null(said(document, "http://127.0.0.1:1"));
    }
}


static void
test_metadata_are_one_sound_object(void **state)
{
    static const char start[] = "{\"issuer\": \"" ISSUER "\", \"x\": \"";
    static const char *const bad[] = {
        "", "[]", "{", "\"x\"", "{\"issuer\": \"" ISSUER "\"} x",
        "{\"issuer\": \"" ISSUER "\", \"issuer\": \"" ISSUER "\"}",
        "{\"issuer\": \"" ISSUER "\", \"x\": "
        "[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}",
    };
    char    *big = malloc(LP_DISCOVERY_MAX + 2);
    unsigned i;

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_non_null(said(bad[i], ISSUER));
    }
    assert_non_null(big);
    memset(big, 'x', LP_DISCOVERY_MAX + 1);
    memcpy(big, start, sizeof(start) - 1);
    memcpy(big + LP_DISCOVERY_MAX - 2, "\"}", 3);
    assert_null(said(big, ISSUER));
    memcpy(big + LP_DISCOVERY_MAX - 2, "x\"}", 4);
    assert_string_equal(said(big, ISSUER), "it is too long");
    free(big);
}


/* As long as may be, and what was said in fewer bytes than jansson needs. */
static void
test_what_is_written_is_not_too_long_to_be_read(void **state)
{
    static const char start[] = "{\"issuer\":\"" ISSUER "\",\"x\":[";
    char              jwks_uri[LP_FETCH_URL_MAX + 1];
    const char       *why;
    char             *big = malloc(LP_DISCOVERY_MAX + 1), *text;
    size_t            len = sizeof(start) - 1;

    (void) state;

    assert_non_null(big);
    memcpy(big, start, len);
    while (len < LP_DISCOVERY_MAX - 4) {
        memcpy(big + len, "1,", 2);
        len += 2;
    }
    memcpy(big + len, "1]}", 4);
    text = lp_discovery_check(lp_span_of(big), lp_span(ISSUER), jwks_uri,
                              &why);
    assert_non_null(text);
    assert_true(strlen(text) <= LP_DISCOVERY_MAX);
    free(text);

    len = sizeof(start) - 1;
    while (len < LP_DISCOVERY_MAX / 2) {
        memcpy(big + len, "0.1,", 4);
        len += 4;
    }
    memcpy(big + len, "1]}", 4);
    assert_string_equal(said(big, ISSUER), "it is too long");
    free(big);
}


static void
test_metadata_are_written_whole(void **state)
{
    char             jwks_uri[LP_FETCH_URL_MAX + 1];
    const char      *why;
    char            *text;
    json_t          *written;

    (void) state;

    text = lp_discovery_check(
        lp_span("{\"issuer\": \"" ISSUER "\", \"jwks_uri\": \"https://k/\", "
                "\"claims\": [1, {\"\\u00e9\": null}]}"),
        lp_span(ISSUER), jwks_uri, &why);
    assert_non_null(text);
    assert_string_equal(jwks_uri, "https://k/");
    written = json_loads(text, 0, NULL);
    assert_int_equal(json_object_size(written), 3);
    assert_int_equal(json_array_size(json_object_get(written, "claims")), 2);
    json_decref(written);
    free(text);
}


/* A set of keys as a network would say it. */
static char *
set_of(json_t *one, json_t *two)
{
    json_t *set = json_pack("{s:[o]}", "keys", one);
    char   *text;

    if (two != NULL) {
        json_array_append_new(json_object_get(set, "keys"), two);
    }
    text = json_dumps(set, 0);
    json_decref(set);
    assert_non_null(text);
    return text;
}

static json_t *
new_key(lp_alg_t alg, const char *kid, int private)
{
    lp_private_key_t key;
    json_t          *jwk;

    assert_int_equal(lp_private_key_new(&key, alg, kid), 0);
    jwk = lp_jwk_write(&key, private);
    lp_private_key_free(&key);
    assert_non_null(jwk);
    return jwk;
}

static json_t *
secret_key(const char *alg)
{
    return json_pack("{s:s, s:s*, s:s, s:s}", "kty", "oct", "alg", alg, "kid",
                     "s", "k", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
}


static void
test_private_members_and_secrets_are_not_written(void **state)
{
    lp_key_count_t count;
    const char    *why;
    char          *text, *written;
    json_t        *set, *key;

    (void) state;

    text = set_of(secret_key("HS256"), new_key(LP_ALG_ES256, "a", 1));
    assert_non_null(strstr(text, "\"d\""));
    written = lp_keys_check(lp_span_of(text), &count, &why);
    assert_non_null(written);
    assert_int_equal(count.keys, 1);
    assert_int_equal(count.left_out, 1);
    assert_non_null(count.first);

    set = json_loads(written, 0, NULL);
    assert_int_equal(json_object_size(set), 1);
    assert_int_equal(json_array_size(json_object_get(set, "keys")), 1);
    key = json_array_get(json_object_get(set, "keys"), 0);
    assert_string_equal(json_string_value(json_object_get(key, "kid")), "a");
    assert_null(json_object_get(key, "d"));
    assert_null(json_object_get(key, "k"));
    assert_non_null(json_object_get(key, "x"));
    json_decref(set);
    free(written);
    free(text);
}


static void
test_what_is_written_is_the_same_for_the_same_keys(void **state)
{
    lp_key_count_t count;
    const char    *why;
    char          *text, *one, *two;
    json_t        *key = new_key(LP_ALG_RS256, "a", 0);

    (void) state;

    text = set_of(json_deep_copy(key), NULL);
    one = lp_keys_check(lp_span_of(text), &count, &why);
    free(text);
    json_object_set_new(key, "x5c", json_pack("[s]", "AAAA"));
    text = set_of(key, secret_key(NULL));
    two = lp_keys_check(lp_span_of(text), &count, &why);
    free(text);
    assert_non_null(one);
    assert_string_equal(one, two);
    free(one);
    free(two);
}


static void
test_no_usable_key_is_no_set(void **state)
{
    static const char *const bad[] = {
        "", "[]", "{}", "{\"keys\": []}", "{\"keys\": {}}", "<html>",
        "{\"keys\": [{\"kty\": \"RSA\"}]}",
        "{\"keys\": [], \"keys\": []}",
    };
    lp_key_count_t count;
    const char    *why;
    char          *text;
    unsigned       i;

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        why = NULL;
        assert_null(lp_keys_check(lp_span_of(bad[i]), &count, &why));
        assert_non_null(why);
    }
    text = set_of(secret_key("HS256"), NULL);
    assert_null(lp_keys_check(lp_span_of(text), &count, &why));
    free(text);
    text = malloc(LP_FETCH_KEYS_MAX + 1);
    assert_non_null(text);
    memset(text, ' ', LP_FETCH_KEYS_MAX + 1);
    assert_null(lp_keys_check((lp_span_t) {text, LP_FETCH_KEYS_MAX + 1},
                              &count, &why));
    free(text);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metadata_lie_below_the_issuer),
        cmocka_unit_test(test_nobody_speaks_for_another),
        cmocka_unit_test(test_no_address_without_tls),
        cmocka_unit_test(test_metadata_are_one_sound_object),
        cmocka_unit_test(test_what_is_written_is_not_too_long_to_be_read),
        cmocka_unit_test(test_metadata_are_written_whole),
        cmocka_unit_test(test_private_members_and_secrets_are_not_written),
        cmocka_unit_test(test_what_is_written_is_the_same_for_the_same_keys),
        cmocka_unit_test(test_no_usable_key_is_no_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
