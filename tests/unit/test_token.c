/*
 * Protects the claims: each fault has its own reason, times hold to the
 * second, only ids that may be used come out, and a token is never believed in
 * part, not even when memory runs out in the middle of it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "minting.h"
#include "token.h"

#define NOW    1790000000
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"k\"}"

/* Members that make a token good; each test leaves out what it wants to say
   itself. */
#define ISS   "\"iss\":\"https://sso.example\""
#define AUD   "\"aud\":\"leerpoort\""
#define EXP   "\"exp\":1790000600"
#define USER  "\"eckid\":\"https://ketenid.nl/201703/a1\""
#define BASIC ISS "," AUD "," EXP "," USER

static lp_token_t  token;
static lp_issuer_t issuer;
static lp_jwks_t  *keys;

/* HS256 signs quickly; the claims do not care which algorithm it was. */
static int
set_up(void **state)
{
    char       *jwk, *text;
    const char *reason;

    (void) state;

    memset(&issuer, 0, sizeof(issuer));
    issuer.algs.n = 1;
    issuer.algs.list[0] = LP_ALG_HS256;

    jwk = mint_jwk(mint_key(LP_ALG_HS256), "\"kid\":\"k\",");
    text = mint_text("{\"keys\":[%s]}", jwk);
    keys = lp_jwks_parse(lp_span_of(text), &issuer.algs, NULL, NULL, &reason);
    assert_non_null(keys);
    free(text);
    free(jwk);

    issuer.keys = keys;
    issuer.iss = lp_span("https://sso.example");
    issuer.audiences[0] = lp_span("leerpoort");
    issuer.audiences[1] = lp_span("https://leerpoort.example/");
    issuer.n_audiences = 2;
    issuer.users[0] = (lp_claim_t) {lp_span("eckid"), lp_span("ECK")};
    issuer.users[1] = (lp_claim_t) {lp_span("sub"), lp_span("SUB")};
    issuer.users[2] = (lp_claim_t) {lp_span("mail"), lp_span("MAIL")};
    issuer.users[3] = (lp_claim_t) {lp_span("uid"), lp_span("UID")};
    issuer.n_users = 4;
    issuer.schools[0] = (lp_claim_t) {lp_span("school"), lp_span("MASTER")};
    issuer.schools[1] = (lp_claim_t) {lp_span("brin"), lp_span("BP_ID")};
    issuer.n_schools = 2;

    return 0;
}


static int
tear_down(void **state)
{
    (void) state;
    lp_jwks_free(keys);

    return 0;
}


/* Mints, opens and checks; the caller closes the token. */
static lp_jose_error_t
check_at(const char *header, lp_span_t payload, const lp_issuer_t *by,
         int64_t now)
{
    static char     *text; /* the token's spans lie in it */
    lp_jose_error_t  error;

    free(text);
    text = mint_token_bytes(mint_key(LP_ALG_HS256), LP_ALG_HS256,
                            lp_span_of(header), payload);

    error = lp_token_open(&token, lp_span_of(text));

    return error == LP_JOSE_OK ? lp_token_check(&token, by, now) : error;
}


static lp_jose_error_t
check(const char *payload)
{
    lp_jose_error_t error;

    error = check_at(HEADER, lp_span_of(payload), &issuer, NOW);
    lp_token_close(&token);

    return error;
}


/* Claims on top of those that the issuer asks for. */
static lp_jose_error_t
check_with(const char *claims)
{
    char            *payload;
    lp_jose_error_t  error;

    payload = mint_text("{" BASIC "%s}", claims);
    error = check(payload);
    free(payload);

    return error;
}


