/*
 * Protects the signature layer: the published examples verify, and whatever
 * is not exactly a signed compact token is refused for its own reason.
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
#include <openssl/err.h>

#include "jws.h"
#include "minting.h"

static lp_jws_t jws;

static lp_jose_error_t
parse(const char *token)
{
    return lp_jws_parse(&jws, lp_span_of(token));
}


/* Parses a token with this header, a payload and a signature that fit nothing.
   Twice: what is kept of the first time must not change the answer. */
static lp_jose_error_t
parse_header_bytes(lp_span_t header)
{
    char            *part, *token;
    lp_jose_error_t  first;

    part = mint_part(header.data, header.len);
    token = mint_text("%s.e30.AAAA", part);

    first = parse(token);
    assert_int_equal(parse(token), first);

    free(token);
    free(part);

    return first;
}


static lp_jose_error_t
parse_header(const char *header)
{
    return parse_header_bytes(lp_span_of(header));
}


static lp_jwks_t *
key_set(const char *keys, const lp_algs_t *algs)
{
    char       *text;
    lp_jwks_t  *set;
    const char *reason;

    text = mint_text("{\"keys\":[%s]}", keys);
    set = lp_jwks_parse(lp_span_of(text), algs, NULL, NULL, &reason);
    free(text);

    return set;
}


static lp_jose_error_t
verify(const char *token, const char *jwk, const lp_algs_t *algs)
{
    lp_jwks_t       *set;
    lp_jose_error_t  error;

    error = parse(token);
    if (error != LP_JOSE_OK) {
        return error;
    }

    set = key_set(jwk, algs);
    assert_non_null(set);

    error = lp_jws_verify(&jws, set, algs);
    assert_int_equal(ERR_peek_error(), 0);
    lp_jwks_free(set);

    return error;
}


static const char rfc7515_a2_key[] =
    "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0"
    "l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_Yp"
    "RPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e"
    "-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7"
    "aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\""
    ",\"e\":\"AQAB\"}";

static const char rfc7515_a2[] =
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0"
    "dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__d"
    "zERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF"
    "9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQ"
    "BMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noO"
    "PqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_"
    "IoypGlUPQGe77Rw";

static const char rfc7515_a3_key[] =
    "{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}";

static const char rfc7515_a3[] =
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0"
    "dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx"
    "-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

static const char rfc8037_a4_key[] =
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}";

static const char rfc8037_a4[] =
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0Jzl"
    "nLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

static void
test_examples_of_the_rfcs_verify(void **state)
{
    static const char joe[] = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
                              "\"http://example.com/is_root\":true}";

    (void) state;

    assert_int_equal(verify(rfc7515_a2, rfc7515_a2_key, &lp_algs_jws),
                     LP_JOSE_OK);
    assert_int_equal(jws.alg, LP_ALG_RS256);
    assert_true(lp_span_equal(jws.payload, lp_span(joe)));
    assert_null(jws.kid.data);
    assert_null(jws.typ.data);
    assert_null(jws.cty.data);

    assert_int_equal(verify(rfc7515_a3, rfc7515_a3_key, &lp_algs_jws),
                     LP_JOSE_OK);
    assert_true(lp_span_equal(jws.payload, lp_span(joe)));

    assert_int_equal(verify(rfc8037_a4, rfc8037_a4_key, &lp_algs_jws),
                     LP_JOSE_OK);
    assert_true(lp_span_equal(jws.payload,
                              lp_span("Example of Ed25519 signing")));

    assert_int_equal(verify(rfc7515_a2, rfc7515_a3_key, &lp_algs_jws),
                     LP_JOSE_KEY_UNKNOWN);
}


static const char *
vectors(void)
{
    const char *folder;

    folder = getenv("LEERPOORT_VECTORS");

    return folder == NULL ? "../shared/vectors" : folder;
}


/* NULL where there are no vectors at all. */
static json_t *
load(const char *file)
{
    char         *path;
    FILE         *readme;
    json_t       *vector;
    json_error_t  error;

    path = mint_text("%s/README.md", vectors());
    readme = fopen(path, "r");
    free(path);

    if (readme == NULL) {
        print_message("no vectors in %s: set LEERPOORT_VECTORS\n", vectors());
        return NULL;
    }

    fclose(readme);

    path = mint_text("%s/jose-cookbook/%s", vectors(), file);
    vector = json_load_file(path, 0, &error);
    if (vector == NULL) {
        fail_msg("%s: %s", path, error.text);
    }
    free(path);

    return vector;
}


