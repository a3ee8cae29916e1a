/*
 * Protects launch tickets: what stands in them, that anybody can verify them
 * with the published key, and that they name nobody.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "entitlement.h"
#include "jws.h"
#include "private_jwk.h"
#include "ticket.h"

#define NOW  1800000000
#define USER "abcdefghijklmnopqrstuv"
#define CAP  128

static lp_pepper_t *pepper;

static const lp_ticket_t usual = {
    .issuer = {"https://toegang.example", 23},
    .audience = {"https://uitgever.example", 24},
    .user = {USER, LP_USER_KEY_LEN},
    .school = {"104A158", 7},
    .product = {"9789006123456", 13},
    .entitlement = {"JOOUVFNgS6SBnwPlm43WeQ", LP_ENTITLEMENT_LEN},
    .employee = 0,
    .now = NOW,
    .life = 60,
};

static int
make_pepper(void **state)
{
    (void) state;
    pepper = lp_pepper_create(lp_span("a pepper"));
    return pepper == NULL ? -1 : 0;
}

static int
drop_pepper(void **state)
{
    (void) state;
    lp_pepper_destroy(pepper);
    return 0;
}

/* A key and its published half. */
static lp_jwks_t *
publish(const lp_private_key_t *key)
{
    const char *reason;
    json_t     *set = json_pack("{s:[o]}", "keys", lp_jwk_write(key, 0));
    char       *text = json_dumps(set, 0);
    lp_jwks_t  *jwks;

    jwks = lp_jwks_parse(lp_span_of(text), &lp_algs_jws, NULL, NULL, &reason);
    assert_non_null(jwks);
    free(text);
    json_decref(set);
    return jwks;
}

/* The claims of a ticket of this kind, once it has been verified. */
static json_t *
write_and_verify(lp_alg_t alg, const lp_ticket_t *ticket)
{
    char             text[LP_TICKET_MAX];
    static lp_jws_t  jws;
    lp_private_key_t key;
    lp_signer_t     *signer;
    lp_jwks_t       *jwks;
    json_t          *claims;
    size_t           len;

    assert_int_equal(lp_private_key_new(&key, alg, "k\"1"), 0);
    signer = lp_signer_create(&key, LP_TICKET_TYPE);
    assert_non_null(signer);
    assert_int_equal(lp_signer_alg(signer), alg);
    jwks = publish(&key);
    lp_private_key_free(&key);

    len = lp_ticket_write(text, signer, pepper, ticket);
    assert_true(len > 0);
    assert_int_equal(lp_jws_parse(&jws, (lp_span_t) {text, len}), LP_JOSE_OK);
    assert_int_equal(lp_jws_verify(&jws, jwks, &lp_algs_jws), LP_JOSE_OK);
    assert_true(lp_span_equal(jws.typ, lp_span(LP_TICKET_TYPE)));
    assert_true(lp_span_equal(jws.kid, lp_span("k\"1")));
    claims = json_loadb(jws.payload.data, jws.payload.len,
                        JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(claims);

    lp_jwks_free(jwks);
    lp_signer_free(signer);
    return claims;
}

static const char *
text_of(const json_t *claims, const char *name)
{
    return json_string_value(json_object_get(claims, name));
}

static void
test_every_algorithm_of_a_ring_signs(void **state)
{
    unsigned i;

    (void) state;
    for (i = 0; i < lp_algs_token.n; i++) {
        json_decref(write_and_verify(lp_algs_token.list[i], &usual));
    }
}

static void
test_claims(void **state)
{
    json_t *claims = write_and_verify(LP_ALG_ES256, &usual);

    (void) state;
    assert_int_equal(json_object_size(claims), 10);
    assert_string_equal(text_of(claims, "iss"), "https://toegang.example");
    assert_string_equal(text_of(claims, "aud"), "https://uitgever.example");
    assert_int_equal(json_integer_value(json_object_get(claims, "iat")), NOW);
    assert_int_equal(json_integer_value(json_object_get(claims, "exp")),
                     NOW + 60);
    assert_int_equal(strlen(text_of(claims, "jti")), 22);
    assert_int_equal(strlen(text_of(claims, "sub")), 22);
    assert_string_equal(text_of(claims, "productId"), "9789006123456");
    assert_string_equal(text_of(claims, "organisationMasterIdentifier"),
                        "104A158");
    assert_string_equal(text_of(claims, "entitlementId"),
                        "24e39454-5360-4ba4-819f-03e59b8dd679");
    assert_string_equal(text_of(claims, "role"), "student");
    json_decref(claims);
}

static void
test_what_is_not_there_is_left_out(void **state)
{
    lp_ticket_t ticket = usual;
    json_t     *claims;

    (void) state;
    ticket.school.len = 0;
    ticket.entitlement.len = 0;
    ticket.employee = 1;
    claims = write_and_verify(LP_ALG_ES256, &ticket);
    assert_int_equal(json_object_size(claims), 8);
    assert_null(json_object_get(claims, "organisationMasterIdentifier"));
    assert_null(json_object_get(claims, "entitlementId"));
    assert_string_equal(text_of(claims, "role"), "employee");
    json_decref(claims);
}

static void
test_the_longest_of_everything_fits(void **state)
{
    lp_ticket_t ticket = usual;
    char        longest[LP_TICKET_TEXT_MAX];

    (void) state;
    memset(longest, 'x', sizeof(longest));
    ticket.issuer = (lp_span_t) {longest, LP_TICKET_TEXT_MAX};
    ticket.audience = ticket.issuer;
    ticket.school = (lp_span_t) {longest, 64};
    ticket.product = (lp_span_t) {longest, 64};
    ticket.now = INT64_MAX - 1000;
    json_decref(write_and_verify(LP_ALG_RS256, &ticket));
}

static void
test_no_two_tickets_are_one(void **state)
{
    json_t *one = write_and_verify(LP_ALG_ES256, &usual);
    json_t *other = write_and_verify(LP_ALG_ES256, &usual);

    (void) state;
    assert_string_not_equal(text_of(one, "jti"), text_of(other, "jti"));
    assert_string_equal(text_of(one, "sub"), text_of(other, "sub"));
    json_decref(one);
    json_decref(other);
}

/* Also where one process became two in between. */
static void
test_a_child_draws_no_jti_of_its_parent(void **state)
{
    json_t *mine, *theirs;
    char    jti[32] = "";
    int     ends[2];
    pid_t   child;

    (void) state;
    json_decref(write_and_verify(LP_ALG_ES256, &usual));
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        theirs = write_and_verify(LP_ALG_ES256, &usual);
        _exit(write(ends[1], text_of(theirs, "jti"), 22) != 22);
    }
    mine = write_and_verify(LP_ALG_ES256, &usual);
    assert_int_equal(read(ends[0], jti, sizeof(jti)), 22);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_string_not_equal(text_of(mine, "jti"), jti);
    json_decref(mine);
    close(ends[0]);
    close(ends[1]);
}