static void
test_each_fault_has_its_own_reason(void **state)
{
    size_t i;
    static const struct {
        const char      *payload;
        lp_jose_error_t  error;
    } rows[] = {
        {"{" BASIC "}", LP_JOSE_OK},
        {" {" BASIC ",\"x\":[1,2,{}],\"y\":null,\"z\":1.5}\n", LP_JOSE_OK},

        {"", LP_JOSE_CLAIMS_JSON},
        {"null", LP_JOSE_CLAIMS_JSON},
        {"[]", LP_JOSE_CLAIMS_JSON},
        {"\"text\"", LP_JOSE_CLAIMS_JSON},
        {"{" BASIC, LP_JOSE_CLAIMS_JSON},
        {"{" BASIC "} x", LP_JOSE_CLAIMS_JSON},
        {"{" BASIC "}{}", LP_JOSE_CLAIMS_JSON},
        {"{" BASIC ",}", LP_JOSE_CLAIMS_JSON},
        {"\xef\xbb\xbf{" BASIC "}", LP_JOSE_CLAIMS_JSON},
        {"{" BASIC ",\"x\":\"\xff\"}", LP_JOSE_CLAIMS_JSON},
        {"{" BASIC ",\"x\":\"\xc0\xaf\"}", LP_JOSE_CLAIMS_JSON},
        {"{" BASIC ",\"x\":\"\\ud800\"}", LP_JOSE_CLAIMS_JSON},
        {"{" BASIC ",\"x\":\"\\u0000\"}", LP_JOSE_CLAIMS_JSON},
        {"{" BASIC ",\"x\\u0000\":1}", LP_JOSE_CLAIMS_JSON},
        {"{" BASIC ",\"x\":1e400}", LP_JOSE_CLAIMS_JSON},
        {"{" BASIC ",\"x\":NaN}", LP_JOSE_CLAIMS_JSON},
        {"{" BASIC ",\"x\":01}", LP_JOSE_CLAIMS_JSON},
        {"{" BASIC ",\"x\":99999999999999999999}", LP_JOSE_CLAIMS_JSON},
        {"{" BASIC ",\"x\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}",
         LP_JOSE_CLAIMS_JSON},
        {"{" BASIC ",\"x\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}", LP_JOSE_OK},
        {"{" BASIC "," EXP "}", LP_JOSE_CLAIM_TWICE},
        {"{" BASIC ",\"is\\u0073\":\"https://sso.example\"}",
         LP_JOSE_CLAIM_TWICE},
        {"{" BASIC ",\"x\":{\"y\":1,\"y\":1}}", LP_JOSE_CLAIM_TWICE},

        {"{" AUD "," EXP "," USER "}", LP_JOSE_ISS_MISSING},
        {"{\"iss\":null," AUD "," EXP "," USER "}", LP_JOSE_ISS_TYPE},
        {"{\"iss\":[\"https://sso.example\"]," AUD "," EXP "," USER "}",
         LP_JOSE_ISS_TYPE},
        {"{\"iss\":\"\"," AUD "," EXP "," USER "}", LP_JOSE_ISS_WRONG},
        {"{\"iss\":\"https://sso.example/\"," AUD "," EXP "," USER "}",
         LP_JOSE_ISS_WRONG},
        {"{\"iss\":\"https://sso.example.evil\"," AUD "," EXP "," USER "}",
         LP_JOSE_ISS_WRONG},
        {"{\"iss\":\"https://sso.exampl\"," AUD "," EXP "," USER "}",
         LP_JOSE_ISS_WRONG},
        {"{\"iss\":\"https://SSO.example\"," AUD "," EXP "," USER "}",
         LP_JOSE_ISS_WRONG},
        {"{\"iss\":\"http://sso.example\"," AUD "," EXP "," USER "}",
         LP_JOSE_ISS_WRONG},

        {"{" ISS "," EXP "," USER "}", LP_JOSE_AUD_MISSING},
        {"{" ISS ",\"aud\":[]," EXP "," USER "}", LP_JOSE_AUD_MISSING},
        {"{" ISS ",\"aud\":null," EXP "," USER "}", LP_JOSE_AUD_TYPE},
        {"{" ISS ",\"aud\":1," EXP "," USER "}", LP_JOSE_AUD_TYPE},
        {"{" ISS ",\"aud\":{\"leerpoort\":1}," EXP "," USER "}",
         LP_JOSE_AUD_TYPE},
        {"{" ISS ",\"aud\":[\"leerpoort\",1]," EXP "," USER "}",
         LP_JOSE_AUD_TYPE},
        {"{" ISS ",\"aud\":[[\"leerpoort\"]]," EXP "," USER "}",
         LP_JOSE_AUD_TYPE},
        {"{" ISS ",\"aud\":\"\"," EXP "," USER "}", LP_JOSE_AUD_WRONG},
        {"{" ISS ",\"aud\":\"Leerpoort\"," EXP "," USER "}",
         LP_JOSE_AUD_WRONG},
        {"{" ISS ",\"aud\":\"leerpoort2\"," EXP "," USER "}",
         LP_JOSE_AUD_WRONG},
        {"{" ISS ",\"aud\":[\"a\",\"b\"]," EXP "," USER "}",
         LP_JOSE_AUD_WRONG},
        {"{" ISS ",\"aud\":[\"a\",\"leerpoort\"]," EXP "," USER "}",
         LP_JOSE_OK},
        {"{" ISS ",\"aud\":\"https://leerpoort.example/\"," EXP "," USER "}",
         LP_JOSE_OK},

        {"{" ISS "," AUD "," USER "}", LP_JOSE_EXP_MISSING},
        {"{" ISS "," AUD ",\"exp\":null," USER "}", LP_JOSE_EXP_TYPE},
        {"{" ISS "," AUD ",\"exp\":\"1790000600\"," USER "}",
         LP_JOSE_EXP_TYPE},
        {"{" ISS "," AUD ",\"exp\":1790000600.0," USER "}", LP_JOSE_EXP_TYPE},
        {"{" ISS "," AUD ",\"exp\":1.79e9," USER "}", LP_JOSE_EXP_TYPE},
        {"{" ISS "," AUD ",\"exp\":true," USER "}", LP_JOSE_EXP_TYPE},
        {"{" ISS "," AUD ",\"exp\":[1790000600]," USER "}", LP_JOSE_EXP_TYPE},
        {"{" ISS "," AUD ",\"exp\":-1," USER "}", LP_JOSE_EXP_ABSURD},
        {"{" ISS "," AUD ",\"exp\":-9223372036854775808," USER "}",
         LP_JOSE_EXP_ABSURD},
        {"{" ISS "," AUD ",\"exp\":9223372036854775807," USER "}",
         LP_JOSE_EXP_ABSURD},
        {"{" ISS "," AUD ",\"exp\":253402300800," USER "}",
         LP_JOSE_EXP_ABSURD},
        {"{" ISS "," AUD ",\"exp\":1790000600000," USER "}",
         LP_JOSE_EXP_ABSURD},
        {"{" ISS "," AUD ",\"exp\":253402300799," USER "}", LP_JOSE_OK},
        {"{" ISS "," AUD ",\"exp\":0," USER "}", LP_JOSE_EXPIRED},

        {"{" ISS "," AUD "," EXP "}", LP_JOSE_USER_MISSING},
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (check(rows[i].payload) != rows[i].error) {
            fail_msg("%s: %s instead of %s", rows[i].payload,
                     lp_jose_error_name(check(rows[i].payload)),
                     lp_jose_error_name(rows[i].error));
        }
    }

    assert_int_equal(check_at(HEADER, (lp_span_t) {"{" BASIC "}\0",
                                                   sizeof("{" BASIC "}")},
                              &issuer, NOW), LP_JOSE_CLAIMS_JSON);
    lp_token_close(&token);
}