static void
assert_vector(const char *file, const lp_algs_t *algs,
              lp_jose_error_t expected)
{
    char       *jwk;
    json_t     *vector, *key;
    const char *token, *payload;

    vector = load(file);
    if (vector == NULL) {
        skip();
    }

    assert_int_equal(json_unpack(vector, "{s:{s:s,s:o},s:{s:s}}", "input",
                                 "payload", &payload, "key", &key, "output",
                                 "compact", &token), 0);
    jwk = json_dumps(key, 0);
    assert_non_null(jwk);

    assert_int_equal(verify(token, jwk, algs), expected);

    if (expected == LP_JOSE_OK) {
        assert_true(lp_span_equal(jws.payload, lp_span_of(payload)));
    }

    free(jwk);
    json_decref(vector);
}


static const lp_algs_t only_hs256 = {1, {LP_ALG_HS256}};

static void
test_cookbook_rs256(void **state)
{
    (void) state;
    assert_vector("jws/4_1.rsa_v15_signature.json", &lp_algs_jws, LP_JOSE_OK);
}


static void
test_cookbook_ps384(void **state)
{
    static const lp_algs_t ps384 = {1, {LP_ALG_PS384}};

    (void) state;
    assert_vector("jws/4_2.rsa-pss_signature.json", &ps384, LP_JOSE_OK);
}


/* The key names no alg, and RS256 stands first among those of the layer. */
static void
test_cookbook_ps384_against_a_key_bound_to_rs256(void **state)
{
    (void) state;
    assert_vector("jws/4_2.rsa-pss_signature.json", &lp_algs_jws,
                  LP_JOSE_KEY_ALG);
}


static void
test_cookbook_es512(void **state)
{
    (void) state;
    assert_vector("jws/4_3.ecdsa_signature.json", &lp_algs_jws, LP_JOSE_OK);
}


static void
test_cookbook_ed25519(void **state)
{
    (void) state;
    assert_vector("curve25519/jws.json", &lp_algs_jws, LP_JOSE_OK);
}


static void
test_cookbook_hs256_only_where_it_is_allowed(void **state)
{
    char       *jwk;
    json_t     *vector;
    const char *token;

    (void) state;

    assert_vector("jws/4_4.hmac-sha2_integrity_protection.json", &only_hs256,
                  LP_JOSE_OK);

    vector = load("jws/4_4.hmac-sha2_integrity_protection.json");
    assert_non_null(vector);
    jwk = json_dumps(json_object_get(json_object_get(vector, "input"), "key"),
                     0);
    token = json_string_value(
        json_object_get(json_object_get(vector, "output"), "compact"));

    assert_null(key_set(jwk, &lp_algs_jws));
    assert_int_equal(verify(token, rfc7515_a2_key, &lp_algs_jws),
                     LP_JOSE_ALG_REFUSED);

    free(jwk);
    json_decref(vector);
}


/* Every form in a vector's output, whole and flattened JSON among them. */
static void
assert_all_refused(const char *file, int *tried)
{
    char       *text;
    json_t     *vector, *form;
    const char *name;

    vector = load(file);
    if (vector == NULL) {
        skip();
    }

    json_object_foreach (json_object_get(vector, "output"), name, form) {

        text = json_is_string(form) ? mint_text("%s", json_string_value(form))
                                    : json_dumps(form, JSON_COMPACT);
        assert_non_null(text);

        if (parse(text) == LP_JOSE_OK) {
            fail_msg("accepted: %s, %s", file, name);
        }

        (*tried)++;
        free(text);
    }

    json_decref(vector);
}


