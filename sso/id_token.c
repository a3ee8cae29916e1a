/*
 * What core/token.h checks of any token, and what these ones must have beyond
 * it. An access token of the same provider is no id_token (typ at+jwt), and a
 * logout_token is none either: it has "events" and never a nonce.
 *
 * A key that is not there is not a fault of the token: providers change keys
 * without notice, and whoever signs in at that moment waits for the new one.
 * Where a token names no key, a signature that does not fit may be that of a
 * new one, too.
 */

#include "id_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "../core/base64url.h"
#include "../core/json.h"
#include "../core/private_key.h"
#include "../core/text.h"

#define EVENT "http://schemas.openid.net/event/backchannel-logout"

/* What is wrong beyond core/token.h; why NULL: nothing. */
typedef struct {
    lp_jose_error_t error;
    const char     *why;
} fault_t;

static const fault_t none = {LP_JOSE_OK, NULL};

/* Whatever the case of its letters; "application/" may be left out. */
static int
is_type(lp_span_t typ, lp_span_t wanted)
{
    static const lp_span_t prefix = lp_span("application/");

    if (typ.len > prefix.len
        && strncasecmp(typ.data, prefix.data, prefix.len) == 0) {
        typ.data += prefix.len;
        typ.len -= prefix.len;
    }
    return typ.len == wanted.len
           && strncasecmp(typ.data, wanted.data, wanted.len) == 0;
}

/* Its own types; that of a logout_token is unknown to core/token.h, and put
   away once it was seen. */
static int
check_type(lp_token_t *token, int logout)
{
    lp_span_t typ = token->jws.typ;

    if (typ.data == NULL || is_type(typ, lp_span("jwt"))) {
        return 0;
    }
    if (!logout || !is_type(typ, lp_span("logout+jwt"))) {
        return -1;
    }
    token->jws.typ = (lp_span_t) {NULL, 0};
    return 0;
}

/* sub and sid: something, not too long, that may stand in a log line of the
   provider's. */
static int
is_subject(lp_span_t text)
{
    return text.len > 0 && text.len <= LP_SUBJECT_MAX
           && !lp_has_control(text);
}

/* OpenID Connect Core 3.1.3.7, points 4 and 5. */
static fault_t
check_party(const lp_token_t *token, const lp_expected_token_t *expected)
{
    const json_t *aud = json_object_get(token->claims, "aud");
    const json_t *azp = json_object_get(token->claims, "azp");

    if (azp == NULL && !expected->logout && json_is_array(aud)
        && json_array_size(aud) > 1) {
        return (fault_t) {LP_JOSE_AUD_WRONG,
                          "it is for several parties, and azp is missing"};
    }
    if (azp != NULL && !lp_span_equal(lp_json_text(azp), expected->client_id)) {
        return (fault_t) {LP_JOSE_AUD_WRONG,
                          "azp says that it was issued to another party"};
    }
    return none;
}

static fault_t
check_nonce(const lp_token_t *token, lp_span_t expected)
{
    const json_t *claim = json_object_get(token->claims, "nonce");
    lp_span_t     nonce = lp_json_text(claim);

    if (expected.data == NULL) {
        return claim == NULL
                   ? none
                   : (fault_t) {LP_JOSE_OK, "it has a nonce, and none was "
                                            "given"};
    }
    if (claim == NULL) {
        return (fault_t) {LP_JOSE_OK, "its nonce is missing"};
    }
    if (expected.len == 0 || nonce.len != expected.len
        || CRYPTO_memcmp(nonce.data, expected.data, nonce.len) != 0) {
        return (fault_t) {LP_JOSE_OK, "its nonce is not that of this sign-in"};
    }
    return none;
}

static fault_t
check_subject(const lp_token_t *token, int may_lack)
{
    const json_t *sub = json_object_get(token->claims, "sub");

    if (sub == NULL) {
        return may_lack ? none
                        : (fault_t) {LP_JOSE_USER_MISSING,
                                     "its sub is missing"};
    }
    if (!is_subject(lp_json_text(sub))) {
        return (fault_t) {LP_JOSE_USER_TYPE,
                          "its sub is not a text of 1 to 255 bytes"};
    }
    return none;
}

/* OpenID Connect Core 3.1.3.7, point 13. */
static fault_t
check_auth_time(const lp_token_t *token, const lp_expected_token_t *expected,
                int64_t now)
{
    const json_t *claim = json_object_get(token->claims, "auth_time");
    double        at = json_number_value(claim);

    if (!expected->asks_age) {
        return none;
    }
    if (!json_is_number(claim) || at < 0) {
        return (fault_t) {LP_JOSE_OK, "max_age was asked, and its auth_time "
                                      "is missing or no time"};
    }
    if (at > (double) (now + expected->leeway)
        || at < (double) (now - expected->auth_age - expected->leeway)) {
        return (fault_t) {LP_JOSE_OK, "it is of a sign-in that is longer ago "
                                      "than max_age, or still to come"};
    }
    return none;
}