static void
test_faults_beside_good_claims(void **state)
{
    size_t i;
    static const struct {
        const char      *claims;
        lp_jose_error_t  error;
    } rows[] = {
        {",\"nbf\":1789999999,\"iat\":1789999999", LP_JOSE_OK},
        {",\"nbf\":0,\"iat\":0", LP_JOSE_OK},
        {",\"iat\":null", LP_JOSE_IAT_TYPE},
        {",\"iat\":1.5", LP_JOSE_IAT_TYPE},
        {",\"iat\":\"1\"", LP_JOSE_IAT_TYPE},
        {",\"iat\":-1", LP_JOSE_IAT_ABSURD},
        {",\"iat\":253402300800", LP_JOSE_IAT_ABSURD},
        {",\"nbf\":null", LP_JOSE_NBF_TYPE},
        {",\"nbf\":false", LP_JOSE_NBF_TYPE},
        {",\"nbf\":{}", LP_JOSE_NBF_TYPE},
        {",\"nbf\":-1", LP_JOSE_NBF_ABSURD},
        {",\"nbf\":9223372036854775807", LP_JOSE_NBF_ABSURD},
        {",\"iat\":1790000601", LP_JOSE_EXP_ABSURD},
        {",\"nbf\":1790000601", LP_JOSE_EXP_ABSURD},
        {",\"iat\":1790000600", LP_JOSE_IAT_AHEAD},
        {",\"nbf\":1790000600", LP_JOSE_NOT_BEFORE},
        {",\"nbf\":1790000001,\"iat\":1790000001", LP_JOSE_NOT_BEFORE},

        {",\"sub\":null", LP_JOSE_OK},
        {",\"sub\":\"\"", LP_JOSE_OK},
        {",\"sub\":1", LP_JOSE_USER_TYPE},
        {",\"sub\":false", LP_JOSE_USER_TYPE},
        {",\"sub\":[\"a\"]", LP_JOSE_USER_TYPE},
        {",\"sub\":{}", LP_JOSE_USER_TYPE},
        {",\"sub\":\"a\\nb\"", LP_JOSE_USER_TYPE},
        {",\"sub\":\"a\\u001f\"", LP_JOSE_USER_TYPE},
        {",\"sub\":\"\\u007f\"", LP_JOSE_USER_TYPE},
        {",\"sub\":\" a \\u00e9|\\\"\"", LP_JOSE_OK},

        {",\"school\":null", LP_JOSE_OK},
        {",\"school\":\"\"", LP_JOSE_OK},
        {",\"school\":1", LP_JOSE_SCHOOL_TYPE},
        {",\"school\":[\"00AA\"]", LP_JOSE_SCHOOL_TYPE},
        {",\"school\":\"00 AA\"", LP_JOSE_SCHOOL_TYPE},
        {",\"school\":\"00AA/../u\"", LP_JOSE_SCHOOL_TYPE},
        {",\"school\":\"{00}\"", LP_JOSE_SCHOOL_TYPE},
        {",\"school\":\"\\u00e9\"", LP_JOSE_SCHOOL_TYPE},
        {",\"school\":\"a\\r\\nb\"", LP_JOSE_SCHOOL_TYPE},
        {",\"brin\":\"00 AA|x\"", LP_JOSE_OK},
        {",\"brin\":\"00\\tAA\"", LP_JOSE_SCHOOL_TYPE},
        {",\"brin\":0", LP_JOSE_SCHOOL_TYPE},

        /* what stands behind the first school is not looked at */
        {",\"school\":\"00AA\",\"brin\":0", LP_JOSE_OK},
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (check_with(rows[i].claims) != rows[i].error) {
            fail_msg("%s: %s instead of %s", rows[i].claims,
                     lp_jose_error_name(check_with(rows[i].claims)),
                     lp_jose_error_name(rows[i].error));
        }
    }
}


