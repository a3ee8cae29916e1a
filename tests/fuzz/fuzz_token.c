/*
 * Tokens as strangers send them. Input that begins with "c" is a payload and
 * with "h" a header, which get an HS256 signature here, so that the claims are
 * reached; anything else is the token itself, against keys of which nobody in
 * this program has the private half.
 *
 * What must hold: no token verifies but those that the RFCs print; what is
 * accepted has one spelling; a second look at a token tells the same; what
 * lp_token_check() lets through is within the bounds of token.h.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base64url.h"
#include "hmac.h"
#include "keys.h"
#include "token.h"

#define NOW    1790000000
#define SECRET "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const char public_keys[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"ed\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static const char secret_keys[] =
    "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k\","
    "\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}]}";

/* What RFC 7515 A.3 and RFC 8037 A.4 sign. */
static const char *const printed[] = {
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0"
    "dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
};

static const lp_algs_t  hs256 = {1, {LP_ALG_HS256}};
static lp_jwks_t       *keys, *secrets;
static EVP_MAC_CTX     *mac;
static lp_issuer_t      issuer;

static void
must(int condition)
{
    if (!condition) {
        abort();
    }
}


static void
set_up(void)
{
    const char *reason;

    keys = lp_jwks_parse(lp_span(public_keys), &lp_algs_jws, NULL, NULL,
                         &reason);
    secrets = lp_jwks_parse(lp_span(secret_keys), &hs256, NULL, NULL, &reason);
    mac = lp_hmac_create(lp_span(SECRET));
    must(keys != NULL && secrets != NULL && mac != NULL);

    issuer.iss = lp_span("https://sso.example");
    issuer.audiences[0] = lp_span("leerpoort");
    issuer.n_audiences = 1;
    issuer.algs = hs256;
    issuer.users[0] = (lp_claim_t) {lp_span("eckid"), lp_span("ECK")};
    issuer.users[1] = (lp_claim_t) {lp_span("sub"), lp_span("SUB")};
    issuer.users[2] = (lp_claim_t) {lp_span("a"), lp_span("A")};
    issuer.users[3] = (lp_claim_t) {lp_span("b"), lp_span("B")};
    issuer.n_users = 4;
    issuer.schools[0] = (lp_claim_t) {lp_span("school"), lp_span("MASTER")};
    issuer.schools[1] = (lp_claim_t) {lp_span("brin"), lp_span("BP_ID")};
    issuer.n_schools = 2;
    issuer.leeway = 60;
    issuer.max_age = 3600;
    issuer.keys = secrets;
}


/* That the parts, encoded again, are the token. */
static void
check_spelling(const lp_jws_t *jws, lp_span_t text)
{
    char   again[LP_TOKEN_MAX + 4];
    size_t len, at;

    must(text.len <= LP_TOKEN_MAX);
    must(jws->signed_text.data == text.data);
    must(jws->signed_text.len < text.len);
    must(text.data[jws->signed_text.len] == '.');

    len = lp_base64url_encode(again, (const unsigned char *) jws->payload.data,
                              jws->payload.len);
    must(len < jws->signed_text.len);
    at = jws->signed_text.len - len;
    must(text.data[at - 1] == '.');
    must(memcmp(text.data + at, again, len) == 0);

    len = lp_base64url_encode(again, jws->signature, jws->signature_len);
    must(jws->signed_text.len + 1 + len == text.len);
    must(memcmp(text.data + text.len - len, again, len) == 0);
}


/* Both parsed the same text, one perhaps from a header that was kept. */
static void
check_alike(const lp_jws_t *a, const lp_jws_t *b)
{
    must(a->alg == b->alg && a->alg != LP_ALG_UNKNOWN && a->alg < LP_ALGS);
    must((a->kid.data == NULL) == (b->kid.data == NULL));
    must((a->typ.data == NULL) == (b->typ.data == NULL));
    must((a->cty.data == NULL) == (b->cty.data == NULL));
    must(lp_span_equal(a->kid, b->kid) && a->kid.len <= LP_KID_MAX);
    must(lp_span_equal(a->typ, b->typ) && a->typ.len <= 64);
    must(lp_span_equal(a->cty, b->cty) && a->cty.len <= 64);
    must(lp_span_equal(a->payload, b->payload));
    must(a->signature_len == b->signature_len);
}