static void
test_cookbook_json_detached_and_unencoded_forms_are_refused(void **state)
{
    int tried;

    (void) state;

    /* an empty payload is a payload: what is detached fails as a signature */
    assert_vector("jws/4_5.signature_with_detached_content.json", &only_hs256,
                  LP_JOSE_SIGNATURE);

    tried = 0;
    assert_all_refused("jws/4_6.protecting_specific_header_fields.json",
                       &tried);
    assert_all_refused("jws/4_7.protecting_content_only.json", &tried);
    assert_all_refused("jws/4_8.multiple_signatures.json", &tried);
    assert_all_refused("rfc7797/4.2.hmac-sha2_b64_false.json", &tried);
    assert_all_refused("rfc7797/hmac-sha2_b64_false.json", &tried);
    assert_int_equal(tried, 10);
    assert_int_equal(parse_header("{\"alg\":\"HS256\",\"b64\":false,"
                                  "\"crit\":[\"b64\"]}"), LP_JOSE_CRIT);
}


static void
test_cookbook_encrypted_tokens_are_refused(void **state)
{
    int                      tried;
    size_t                   i;
    static const char *const files[] = {
        "5_1.key_encryption_using_rsa_v15_and_aes-hmac-sha2",
        "5_2.key_encryption_using_rsa-oaep_with_aes-gcm",
        "5_3.key_wrap_using_pbes2-aes-keywrap_with-aes-cbc-hmac-sha2",
        ("5_4.key_agreement_with_key_wrapping_using_ecdh-es_and_aes-keywrap_"
         "with_aes-gcm"),
        "5_5.key_agreement_using_ecdh-es_with_aes-cbc-hmac-sha2",
        "5_6.direct_encryption_using_aes-gcm",
        "5_7.key_wrap_using_aes-gcm_keywrap_with_aes-cbc-hmac-sha2",
        "5_8.key_wrap_using_aes-keywrap_with_aes-gcm",
        "5_9.compressed_content",
        "5_10.including_additional_authentication_data",
        "5_11.protecting_specific_header_fields",
        "5_12.protecting_content_only",
        "5_13.encrypting_to_multiple_recipients",
    };
    char                    *file;

    (void) state;

    tried = 0;

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        file = mint_text("jwe/%s.json", files[i]);
        assert_all_refused(file, &tried);
        free(file);
    }

    assert_all_refused("curve25519/ecdh-es.json", &tried);
    assert_true(tried >= 2 * (int) i);
}