static void
test_types_of_token(void **state)
{
    char            *header;
    size_t           i;
    lp_jose_error_t  error;
    static const struct {
        const char      *members;
        lp_jose_error_t  error;
    } rows[] = {
        {"", LP_JOSE_OK},
        {",\"typ\":\"JWT\"", LP_JOSE_OK},
        {",\"typ\":\"jwt\"", LP_JOSE_OK},
        {",\"typ\":\"at+jwt\"", LP_JOSE_OK},
        {",\"typ\":\"AT+JWT\"", LP_JOSE_OK},
        {",\"typ\":\"application/jwt\"", LP_JOSE_OK},
        {",\"typ\":\"Application/at+JWT\"", LP_JOSE_OK},
        {",\"typ\":\"\"", LP_JOSE_TYPE},
        {",\"typ\":\"application/\"", LP_JOSE_TYPE},
        {",\"typ\":\"application/application/jwt\"", LP_JOSE_TYPE},
        {",\"typ\":\"JOSE\"", LP_JOSE_TYPE},
        {",\"typ\":\"logout+jwt\"", LP_JOSE_TYPE},
        {",\"typ\":\"dpop+jwt\"", LP_JOSE_TYPE},
        {",\"typ\":\"JWT \"", LP_JOSE_TYPE},
        {",\"typ\":\"at-jwt\"", LP_JOSE_TYPE},
        {",\"cty\":\"JWT\"", LP_JOSE_TYPE},
        {",\"cty\":\"\"", LP_JOSE_TYPE},
        {",\"typ\":\"JWT\",\"cty\":\"json\"", LP_JOSE_TYPE},
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        header = mint_text("{\"alg\":\"HS256\"%s}", rows[i].members);
        error = check_at(header, lp_span("{" BASIC "}"), &issuer, NOW);
        lp_token_close(&token);

        if (error != rows[i].error) {
            fail_msg("%s: %s", header, lp_jose_error_name(error));
        }

        free(header);
    }
}


/* The check at a moment, with the issuer's leeway and max_age. */
static lp_jose_error_t
check_moment(const char *payload, int64_t now, int64_t leeway,
             int64_t max_age)
{
    lp_issuer_t      by;
    lp_jose_error_t  error;

    by = issuer;
    by.leeway = leeway;
    by.max_age = max_age;

    error = check_at(HEADER, lp_span_of(payload), &by, now);
    lp_token_close(&token);

    return error;
}