static lp_jose_error_t
parse_twice(lp_span_t text)
{
    lp_jose_error_t  error;
    static lp_jws_t  first, second;

    error = lp_jws_parse(&first, text);
    must(lp_jws_parse(&second, text) == error);
    must(error < LP_JOSE_ERRORS && error != LP_JOSE_MEMORY);

    if (error == LP_JOSE_OK) {
        check_spelling(&first, text);
        check_alike(&first, &second);
    }

    return error;
}


static void
check_stranger(lp_span_t text)
{
    size_t           i, known;
    lp_span_t        told;
    static lp_jws_t  jws;

    if (parse_twice(text) != LP_JOSE_OK) {
        return;
    }

    must(lp_jws_parse(&jws, text) == LP_JOSE_OK);
    must(lp_jws_verify(&jws, secrets, &lp_algs_jws) != LP_JOSE_OK);
    must(lp_jws_verify(&jws, secrets, &hs256) != LP_JOSE_OK);

    if (lp_jws_verify(&jws, keys, &lp_algs_jws) != LP_JOSE_OK) {
        return;
    }

    known = 0;

    for (i = 0; i < sizeof(printed) / sizeof(printed[0]); i++) {
        told = lp_span_of(printed[i]);
        known += lp_span_equal(jws.signed_text, told);
    }

    must(known == 1);
}


static void
check_id(const lp_id_t *id, size_t max)
{
    size_t i;

    must(id->id_type.len > 0 && id->id.len > 0 && id->id.len <= max);

    for (i = 0; i < id->id.len; i++) {
        must((unsigned char) id->id.data[i] >= 0x20 && id->id.data[i] != 0x7f);
    }
}


static void
check_believed(const lp_token_t *token)
{
    unsigned i;

    must(lp_span_equal(token->iss, issuer.iss));
    must(token->exp <= LP_TIME_MAX && NOW < token->exp + issuer.leeway);
    must(token->iat >= 0 && token->iat <= NOW + issuer.leeway);
    must(token->iat <= token->exp);
    must(NOW < token->iat + issuer.max_age + issuer.leeway);
    must(token->n_users > 0 && token->n_users <= LP_TOKEN_USERS);

    for (i = 0; i < token->n_users; i++) {
        check_id(&token->users[i], LP_USER_ID_MAX);
    }

    if (token->school.id.data != NULL) {
        check_id(&token->school, LP_SCHOOL_ID_MAX);
        must(!lp_span_equal(token->school.id_type, lp_span("MASTER"))
             || lp_school_valid(token->school.id));
    }
}


static void
check_signed(lp_span_t header, lp_span_t payload)
{
    char              text[2 * LP_TOKEN_MAX];
    size_t            len;
    lp_span_t         part;
    unsigned char     signature[LP_HMAC_SIZE];
    lp_jose_error_t   error;
    static lp_token_t token;

    len = lp_base64url_encode(text, (const unsigned char *) header.data,
                              header.len);
    text[len++] = '.';
    len += lp_base64url_encode(text + len,
                               (const unsigned char *) payload.data,
                               payload.len);
    part.data = text;
    part.len = len;
    must(lp_hmac(signature, mac, &part, 1) == 0);

    text[len++] = '.';
    len += lp_base64url_encode(text + len, signature, LP_HMAC_SIZE);
    part.len = len;

    parse_twice(part);

    error = lp_token_open(&token, part);
    must(error == LP_JOSE_OK || token.claims == NULL);

    if (error == LP_JOSE_OK) {
        error = lp_token_check(&token, &issuer, NOW);
        must(error != LP_JOSE_SIGNATURE && error != LP_JOSE_MEMORY);

        if (error == LP_JOSE_OK) {
            check_believed(&token);
        }
    }

    lp_token_close(&token);
}


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    lp_span_t text;

    if (keys == NULL) {
        set_up();
    }

    text.data = (const char *) bytes;
    text.len = len;

    if (len == 0 || len > LP_TOKEN_MAX || (*bytes != 'c' && *bytes != 'h')) {
        check_stranger(text);
        return 0;
    }

    text.data++;
    text.len--;

    if (*bytes == 'c') {
        check_signed(lp_span("{\"alg\":\"HS256\",\"kid\":\"k\"}"), text);

    } else {
        check_signed(text, lp_span("{\"iss\":\"https://sso.example\"}"));
    }

    return 0;
}