static void
test_shapes_that_are_no_compact_token(void **state)
{
    char                  *huge;
    size_t                 i;
    static const struct {
        const char      *token;
        lp_jose_error_t  error;
    } shapes[] = {
        {"", LP_JOSE_EMPTY},
        {".", LP_JOSE_NOT_COMPACT},
        {"..", LP_JOSE_HEADER_JSON},
        {"...", LP_JOSE_NOT_COMPACT},
        {"....", LP_JOSE_NOT_COMPACT},
        {"null", LP_JOSE_NOT_COMPACT},
        {"{\"a.b.c\":1}", LP_JOSE_NOT_COMPACT},
        {"eyJhbGciOiJSUzI1NiJ9", LP_JOSE_NOT_COMPACT},
        {"eyJhbGciOiJSUzI1NiJ9.e30", LP_JOSE_NOT_COMPACT},
        {"eyJhbGciOiJSUzI1NiJ9.e30.AAAA.", LP_JOSE_NOT_COMPACT},
        {"eyJhbGciOiJSUzI1NiJ9.e30.AAAA.AAAA", LP_JOSE_NOT_COMPACT},
        {"eyJhbGciOiJSUzI1NiJ9.e30.", LP_JOSE_OK},
        {"eyJhbGciOiJSUzI1NiJ9..", LP_JOSE_OK},
        {".e30.AAAA", LP_JOSE_HEADER_JSON},
        {"eyJhbGciOiJSUzI1NiJ9.e30.AAAA", LP_JOSE_OK},
        {" eyJhbGciOiJSUzI1NiJ9.e30.AAAA", LP_JOSE_BASE64},
        {"eyJhbGciOiJSUzI1NiJ9.e30.AAAA ", LP_JOSE_BASE64},
        {"eyJhbGciOiJSUzI1NiJ9.e30.AAAA\n", LP_JOSE_BASE64},
        {"eyJhbGciOiJSUzI1NiJ9.e30.AA==", LP_JOSE_BASE64},
        {"eyJhbGciOiJSUzI1NiJ9.e30=.AAAA", LP_JOSE_BASE64},
        {"eyJhbGciOiJSUzI1NiJ9=.e30.AAAA", LP_JOSE_BASE64},
        {"eyJhbGciOiJSUzI1NiJ9.e30.A+AA", LP_JOSE_BASE64},
        {"eyJhbGciOiJSUzI1NiJ9.e30.A/AA", LP_JOSE_BASE64},
        {"eyJhbGciOiJSUzI1NiJ9.e3 0.AAAA", LP_JOSE_BASE64},
        {"eyJhbGciOiJSUzI1NiJ9.e30.AAAAA", LP_JOSE_BASE64},
        {"eyJhbGciOiJSUzI1NiJ9.e30.AB", LP_JOSE_BASE64},
        {"eyJhbGciOiJub25lIn0.e30.", LP_JOSE_ALG_UNKNOWN},
        {"Bearer eyJhbGciOiJSUzI1NiJ9.e30.AAAA", LP_JOSE_BASE64},
    };

    (void) state;

    for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (parse(shapes[i].token) != shapes[i].error) {
            fail_msg("%s: %s instead of %s", shapes[i].token,
                     lp_jose_error_name(parse(shapes[i].token)),
                     lp_jose_error_name(shapes[i].error));
        }
    }

    assert_int_equal(lp_jws_parse(&jws, (lp_span_t) {NULL, 0}), LP_JOSE_EMPTY);
    assert_int_equal(lp_jws_parse(&jws, (lp_span_t) {"\0.\0.\0", 5}),
                     LP_JOSE_BASE64);

    huge = malloc(1024 * 1024);
    assert_non_null(huge);
    memset(huge, 'A', 1024 * 1024);
    memcpy(huge, "eyJhbGciOiJSUzI1NiJ9.", 21);
    huge[1000] = '.';
    assert_int_equal(lp_jws_parse(&jws, (lp_span_t) {huge, LP_TOKEN_MAX - 1}),
                     LP_JOSE_OK);
    assert_int_equal(lp_jws_parse(&jws, (lp_span_t) {huge, LP_TOKEN_MAX}),
                     (LP_TOKEN_MAX - 1001) % 4 == 1 ? LP_JOSE_BASE64
                                                    : LP_JOSE_OK);
    assert_int_equal(lp_jws_parse(&jws, (lp_span_t) {huge, LP_TOKEN_MAX + 1}),
                     LP_JOSE_TOO_LONG);
    assert_int_equal(lp_jws_parse(&jws, (lp_span_t) {huge, 1024 * 1024}),
                     LP_JOSE_TOO_LONG);
    free(huge);
}