static void
test_times_hold_to_the_second(void **state)
{
    size_t i;
    static const struct {
        const char      *times;
        int64_t          now, leeway, max_age;
        lp_jose_error_t  error;
    } rows[] = {
        {"\"exp\":1000", 999, 0, 0, LP_JOSE_OK},
        {"\"exp\":1000", 1000, 0, 0, LP_JOSE_EXPIRED},
        {"\"exp\":1000", 1001, 0, 0, LP_JOSE_EXPIRED},
        {"\"exp\":1000", 1059, 60, 0, LP_JOSE_OK},
        {"\"exp\":1000", 1060, 60, 0, LP_JOSE_EXPIRED},
        {"\"exp\":1000", 0, 0, 0, LP_JOSE_OK},
        {"\"exp\":1000,\"iat\":1000,\"nbf\":1000", 1000, 1, 0, LP_JOSE_OK},

        {"\"exp\":2000,\"nbf\":1000", 999, 0, 0, LP_JOSE_NOT_BEFORE},
        {"\"exp\":2000,\"nbf\":1000", 1000, 0, 0, LP_JOSE_OK},
        {"\"exp\":2000,\"nbf\":1000", 939, 60, 0, LP_JOSE_NOT_BEFORE},
        {"\"exp\":2000,\"nbf\":1000", 940, 60, 0, LP_JOSE_OK},

        {"\"exp\":2000,\"iat\":1000", 999, 0, 0, LP_JOSE_IAT_AHEAD},
        {"\"exp\":2000,\"iat\":1000", 1000, 0, 0, LP_JOSE_OK},
        {"\"exp\":2000,\"iat\":1000", 939, 60, 0, LP_JOSE_IAT_AHEAD},
        {"\"exp\":2000,\"iat\":1000", 940, 60, 0, LP_JOSE_OK},

        {"\"exp\":2000", 1000, 0, 300, LP_JOSE_IAT_MISSING},
        {"\"exp\":2000,\"iat\":1000", 1299, 0, 300, LP_JOSE_OK},
        {"\"exp\":2000,\"iat\":1000", 1300, 0, 300, LP_JOSE_TOO_OLD},
        {"\"exp\":2000,\"iat\":1000", 1359, 60, 300, LP_JOSE_OK},
        {"\"exp\":2000,\"iat\":1000", 1360, 60, 300, LP_JOSE_TOO_OLD},
        {"\"exp\":2000,\"iat\":0", 300, 0, 300, LP_JOSE_TOO_OLD},
        {"\"exp\":1100,\"iat\":1000", 1100, 0, 300, LP_JOSE_EXPIRED},

        /* sums that do not fit into 64 bits */
        {"\"exp\":253402300799", INT64_MAX - 1, INT64_MAX, 0, LP_JOSE_OK},
        {"\"exp\":253402300799", INT64_MAX, INT64_MAX, 0, LP_JOSE_EXPIRED},
        {"\"exp\":253402300799,\"iat\":253402300799", 253402300798, INT64_MAX,
         INT64_MAX, LP_JOSE_OK},
        {"\"exp\":253402300799,\"nbf\":1", INT64_MIN, 0, 0,
         LP_JOSE_NOT_BEFORE},
        {"\"exp\":2000,\"iat\":1000", 1500, -1000, 0, LP_JOSE_OK},
        {"\"exp\":2000", 1500, 0, -1, LP_JOSE_OK},
    };
    char            *payload;
    lp_jose_error_t  error;

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        payload = mint_text("{" ISS "," AUD "," USER ",%s}", rows[i].times);
        error = check_moment(payload, rows[i].now, rows[i].leeway,
                             rows[i].max_age);

        if (error != rows[i].error) {
            fail_msg("%s at %lld: %s", rows[i].times,
                     (long long) rows[i].now, lp_jose_error_name(error));
        }

        free(payload);
    }
}


static void
assert_id(lp_id_t id, const char *id_type, const char *value)
{
    assert_true(lp_span_equal(id.id_type, lp_span_of(id_type)));
    assert_true(lp_span_equal(id.id, lp_span_of(value)));
}


static void
test_what_a_good_token_says(void **state)
{
    (void) state;

    assert_int_equal(
        check_at(HEADER, lp_span("{" BASIC ",\"iat\":1789990000,\"uid\":\"7\","
                                 "\"mail\":null,\"sub\":\"s\",\"brin\":\"00 AA"
                                 "\"}"), &issuer, NOW), LP_JOSE_OK);
    assert_true(lp_span_equal(token.iss, issuer.iss));
    assert_int_equal(token.exp, 1790000600);
    assert_int_equal(token.iat, 1789990000);
    assert_int_equal(token.n_users, 3);
    assert_id(token.users[0], "ECK", "https://ketenid.nl/201703/a1");
    assert_id(token.users[1], "SUB", "s");
    assert_id(token.users[2], "UID", "7");
    assert_id(token.school, "BP_ID", "00 AA");
    lp_token_close(&token);

    /* of four ids the first three, of two schools the first */
    assert_int_equal(
        check_at(HEADER, lp_span("{" BASIC ",\"uid\":7,\"mail\":\"m\",\"sub\":"
                                 "\"s\",\"brin\":\"b\",\"school\":\"00AA\"}"),
                 &issuer, NOW), LP_JOSE_OK);
    assert_int_equal(token.n_users, 3);
    assert_id(token.users[2], "MAIL", "m");
    assert_id(token.school, "MASTER", "00AA");
    assert_int_equal(token.iat, 0);
    lp_token_close(&token);
    assert_int_equal(token.n_users, 0);
    assert_null(token.school.id.data);
}