/* Back-Channel Logout 1.0, 2.4 and 2.6. */
static fault_t
check_logout(const lp_token_t *token)
{
    const json_t *events = json_object_get(token->claims, "events");
    const json_t *sid = json_object_get(token->claims, "sid");

    if (!json_is_object(json_object_get(events, EVENT))) {
        return (fault_t) {LP_JOSE_TYPE, "it is not about a logout"};
    }
    if (json_object_get(token->claims, "sub") == NULL && sid == NULL) {
        return (fault_t) {LP_JOSE_USER_MISSING, "it has neither sub nor sid"};
    }
    if (sid != NULL && !is_subject(lp_json_text(sid))) {
        return (fault_t) {LP_JOSE_USER_TYPE,
                          "its sid is not a text of 1 to 255 bytes"};
    }
    if (lp_json_member(token->claims, "jti").len == 0) {
        return (fault_t) {LP_JOSE_OK, "its jti is missing"};
    }
    return none;
}

/* After core/token.h had nothing to say. */
static fault_t
check_claims(const lp_token_t *token, const lp_expected_token_t *expected,
             int64_t now)
{
    fault_t fault = check_party(token, expected);

    if (fault.why == NULL && json_object_get(token->claims, "iat") == NULL) {
        fault = (fault_t) {LP_JOSE_IAT_MISSING, "its iat is missing"};
    }
    if (fault.why == NULL && expected->nonce_age > 0
        && token->iat < now - expected->nonce_age - expected->leeway) {
        fault = (fault_t) {LP_JOSE_TOO_OLD, "it was issued before its nonce "
                                            "was"};
    }
    if (fault.why == NULL) {
        fault = check_subject(token, expected->logout || expected->anonymous);
    }
    if (fault.why == NULL) {
        fault = check_nonce(token, expected->nonce);
    }
    if (fault.why == NULL) {
        fault = check_auth_time(token, expected, now);
    }
    if (fault.why != NULL) {
        return fault;
    }
    if (expected->logout) {
        return check_logout(token);
    }
    return json_object_get(token->claims, "events") == NULL
               ? none
               : (fault_t) {LP_JOSE_TYPE, "it is a message about an event"};
}

/* A key that may come when it is asked for. */
static int
may_come(const lp_token_t *token, lp_jose_error_t error)
{
    return error == LP_JOSE_KEY_UNKNOWN
           || (token->jws.kid.data == NULL
               && (error == LP_JOSE_SIGNATURE
                   || error == LP_JOSE_KEY_AMBIGUOUS));
}

static lp_jose_error_t
check_token(lp_token_t *token, const lp_expected_token_t *expected,
            const lp_jwks_t *jwks, int64_t now)
{
    lp_issuer_t issuer = {.iss = expected->issuer, .n_audiences = 1,
                          .algs = *expected->algs, .keys = jwks,
                          .leeway = expected->leeway, .fractions = 1};

    issuer.audiences[0] = expected->client_id;
    return lp_token_check(token, &issuer, now);
}

static lp_id_token_t
refuse(lp_jose_error_t reason, lp_jose_error_t *error, const char **why)
{
    *error = reason;
    *why = lp_jose_error_text(reason);
    return LP_ID_TOKEN_BAD;
}

lp_id_token_t
lp_id_token_check(lp_token_t *token, lp_span_t text,
                  const lp_expected_token_t *expected, lp_key_files_t *keys,
                  int64_t now, lp_jose_error_t *error, const char **why)
{
    const lp_jwks_t *jwks;
    fault_t          fault;

    *error = lp_token_open(token, text);
    if (*error != LP_JOSE_OK) {
        return refuse(*error, error, why);
    }
    if (token->jws.alg == LP_ALG_HS256
        || !lp_algs_has(expected->algs, token->jws.alg)) {
        return refuse(LP_JOSE_ALG_REFUSED, error, why);
    }
    if (check_type(token, expected->logout) != 0) {
        return refuse(LP_JOSE_TYPE, error, why);
    }
    jwks = lp_key_files_jwks(keys, expected->name, expected->algs);
    *error = jwks == NULL ? LP_JOSE_KEY_UNKNOWN
                          : check_token(token, expected, jwks, now);
    if (may_come(token, *error)) {
        lp_key_files_ask(keys, expected->issuer);
        *why = lp_jose_error_text(*error);
        return LP_ID_TOKEN_NO_KEY;
    }
    if (*error != LP_JOSE_OK) {
        return refuse(*error, error, why);
    }
    fault = check_claims(token, expected, now);
    *error = fault.error;
    *why = fault.why;
    return fault.why == NULL ? LP_ID_TOKEN_OK : LP_ID_TOKEN_BAD;
}

int
lp_id_token_at_hash(const lp_token_t *token, lp_span_t access_token)
{
    const json_t *claim = json_object_get(token->claims, "at_hash");
    const EVP_MD *hash = lp_sign_digest(token->jws.alg);
    unsigned char digest[EVP_MAX_MD_SIZE];
    char          expected[LP_BASE64URL_ENCODED(EVP_MAX_MD_SIZE)];
    unsigned      size;
    size_t        len;

    if (claim == NULL) {
        return 0;
    }
    if (hash == NULL) {
        hash = EVP_sha512(); /* EdDSA's own */
    }
    if (EVP_Digest(access_token.data, access_token.len, digest, &size, hash,
                   NULL) != 1) {
        return -1;
    }
    len = lp_base64url_encode(expected, digest, size / 2);
    return lp_span_equal(lp_json_text(claim), (lp_span_t) {expected, len})
               ? 0 : -1;
}