static void
test_headers_are_judged_member_by_member(void **state)
{
    size_t i;
    static const struct {
        const char      *header;
        lp_jose_error_t  error;
    } headers[] = {
        {"{\"alg\":\"RS256\"}", LP_JOSE_OK},
        {" {\"alg\" : \"RS256\"}\r\n\t", LP_JOSE_OK},
        {"{\"alg\":\"RS256\",\"x5t\":\"a\",\"x5t#S256\":\"b\",\"n\":[{}]}",
         LP_JOSE_OK},
        {"{\"alg\":\"RS256\",\"kid\":\"\",\"typ\":\"\",\"cty\":\"\"}",
         LP_JOSE_OK},

        {"{}", LP_JOSE_ALG_MISSING},
        {"{\"typ\":\"JWT\"}", LP_JOSE_ALG_MISSING},
        {"{\"Alg\":\"RS256\"}", LP_JOSE_ALG_MISSING},
        {"{\"alg\":\"\"}", LP_JOSE_ALG_UNKNOWN},
        {"{\"alg\":\"none\"}", LP_JOSE_ALG_UNKNOWN},
        {"{\"alg\":\"None\"}", LP_JOSE_ALG_UNKNOWN},
        {"{\"alg\":\"nOnE\"}", LP_JOSE_ALG_UNKNOWN},
        {"{\"alg\":\"RS256 \"}", LP_JOSE_ALG_UNKNOWN},
        {"{\"alg\":\"rs256\"}", LP_JOSE_ALG_UNKNOWN},
        {"{\"alg\":\"HS384\"}", LP_JOSE_ALG_UNKNOWN},
        {"{\"alg\":null}", LP_JOSE_HEADER_MEMBER},
        {"{\"alg\":256}", LP_JOSE_HEADER_MEMBER},
        {"{\"alg\":[\"RS256\"]}", LP_JOSE_HEADER_MEMBER},
        {"{\"alg\":{}}", LP_JOSE_HEADER_MEMBER},
        {"{\"alg\":true}", LP_JOSE_HEADER_MEMBER},

        {"{\"alg\":\"RS256\",\"alg\":\"RS256\"}", LP_JOSE_HEADER_MEMBER},
        {"{\"alg\":\"none\",\"alg\":\"RS256\"}", LP_JOSE_HEADER_MEMBER},
        {"{\"alg\":\"RS256\",\"\\u0061lg\":\"none\"}", LP_JOSE_HEADER_MEMBER},
        {"{\"alg\":\"RS256\",\"x\":{\"y\":1,\"y\":2}}", LP_JOSE_HEADER_MEMBER},
        {"{\"alg\":\"RS256\",\"kid\":1}", LP_JOSE_HEADER_MEMBER},
        {"{\"alg\":\"RS256\",\"kid\":null}", LP_JOSE_HEADER_MEMBER},
        {"{\"alg\":\"RS256\",\"kid\":[\"a\"]}", LP_JOSE_HEADER_MEMBER},
        {"{\"alg\":\"RS256\",\"typ\":1}", LP_JOSE_HEADER_MEMBER},
        {"{\"alg\":\"RS256\",\"cty\":{}}", LP_JOSE_HEADER_MEMBER},

        {"{\"alg\":\"RS256\",\"crit\":[\"exp\"],\"exp\":1}", LP_JOSE_CRIT},
        {"{\"alg\":\"RS256\",\"crit\":[]}", LP_JOSE_CRIT},
        {"{\"alg\":\"RS256\",\"crit\":null}", LP_JOSE_CRIT},
        {"{\"alg\":\"RS256\",\"b64\":true}", LP_JOSE_CRIT},
        {"{\"alg\":\"RS256\",\"b64\":false}", LP_JOSE_CRIT},
        {"{\"enc\":1,\"jwk\":1,\"crit\":1}", LP_JOSE_CRIT},
        {"{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\"}}",
         LP_JOSE_EMBEDDED_KEY},
        {"{\"alg\":\"RS256\",\"jku\":\"http://127.0.0.1/\"}",
         LP_JOSE_EMBEDDED_KEY},
        {"{\"alg\":\"RS256\",\"x5u\":\"http://127.0.0.1/\"}",
         LP_JOSE_EMBEDDED_KEY},
        {"{\"alg\":\"RS256\",\"x5c\":[\"AAAA\"]}", LP_JOSE_EMBEDDED_KEY},
        {"{\"alg\":\"RS256\",\"x5c\":null}", LP_JOSE_EMBEDDED_KEY},
        {"{\"alg\":\"RSA-OAEP\",\"enc\":\"A128GCM\"}", LP_JOSE_ENCRYPTED},
        {"{\"alg\":\"RS256\",\"zip\":\"DEF\"}", LP_JOSE_ENCRYPTED},
        {"{\"alg\":\"ES256\",\"epk\":{}}", LP_JOSE_ENCRYPTED},

        {"", LP_JOSE_HEADER_JSON},
        {"null", LP_JOSE_HEADER_JSON},
        {"\"RS256\"", LP_JOSE_HEADER_JSON},
        {"[]", LP_JOSE_HEADER_JSON},
        {"[{\"alg\":\"RS256\"}]", LP_JOSE_HEADER_JSON},
        {"{\"alg\":\"RS256\"", LP_JOSE_HEADER_JSON},
        {"{\"alg\":\"RS256\"}}", LP_JOSE_HEADER_JSON},
        {"{\"alg\":\"RS256\"}{}", LP_JOSE_HEADER_JSON},
        {"{\"alg\":\"RS256\",}", LP_JOSE_HEADER_JSON},
        {"{'alg':'RS256'}", LP_JOSE_HEADER_JSON},
        {"{alg:\"RS256\"}", LP_JOSE_HEADER_JSON},
        {"{\"alg\":\"RS256\"}//", LP_JOSE_HEADER_JSON},
        {"\xef\xbb\xbf{\"alg\":\"RS256\"}", LP_JOSE_HEADER_JSON},
        {"{\"alg\":\"RS256\",\"kid\":\"\xff\"}", LP_JOSE_HEADER_JSON},
        {"{\"alg\":\"RS256\",\"kid\":\"\xc0\x80\"}", LP_JOSE_HEADER_JSON},
        {"{\"alg\":\"RS256\",\"kid\":\"\xed\xa0\x80\"}", LP_JOSE_HEADER_JSON},
        {"{\"alg\":\"RS256\",\"kid\":\"\\ud800\"}", LP_JOSE_HEADER_JSON},
        {"{\"alg\":\"RS256\",\"kid\":\"a\\u0000\"}", LP_JOSE_HEADER_JSON},
        {"{\"alg\\u0000\":\"none\",\"alg\":\"RS256\"}", LP_JOSE_HEADER_JSON},
        {"{\"alg\":\"RS256\",\"kid\":\"\n\"}", LP_JOSE_HEADER_JSON},
        {"{\"alg\":\"RS256\",\"n\":NaN}", LP_JOSE_HEADER_JSON},
        {"{\"alg\":\"RS256\",\"n\":1e400}", LP_JOSE_HEADER_JSON},
        {"{\"alg\":\"RS256\",\"n\":99999999999999999999}",
         LP_JOSE_HEADER_JSON},
    };

    (void) state;

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (parse_header(headers[i].header) != headers[i].error) {
            fail_msg("%s: %s instead of %s", headers[i].header,
                     lp_jose_error_name(parse_header(headers[i].header)),
                     lp_jose_error_name(headers[i].error));
        }
    }

    assert_int_equal(parse_header_bytes((lp_span_t) {"{\"alg\":\"RS256\"}\0",
                                                     16}),
                     LP_JOSE_HEADER_JSON);
    assert_int_equal(parse_header_bytes((lp_span_t) {"{\"alg\":\"RS256\0\"}",
                                                     16}),
                     LP_JOSE_HEADER_JSON);
}