static void
test_ids_of_every_length(void **state)
{
    size_t len;
    char  *payload;
    char   id[600];

    (void) state;

    for (len = 1; len < sizeof(id); len++) {
        memset(id, 'a', len);
        id[len] = '\0';

        payload = mint_text("{" BASIC ",\"sub\":\"%s\"}", id);
        assert_int_equal(check(payload), len <= LP_USER_ID_MAX
                                             ? LP_JOSE_OK
                                             : LP_JOSE_USER_TYPE);
        free(payload);

        payload = mint_text("{" BASIC ",\"school\":\"%s\"}", id);
        assert_int_equal(check(payload), len <= LP_SCHOOL_ID_MAX
                                             ? LP_JOSE_OK
                                             : LP_JOSE_SCHOOL_TYPE);
        free(payload);

        len += len > 70 && len < 505 ? 50 : 0;
    }
}


static void
test_one_id_under_two_claims_counts_once(void **state)
{
    lp_issuer_t by;

    (void) state;

    by = issuer;
    by.users[1] = (lp_claim_t) {lp_span("sub"), lp_span("ECK")};

    assert_int_equal(
        check_at(HEADER, lp_span("{" ISS "," AUD "," EXP ",\"eckid\":\"a\","
                                 "\"sub\":\"a\",\"mail\":\"a\",\"uid\":\"u\"}"
                                 ), &by, NOW), LP_JOSE_OK);
    assert_int_equal(token.n_users, 3);
    assert_id(token.users[0], "ECK", "a");
    assert_id(token.users[1], "MAIL", "a");
    assert_id(token.users[2], "UID", "u");
    lp_token_close(&token);
}


/* The role that a token with these claims on top of ISS, AUD, EXP gives. */
static int
employee_by(const lp_issuer_t *by, const char *claims)
{
    int   employee;
    char *payload;

    payload = mint_text("{" ISS "," AUD "," EXP "%s}", claims);
    assert_int_equal(check_at(HEADER, lp_span_of(payload), by, NOW),
                     LP_JOSE_OK);
    employee = token.employee;
    lp_token_close(&token);
    assert_int_equal(token.employee, 0);
    free(payload);

    return employee;
}


static void
test_an_eck_id_tells_pupils_where_the_issuer_gives_them(void **state)
{
    lp_issuer_t by;

    (void) state;

    assert_int_equal(employee_by(&issuer, "," USER), 0);
    assert_int_equal(employee_by(&issuer, "," USER ",\"sub\":\"a\""), 0);
    assert_int_equal(employee_by(&issuer, ",\"sub\":\"a\""), 1);
    assert_int_equal(employee_by(&issuer, ",\"eckid\":\"\",\"sub\":\"a\""),
                     1);

    by = issuer;
    by.users[0].id_type = lp_span("NEPPI");
    assert_int_equal(employee_by(&by, ",\"sub\":\"a\""), 0);

    by = issuer;
    by.n_users = 0;
    assert_int_equal(employee_by(&by, ",\"sub\":\"a\""), 0);
}


static void
test_a_claim_tells_employees_where_the_token_has_it(void **state)
{
    lp_issuer_t by;

    (void) state;

    by = issuer;
    by.employees[0] = (lp_mark_t) {lp_span("role"), lp_span("employee")};
    by.employees[1] = (lp_mark_t) {lp_span("role"), lp_span("staff")};
    by.employees[2] = (lp_mark_t) {lp_span("kind"), lp_span("docent")};
    by.n_employees = 3;

    assert_int_equal(employee_by(&by, "," USER ",\"role\":\"staff\""), 1);
    assert_int_equal(employee_by(&by, "," USER ",\"role\":\"Staff\""), 0);
    assert_int_equal(employee_by(&by, "," USER ",\"role\":\"staff \""), 0);
    assert_int_equal(employee_by(&by, "," USER ",\"kind\":[\"x\",\"docent\"]"
                                 ), 1);
    assert_int_equal(employee_by(&by, "," USER ",\"kind\":[1,[\"docent\"]]"),
                     0);
    assert_int_equal(employee_by(&by, "," USER ",\"role\":\"student\","
                                 "\"kind\":\"docent\""), 1);

    /* a pupil without an ECK iD: the claim says so */
    assert_int_equal(employee_by(&by, ",\"sub\":\"a\",\"role\":\"student\""),
                     0);
    assert_int_equal(employee_by(&by, ",\"sub\":\"a\",\"role\":[]"), 0);
    assert_int_equal(employee_by(&by, ",\"sub\":\"a\",\"role\":null"), 1);
    assert_int_equal(employee_by(&by, ",\"sub\":\"a\""), 1);
}