static void
test_bad_texts_are_not_signed(void **state)
{
    static const char *const bad[] = {"", "a b", "a\"b", "a\\b", "a\nb",
                                      "a\x7f", "a\xc3\xa9"};
    char             text[LP_TICKET_MAX], longer[LP_TICKET_TEXT_MAX + 1];
    lp_private_key_t key;
    lp_signer_t     *signer;
    lp_ticket_t      ticket = usual;
    unsigned         i;

    (void) state;
    assert_int_equal(lp_private_key_new(&key, LP_ALG_ES256, "k"), 0);
    signer = lp_signer_create(&key, LP_TICKET_TYPE);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(lp_ticket_text_valid(lp_span_of(bad[i])));
        ticket = usual;
        ticket.audience = lp_span_of(bad[i]);
        assert_int_equal(lp_ticket_write(text, signer, pepper, &ticket), 0);
        ticket = usual;
        ticket.issuer = lp_span_of(bad[i]);
        assert_int_equal(lp_ticket_write(text, signer, pepper, &ticket), 0);
    }
    memset(longer, 'x', sizeof(longer));
    assert_false(lp_ticket_text_valid((lp_span_t) {longer, sizeof(longer)}));
    assert_true(lp_ticket_text_valid((lp_span_t) {longer,
                                                  sizeof(longer) - 1}));
    lp_signer_free(signer);
    lp_private_key_free(&key);
}

static void
test_the_pseudonym_is_the_audience_s_alone(void **state)
{
    char         one[LP_USER_KEY_LEN], other[LP_USER_KEY_LEN];
    lp_span_t    user = lp_span(USER);
    lp_pepper_t *stranger = lp_pepper_create(lp_span("another pepper"));

    (void) state;
    assert_int_equal(lp_ticket_pseudonym(one, pepper, lp_span("a"), user), 0);
    assert_int_equal(lp_ticket_pseudonym(other, pepper, lp_span("a"), user),
                     0);
    assert_memory_equal(one, other, LP_USER_KEY_LEN);
    assert_memory_not_equal(one, USER, LP_USER_KEY_LEN);

    assert_int_equal(lp_ticket_pseudonym(other, pepper, lp_span("b"), user),
                     0);
    assert_memory_not_equal(one, other, LP_USER_KEY_LEN);
    assert_int_equal(lp_ticket_pseudonym(other, pepper, lp_span("a"),
                                         lp_span("Abcdefghijklmnopqrstuv")),
                     0);
    assert_memory_not_equal(one, other, LP_USER_KEY_LEN);
    assert_int_equal(lp_ticket_pseudonym(other, stranger, lp_span("a"), user),
                     0);
    assert_memory_not_equal(one, other, LP_USER_KEY_LEN);

    /* as documented, and so for good: pseudonyms are kept by publishers */
    assert_int_equal(lp_user_key(other, pepper, lp_span("leerpoort ticket"),
                                 lp_span("a|" USER)),
                     0);
    assert_memory_equal(one, other, LP_USER_KEY_LEN);
    assert_int_equal(lp_ticket_pseudonym(one, pepper, lp_span("a"),
                                         lp_span("short")),
                     -1);
    lp_pepper_destroy(stranger);
}

