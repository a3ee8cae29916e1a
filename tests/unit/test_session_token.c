/*
 * Protects session tokens: the edge reads out of one what was put in, believes
 * it for as long as was said, and no browser is given one that it can't keep.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../sso/session_key.h"
#include "../../sso/session_life.h"

#define NOW  1790000000
#define SITE "https://toegang.example"
#define ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" /* 32 bytes */
#define KEYS                                                                  \
    "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"now\",\"alg\":\"HS256\","          \
    "\"k\":\"" ZEROS "\"},{\"kty\":\"oct\",\"kid\":\"before\","               \
    "\"k\":\"BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBE\"}]}"

static const lp_algs_t hs256 = {1, {LP_ALG_HS256}};

static char     folder[] = "/tmp/leerpoort-test-XXXXXX";
static char     keys_path[64], away_path[64], conf_path[64];
static lp_sso_t sso;

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static int
open_site(void **state)
{
    const char *reason;

    (void) state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(keys_path, sizeof(keys_path), "%s/session.jwks", folder);
    snprintf(away_path, sizeof(away_path), "%s/away", folder);
    snprintf(conf_path, sizeof(conf_path), "%s/sso.json", folder);
    write_file(keys_path, KEYS);
    write_file(conf_path, "{\"publicUrl\":\"" SITE "\",\"session\":{"
                          "\"keyFile\":\"session.jwks\","
                          "\"tokenLifetime\":900,\"lifetime\":7200}}");
    sso.providers = lp_providers_open(conf_path, &reason);
    sso.session_key = lp_session_key_create();
    return sso.providers == NULL || sso.session_key == NULL ? -1 : 0;
}

static int
close_site(void **state)
{
    (void) state;
    lp_session_key_destroy(sso.session_key);
    lp_providers_close(sso.providers);
    (void) unlink(keys_path);
    (void) unlink(conf_path);
    return rmdir(folder);
}

static void
set_id(lp_who_id_t *id, const char *type, const char *text)
{
    snprintf(id->type, sizeof(id->type), "%s", type);
    snprintf(id->id, sizeof(id->id), "%s", text);
}

static lp_who_t
teacher(void)
{
    lp_who_t who;

    memset(&who, 0, sizeof(who));
    who.n_users = 2;
    set_id(&who.users[0], "NEPPI", "juf@school.example");
    set_id(&who.users[1], "ECK", "h\xc3\xa9 \"\\|");
    set_id(&who.school, "OIE_CODE", "11ZZ03");
    who.employee = 1;
    return who;
}

/* As leerpoort_issuer has it. */
static lp_issuer_t
edge(lp_jwks_t *keys)
{
    lp_issuer_t issuer = {.iss = lp_span(SITE), .n_audiences = 1,
                          .algs = hs256, .n_users = 2, .n_schools = 2,
                          .n_employees = 1, .keys = keys};

    issuer.audiences[0] = lp_span(SITE);
    issuer.users[0] = (lp_claim_t) {lp_span("ECK"), lp_span("ECK")};
    issuer.users[1] = (lp_claim_t) {lp_span("NEPPI"), lp_span("NEPPI")};
    issuer.schools[0] = (lp_claim_t) {lp_span("MASTER"), lp_span("MASTER")};
    issuer.schools[1] = (lp_claim_t) {lp_span("OIE_CODE"),
                                      lp_span("OIE_CODE")};
    issuer.employees[0] = (lp_mark_t) {lp_span("role"), lp_span("employee")};
    return issuer;
}