static void
test_issuers_that_name_nobody(void **state)
{
    lp_issuer_t by;

    (void) state;

    by = issuer;
    by.n_users = 0;
    by.n_schools = 0;

    assert_int_equal(
        check_at(HEADER, lp_span("{" ISS "," AUD "," EXP ",\"eckid\":1,"
                                 "\"school\":2}"), &by, NOW), LP_JOSE_OK);
    assert_int_equal(token.n_users, 0);
    assert_null(token.school.id.data);
    lp_token_close(&token);

    by.n_audiences = 0;
    assert_int_equal(check_at(HEADER, lp_span("{" BASIC "}"), &by, NOW),
                     LP_JOSE_AUD_WRONG);
    lp_token_close(&token);
}


/* No claim is spoken of before the signature is right. */
static void
test_of_a_key_that_is_gone_the_end_alone_counts(void **state)
{
    size_t i;
    static const struct {
        const char      *payload;
        int64_t          now;
        lp_jose_error_t  error;
    } rows[] = {
        {"{" BASIC "}", NOW, LP_JOSE_KEY_UNKNOWN},
        {"{" BASIC "}", 1790000600, LP_JOSE_EXPIRED},
        {"{\"exp\":1790000600}", 1790000600, LP_JOSE_EXPIRED},
        {"{" BASIC ",\"iat\":\"1\"}", 1790000600, LP_JOSE_KEY_UNKNOWN},
        {"{\"exp\":-1}", NOW, LP_JOSE_KEY_UNKNOWN},
        {"{}", NOW, LP_JOSE_KEY_UNKNOWN},
    };
    lp_jose_error_t error;

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        error = check_at("{\"alg\":\"HS256\",\"kid\":\"gone\"}",
                         lp_span_of(rows[i].payload), &issuer, rows[i].now);
        lp_token_close(&token);

        if (error != rows[i].error) {
            fail_msg("%s: %s", rows[i].payload, lp_jose_error_name(error));
        }
    }
}


static void
test_the_signature_comes_first(void **state)
{
    char        *text;
    char         byte;
    size_t       place;
    lp_issuer_t  by;

    (void) state;

    text = mint_token(mint_key(LP_ALG_HS256), LP_ALG_HS256, HEADER,
                      "{\"iss\":1}");
    place = strlen(text) - 10;
    byte = text[place];
    text[place] = byte == 'A' ? 'B' : 'A';
    assert_int_equal(lp_token_open(&token, lp_span_of(text)), LP_JOSE_OK);
    assert_null(token.iss.data);
    assert_int_equal(lp_token_check(&token, &issuer, NOW), LP_JOSE_SIGNATURE);
    lp_token_close(&token);

    text[place] = byte;
    assert_int_equal(lp_token_open(&token, lp_span_of(text)), LP_JOSE_OK);
    assert_int_equal(lp_token_check(&token, &issuer, NOW), LP_JOSE_ISS_TYPE);
    lp_token_close(&token);
    lp_token_close(&token);

    by = issuer;
    by.algs.list[0] = LP_ALG_RS256;
    assert_int_equal(lp_token_open(&token, lp_span_of(text)), LP_JOSE_OK);
    assert_int_equal(lp_token_check(&token, &by, NOW), LP_JOSE_ALG_REFUSED);
    lp_token_close(&token);

    free(text);
}


static void
test_an_issuer_is_named_before_it_is_believed(void **state)
{
    char *text;

    (void) state;

    text = mint_token(mint_key(LP_ALG_ES256), LP_ALG_ES256,
                      "{\"alg\":\"ES256\"}", "{\"iss\":\"x\",\"a\":1}");
    assert_int_equal(lp_token_open(&token, lp_span_of(text)), LP_JOSE_OK);
    assert_true(lp_span_equal(token.iss, lp_span("x")));
    lp_token_close(&token);
    free(text);

    assert_int_equal(lp_token_open(&token, lp_span("")), LP_JOSE_EMPTY);
    assert_null(token.iss.data);
    lp_token_close(&token);
}


/* What JSON takes from the heap: how many allocations succeed before all fail,
   -1 for no end; how many are in use. */
static long allocations_left = -1;
static long in_use;

static void *
failing_malloc(size_t size)
{
    void *p;

    if (allocations_left == 0) {
        return NULL;
    }

    if (allocations_left > 0) {
        allocations_left--;
    }

    p = malloc(size);
    in_use += p != NULL;

    return p;
}


static void
counted_free(void *p)
{
    in_use -= p != NULL;
    free(p);
}


/* Opens and checks with n allocations and no more. */
static lp_jose_error_t
check_without(long n, const char *text)
{
    lp_jose_error_t error;

    allocations_left = n;
    error = lp_token_open(&token, lp_span_of(text));

    if (error == LP_JOSE_OK) {
        error = lp_token_check(&token, &issuer, NOW);
    }

    allocations_left = -1;

    return error;
}


/* A token whose claims take several blocks of memory, the more the larger
   waste is. Its header differs each time, so that it is none that was kept. */