static void
test_secrets_and_public_keys_do_not_sign(void **state)
{
    lp_private_key_t key;

    (void) state;
    assert_int_equal(lp_private_key_new(&key, LP_ALG_HS256, "k"), 0);
    assert_null(lp_signer_create(&key, LP_TICKET_TYPE));
    lp_private_key_free(&key);

    assert_int_equal(lp_private_key_new(&key, LP_ALG_ES256, "k"), 0);
    key.is_private = 0;
    assert_null(lp_signer_create(&key, LP_TICKET_TYPE));
    lp_private_key_free(&key);
    lp_signer_free(NULL);
}

static void
test_a_jws_that_does_not_fit_is_not_begun(void **state)
{
    lp_private_key_t key;
    lp_signer_t     *signer;
    char             dst[400];
    size_t           len, cap;

    (void) state;
    assert_int_equal(lp_private_key_new(&key, LP_ALG_ES256, "k"), 0);
    signer = lp_signer_create(&key, "t");
    len = lp_signer_write(signer, dst, sizeof(dst), lp_span("{}"));
    assert_true(len > 0 && len < sizeof(dst));
    for (cap = 0; cap < len; cap++) {
        assert_int_equal(lp_signer_write(signer, dst, cap, lp_span("{}")), 0);
    }
    lp_signer_free(signer);
    lp_private_key_free(&key);
}

static void
test_where_the_ticket_goes(void **state)
{
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"https://a.nl", "https://a.nl?t=x.y"},
        {"https://a.nl/", "https://a.nl/?t=x.y"},
        {"https://a.nl/b?c=d", "https://a.nl/b?c=d&t=x.y"},
        {"https://a.nl/b?c=d&t=old", "https://a.nl/b?c=d&t=old&t=x.y"},
        {"https://a.nl/b?", "https://a.nl/b?t=x.y"},
        {"https://a.nl/b?c&", "https://a.nl/b?c&t=x.y"},
        {"https://a.nl/b#f", "https://a.nl/b?t=x.y#f"},
        {"https://a.nl/b?c=d#f", "https://a.nl/b?c=d&t=x.y#f"},
        {"https://a.nl/b?#", "https://a.nl/b?t=x.y#"},
        {"https://a.nl/b#f?g#h", "https://a.nl/b?t=x.y#f?g#h"},
        {"https://a.nl/#/b?c=d", "https://a.nl/?t=x.y#/b?c=d"},
    };
    char     location[CAP];
    size_t   len;
    unsigned i;

    (void) state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = strlen(cases[i].before);
        memcpy(location, cases[i].before, len);
        assert_int_equal(lp_ticket_append(location, &len, CAP, lp_span("t"),
                                          lp_span("x.y")),
                         0);
        location[len] = '\0';
        assert_string_equal(location, cases[i].after);

        /* with one byte less, nothing is done */
        len = strlen(cases[i].before);
        memcpy(location, cases[i].before, len);
        assert_int_equal(lp_ticket_append(location, &len,
                                          strlen(cases[i].after) - 1,
                                          lp_span("t"), lp_span("x.y")),
                         -1);
        assert_int_equal(len, strlen(cases[i].before));
        assert_memory_equal(location, cases[i].before, len);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_algorithm_of_a_ring_signs),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_what_is_not_there_is_left_out),
        cmocka_unit_test(test_the_longest_of_everything_fits),
        cmocka_unit_test(test_no_two_tickets_are_one),
        cmocka_unit_test(test_a_child_draws_no_jti_of_its_parent),
        cmocka_unit_test(test_bad_texts_are_not_signed),
        cmocka_unit_test(test_the_pseudonym_is_the_audience_s_alone),
        cmocka_unit_test(test_secrets_and_public_keys_do_not_sign),
        cmocka_unit_test(test_a_jws_that_does_not_fit_is_not_begun),
        cmocka_unit_test(test_where_the_ticket_goes),
    };

    return cmocka_run_group_tests(tests, make_pepper, drop_pepper);
}