/* depth brackets, one of them the object's own */
static lp_jose_error_t
parse_depth(size_t depth, char open, char close)
{
    char            *text;
    char             in[3000], out[3000];
    lp_jose_error_t  error;

    memset(in, 0, sizeof(in));
    memset(out, 0, sizeof(out));
    memset(in, open, depth - 1);
    memset(out, close, depth - 1);

    text = mint_text("{\"alg\":\"RS256\",\"n\":%s%s}", in, out);
    error = parse_header(text);
    free(text);

    return error;
}


static void
test_depth_has_a_bound(void **state)
{
    (void) state;

    assert_int_equal(parse_depth(2, '[', ']'), LP_JOSE_OK);
    assert_int_equal(parse_depth(16, '[', ']'), LP_JOSE_OK);
    assert_int_equal(parse_depth(17, '[', ']'), LP_JOSE_HEADER_JSON);
    assert_int_equal(parse_depth(2500, '[', ']'), LP_JOSE_HEADER_JSON);

    /* many brackets, but not deep: in a row, and in strings */
    assert_int_equal(
        parse_header("{\"alg\":\"RS256\",\"n\":[[],[],[],[],[],[],[],[],[],[],"
                     "[],[],[],[],[],[],[],[],[],{},{},{},{},{},{},{}]}"),
        LP_JOSE_OK);
    assert_int_equal(
        parse_header("{\"alg\":\"RS256\",\"n\":\"[[[[[[[[[[[[[[[[[[[[[[\\\"[["
                     "{{{{{{{{{{[[[[[[[[[[\\\\\"}"),
        LP_JOSE_OK);
}