static void
test_the_edge_reads_who_it_is(void **state)
{
    static lp_token_t token;
    char              text[LP_TOKEN_MAX + 1];
    const char       *reason;
    lp_jwks_t        *keys = lp_jwks_parse(lp_span(KEYS), &hs256, NULL, NULL,
                                           &reason);
    lp_issuer_t       issuer = edge(keys);
    lp_who_t          who = teacher();
    size_t            len = lp_session_token(&sso, &who, 900, NOW, text);

    (void) state;
    assert_true(len > 0 && strlen(text) == len);
    assert_int_equal(lp_token_open(&token, (lp_span_t) {text, len}),
                     LP_JOSE_OK);
    assert_int_equal(lp_token_check(&token, &issuer, NOW), LP_JOSE_OK);
    assert_int_equal(token.iat, NOW);
    assert_int_equal(token.exp, NOW + 900);
    assert_int_equal(token.n_users, 2);
    assert_true(lp_span_equal(token.users[0].id, lp_span("h\xc3\xa9 \"\\|")));
    assert_true(lp_span_equal(token.users[1].id,
                              lp_span("juf@school.example")));
    assert_true(lp_span_equal(token.school.id_type, lp_span("OIE_CODE")));
    assert_true(lp_span_equal(token.school.id, lp_span("11ZZ03")));
    assert_int_equal(token.employee, 1);
    assert_true(lp_span_equal(token.jws.kid, lp_span("now")));
    lp_token_close(&token);

    assert_int_equal(lp_token_open(&token, (lp_span_t) {text, len}),
                     LP_JOSE_OK);
    assert_int_equal(lp_token_check(&token, &issuer, NOW + 900),
                     LP_JOSE_EXPIRED);
    lp_token_close(&token);
    lp_jwks_free(keys);
}

static void
test_no_two_tokens_are_alike(void **state)
{
    char     one[LP_TOKEN_MAX + 1], two[LP_TOKEN_MAX + 1];
    lp_who_t who = teacher();

    (void) state;
    assert_true(lp_session_token(&sso, &who, 900, NOW, one) > 0);
    assert_true(lp_session_token(&sso, &who, 900, NOW, two) > 0);
    assert_string_not_equal(one, two);
}

/* Ids of the greatest length fit; those that JSON makes longer do not. */
static void
test_a_cookie_that_browsers_drop_is_not_given(void **state)
{
    char         text[LP_TOKEN_MAX + 1];
    lp_session_t session;
    lp_who_t     who = teacher();
    unsigned     i;
    size_t       len;

    (void) state;
    memset(&session, 0, sizeof(session));
    session.used = NOW;
    session.until = NOW + 7200;
    who.n_users = LP_TOKEN_USERS;
    for (i = 0; i < LP_TOKEN_USERS; i++) {
        snprintf(who.users[i].type, sizeof(who.users[i].type), "TYPE-%u", i);
        memset(who.users[i].id, 'x', LP_USER_ID_MAX);
    }
    len = lp_session_make_token(&session, &sso, &who, text);
    assert_true(len > LP_TOKEN_USERS * LP_USER_ID_MAX && len <= 4000);
    for (i = 0; i < LP_TOKEN_USERS; i++) {
        memset(who.users[i].id, '"', LP_USER_ID_MAX);
    }
    assert_int_equal(lp_session_make_token(&session, &sso, &who, text), 0);
}

static void
test_without_a_key_there_is_no_token(void **state)
{
    char     text[LP_TOKEN_MAX + 1];
    lp_sso_t other = {.providers = sso.providers,
                      .session_key = lp_session_key_create()};
    lp_who_t who = teacher();

    (void) state;
    assert_int_equal(rename(keys_path, away_path), 0);
    assert_int_equal(lp_session_token(&other, &who, 900, NOW, text), 0);
    assert_int_equal(rename(away_path, keys_path), 0);
    lp_session_key_destroy(other.session_key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_edge_reads_who_it_is),
        cmocka_unit_test(test_no_two_tokens_are_alike),
        cmocka_unit_test(test_a_cookie_that_browsers_drop_is_not_given),
        cmocka_unit_test(test_without_a_key_there_is_no_token),
    };

    return cmocka_run_group_tests(tests, open_site, close_site);
}