static char *
wasteful_token(int number, int waste)
{
    int   i;
    char *header, *payload, *text;
    char  objects[3 * 400 + 1];

    assert_true(waste < 400);
    memset(objects, 0, sizeof(objects));

    for (i = 0; i < waste; i++) {
        memcpy(objects + 3 * i, "{},", 3);
    }

    header = mint_text("{\"alg\":\"HS256\",\"kid\":\"k\",\"n\":%d}", number);
    payload = mint_text("{\"x\":[%s0]," BASIC ",\"sub\":\"a text that is "
                        "longer than a buffer\",\"school\":\"00AA\"}",
                        objects);
    text = mint_token(mint_key(LP_ALG_HS256), LP_ALG_HS256, header, payload);

    free(payload);
    free(header);

    return text;
}


/* With waste the end of a block comes at every other place of the parse. */
static void
test_without_memory_a_token_is_right_or_refused(void **state)
{
    int              waste, number, refused;
    long             n;
    char            *text;
    lp_jose_error_t  error;

    (void) state;

    number = 0;
    refused = 0;
    json_set_alloc_funcs(failing_malloc, counted_free);

    for (waste = 0; waste < 400; waste += 3) {
        n = 0;

        do {
            text = wasteful_token(number++, waste);
            error = check_without(n++, text);

            if (error == LP_JOSE_OK) {
                assert_int_equal(token.n_users, 2);
                assert_id(token.users[0], "ECK",
                          "https://ketenid.nl/201703/a1");
                assert_id(token.users[1], "SUB",
                          "a text that is longer than a buffer");
                assert_id(token.school, "MASTER", "00AA");

            } else {
                assert_int_equal(error, LP_JOSE_MEMORY);
                refused++;
            }

            lp_token_close(&token);
            assert_int_equal(in_use, 0);
            free(text);
        } while (error != LP_JOSE_OK && n < 20);

        assert_int_equal(error, LP_JOSE_OK);
    }

    /* two for the header, two to begin the claims, and then some */
    assert_true(refused > 4 * 134);
    json_set_alloc_funcs(malloc, free);
}


static void
test_without_memory_a_key_set_is_whole_or_refused(void **state)
{
    int              waste, i;
    long             n;
    char            *jwk, *text;
    char             objects[3 * LP_JWKS_KEYS_MAX * 8];
    lp_jwks_t       *set;
    const char      *reason;
    const lp_key_t  *key;

    (void) state;

    jwk = mint_jwk(mint_key(LP_ALG_ES256), "\"kid\":\"a long name of a key\",");
    json_set_alloc_funcs(failing_malloc, counted_free);

    for (waste = 0; waste < 8 * LP_JWKS_KEYS_MAX; waste += 9) {

        memset(objects, 0, sizeof(objects));
        for (i = 0; i < waste; i++) {
            memcpy(objects + 3 * i, "{},", 3);
        }

        text = mint_text("{\"x\":[%s0],\"keys\":[%s,{\"kty\":\"oct\"}]}",
                         objects, jwk);
        n = 0;

        do {
            allocations_left = n;
            set = lp_jwks_parse(lp_span_of(text), &lp_algs_jws, NULL, NULL,
                                &reason);
            allocations_left = -1;
            assert_int_equal(in_use, 0);

            if (set == NULL) {
                assert_string_equal(reason, "Memory ran out.");
            }
        } while (set == NULL && n++ < 20);

        assert_non_null(set);
        assert_true(n >= 2);
        assert_int_equal(lp_jwks_find(set, lp_span("a long name of a key"),
                                      LP_ALG_ES256, &key), LP_JOSE_OK);
        lp_jwks_free(set);
        free(text);
    }

    json_set_alloc_funcs(malloc, free);
    free(jwk);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_fault_has_its_own_reason),
        cmocka_unit_test(test_faults_beside_good_claims),
        cmocka_unit_test(test_types_of_token),
        cmocka_unit_test(test_times_hold_to_the_second),
        cmocka_unit_test(test_what_a_good_token_says),
        cmocka_unit_test(test_ids_of_every_length),
        cmocka_unit_test(test_one_id_under_two_claims_counts_once),
        cmocka_unit_test(
            test_an_eck_id_tells_pupils_where_the_issuer_gives_them),
        cmocka_unit_test(test_a_claim_tells_employees_where_the_token_has_it),
        cmocka_unit_test(test_issuers_that_name_nobody),
        cmocka_unit_test(test_the_signature_comes_first),
        cmocka_unit_test(test_of_a_key_that_is_gone_the_end_alone_counts),
        cmocka_unit_test(test_an_issuer_is_named_before_it_is_believed),
        cmocka_unit_test(test_without_memory_a_token_is_right_or_refused),
        cmocka_unit_test(test_without_memory_a_key_set_is_whole_or_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