static void
test_names_are_read_and_bounded(void **state)
{
    char  kid[258], *text;

    (void) state;

    assert_int_equal(parse_header("{\"alg\":\"ES384\",\"cty\":\"c\",\"typ\":"
                                  "\"at+jwt\",\"kid\":\"../../dev/null\"}"),
                     LP_JOSE_OK);
    assert_int_equal(jws.alg, LP_ALG_ES384);
    assert_true(lp_span_equal(jws.kid, lp_span("../../dev/null")));
    assert_true(lp_span_equal(jws.typ, lp_span("at+jwt")));
    assert_true(lp_span_equal(jws.cty, lp_span("c")));

    /* kept headers must not lend their names to the next one */
    assert_int_equal(parse_header("{\"alg\":\"RS256\"}"), LP_JOSE_OK);
    assert_int_equal(jws.alg, LP_ALG_RS256);
    assert_null(jws.kid.data);
    assert_null(jws.typ.data);
    assert_null(jws.cty.data);

    memset(kid, 'k', sizeof(kid));
    kid[256] = '\0';
    text = mint_text("{\"alg\":\"RS256\",\"kid\":\"%s\",\"typ\":\"%.64s\","
                     "\"cty\":\"%.64s\"}", kid, kid, kid);
    assert_int_equal(parse_header(text), LP_JOSE_OK);
    assert_int_equal(jws.kid.len, 256);
    assert_int_equal(jws.typ.len, 64);
    assert_int_equal(jws.cty.len, 64);
    free(text);

    text = mint_text("{\"alg\":\"RS256\",\"typ\":\"%.65s\"}", kid);
    assert_int_equal(parse_header(text), LP_JOSE_HEADER_MEMBER);
    free(text);

    kid[256] = 'k';
    kid[257] = '\0';
    text = mint_text("{\"alg\":\"RS256\",\"kid\":\"%s\"}", kid);
    assert_int_equal(parse_header(text), LP_JOSE_HEADER_MEMBER);
    free(text);
}


/* More headers than are kept, in turn, twice. */
static void
test_kept_headers_are_told_apart(void **state)
{
    int   round, i;
    char *header, *kid;

    (void) state;

    for (round = 0; round < 2; round++) {
        for (i = 0; i < 11; i++) {
            kid = mint_text("key-%02d", i);
            header = mint_text("{\"alg\":\"%s\",\"kid\":\"%s\"}",
                               lp_alg_name((lp_alg_t) (i + 1)), kid);

            assert_int_equal(parse_header(header), LP_JOSE_OK);
            assert_int_equal(jws.alg, i + 1);
            assert_true(lp_span_equal(jws.kid, lp_span_of(kid)));

            free(header);
            free(kid);
        }
    }
}


static void
test_payloads_may_be_any_bytes(void **state)
{
    char     *token, *jwk;
    EVP_PKEY *key;

    (void) state;

    key = mint_key(LP_ALG_EDDSA);
    jwk = mint_jwk(key, "");
    token = mint_token_bytes(key, LP_ALG_EDDSA,
                             lp_span("{\"alg\":\"EdDSA\"}"),
                             (lp_span_t) {"\0\xff{", 3});

    assert_int_equal(verify(token, jwk, &lp_algs_jws), LP_JOSE_OK);
    assert_true(lp_span_equal(jws.payload, (lp_span_t) {"\0\xff{", 3}));
    free(token);

    token = mint_token(key, LP_ALG_EDDSA, "{\"alg\":\"EdDSA\"}", "");
    assert_int_equal(verify(token, jwk, &lp_algs_jws), LP_JOSE_OK);
    assert_int_equal(jws.payload.len, 0);

    free(token);
    free(jwk);
}


/* Each single character, replaced by one that differs from it in value. */
static void
test_no_character_of_a_token_may_change(void **state)
{
    char      *token, *jwk, kept;
    size_t     i;
    lp_jwks_t *set;

    (void) state;

    jwk = mint_jwk(mint_key(LP_ALG_ES256), "\"kid\":\"k\",");
    token = mint_token(mint_key(LP_ALG_ES256), LP_ALG_ES256,
                       "{\"alg\":\"ES256\",\"kid\":\"k\",\"a\":\"b\"}",
                       "{\"sub\":\"1\"}");
    set = key_set(jwk, &lp_algs_jws);
    assert_non_null(set);

    assert_int_equal(parse(token), LP_JOSE_OK);
    assert_int_equal(lp_jws_verify(&jws, set, &lp_algs_jws), LP_JOSE_OK);

    for (i = 0; token[i] != '\0'; i++) {
        kept = token[i];
        token[i] = kept == 'A' ? 'B' : 'A';

        if (parse(token) == LP_JOSE_OK
            && lp_jws_verify(&jws, set, &lp_algs_jws) == LP_JOSE_OK)
        {
            fail_msg("accepted with another character at %zu", i);
        }

        token[i] = kept;
    }

    lp_jwks_free(set);
    free(token);
    free(jwk);
}


static void
test_errors_of_verification(void **state)
{
    char            *rsa, *two, *token;
    lp_algs_t        both;
    const lp_algs_t  rs256 = {1, {LP_ALG_RS256}};

    (void) state;

    rsa = mint_jwk(mint_key(LP_ALG_RS256), "\"kid\":\"a\",");
    two = mint_text("%s,%s", rsa, rfc7515_a2_key);

    token = mint_token(mint_key(LP_ALG_RS256), LP_ALG_RS256,
                       "{\"alg\":\"RS256\"}", "{}");
    assert_int_equal(verify(token, rsa, &rs256), LP_JOSE_OK);
    assert_int_equal(verify(token, two, &rs256), LP_JOSE_KEY_AMBIGUOUS);
    assert_int_equal(verify(token, rfc7515_a2_key, &rs256), LP_JOSE_SIGNATURE);
    free(token);

    token = mint_token(mint_key(LP_ALG_RS256), LP_ALG_RS256,
                       "{\"alg\":\"RS256\",\"kid\":\"a\"}", "{}");
    assert_int_equal(verify(token, two, &rs256), LP_JOSE_OK);
    assert_int_equal(verify(token, rfc7515_a2_key, &rs256),
                     LP_JOSE_KEY_UNKNOWN);
    *strrchr(token, '.') = '\0';
    free(two);
    two = mint_text("%s.", token);
    assert_int_equal(verify(two, rsa, &rs256), LP_JOSE_SIGNATURE);
    free(token);

    token = mint_token(mint_key(LP_ALG_RS384), LP_ALG_RS384,
                       "{\"alg\":\"RS384\",\"kid\":\"a\"}", "{}");
    assert_int_equal(verify(token, rsa, &rs256), LP_JOSE_ALG_REFUSED);
    both = rs256;
    assert_int_equal(lp_algs_add(&both, LP_ALG_RS384), 0);
    assert_int_equal(verify(token, rsa, &both), LP_JOSE_KEY_ALG);
    free(token);

    /* control bytes in a kid: it is just no key's */
    token = mint_token(mint_key(LP_ALG_RS256), LP_ALG_RS256,
                       "{\"alg\":\"RS256\",\"kid\":\"a\\r\\nSET x\"}", "{}");
    assert_int_equal(verify(token, rsa, &rs256), LP_JOSE_KEY_UNKNOWN);

    free(token);
    free(two);
    free(rsa);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_of_the_rfcs_verify),
        cmocka_unit_test(test_cookbook_rs256),
        cmocka_unit_test(test_cookbook_ps384),
        cmocka_unit_test(test_cookbook_ps384_against_a_key_bound_to_rs256),
        cmocka_unit_test(test_cookbook_es512),
        cmocka_unit_test(test_cookbook_ed25519),
        cmocka_unit_test(test_cookbook_hs256_only_where_it_is_allowed),
        cmocka_unit_test(
            test_cookbook_json_detached_and_unencoded_forms_are_refused),
        cmocka_unit_test(test_cookbook_encrypted_tokens_are_refused),
        cmocka_unit_test(test_shapes_that_are_no_compact_token),
        cmocka_unit_test(test_headers_are_judged_member_by_member),
        cmocka_unit_test(test_depth_has_a_bound),
        cmocka_unit_test(test_names_are_read_and_bounded),
        cmocka_unit_test(test_kept_headers_are_told_apart),
        cmocka_unit_test(test_payloads_may_be_any_bytes),
        cmocka_unit_test(test_no_character_of_a_token_may_change),
        cmocka_unit_test(test_errors_of_verification),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
