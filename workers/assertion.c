/*
 * What an assertion must be like, beyond a good signature: made by this client
 * for this endpoint alone (an assertion with a second audience could be
 * replayed by that other server), short-lived, and used once.
 *
 * "Once" is a key of Redis that only the first of any number of workers can
 * set, and that lives until the assertion has expired. Without Redis nobody can
 * know, and nobody gets a token.
 */

#include "assertion.h"

#include <inttypes.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "../core/base64url.h"
#include "../core/json.h"
#include "../core/keys.h"

#define LEEWAY     30  /* seconds by which clocks may differ */
#define AHEAD_MAX  600 /* seconds until exp */
#define JTI_MIN    16  /* characters; NL GOV asks for 128 bits */
#define JTI_MAX    256
#define HASH_BYTES 16
#define HASH_LEN   22  /* characters of so many bytes */

/* The claims that core/token.h has no opinion of; NULL: they are right. */
static const char *
check_claims(const lp_token_t *token, lp_span_t client_id, int64_t now)
{
    const json_t *claims = token->claims;
    lp_span_t     jti = lp_json_member(claims, "jti");
    const json_t *aud = json_object_get(claims, "aud");

    if (!lp_span_equal(lp_json_member(claims, "sub"), client_id)) {
        return "sub must be the client id, as iss is";
    }
    if (json_is_array(aud) && json_array_size(aud) != 1) {
        return "aud must be the token endpoint alone";
    }
    if (token->exp > now + AHEAD_MAX + LEEWAY) {
        return "exp lies more than 10 minutes ahead";
    }
    if (jti.len < JTI_MIN || jti.len > JTI_MAX) {
        return "jti must be a text of 16 to 256 characters";
    }
    return NULL;
}

lp_assertion_t
lp_assertion_check(lp_token_t *token, lp_span_t text,
                   const lp_party_list_t *list, int64_t now,
                   const lp_client_t **client, const char **why)
{
    const lp_client_t *found = NULL;
    lp_issuer_t        issuer = {.algs = {2, {LP_ALG_RS256, LP_ALG_PS256}},
                                 .leeway = LEEWAY, .n_audiences = 1};
    lp_jose_error_t    error;

    error = lp_token_open(token, text);
    if (error != LP_JOSE_OK) {
        *why = lp_jose_error_text(error);
        return LP_ASSERTION_REFUSED;
    }
    if (token->iss.data == NULL
        || lp_party_by_client(list, token->iss, &found) == NULL) {
        *why = "iss is not a client that is known here";
        return LP_ASSERTION_REFUSED;
    }
    if (found->keys == NULL) {
        return LP_ASSERTION_NO_KEYS;
    }
    issuer.iss = found->client_id;
    issuer.audiences[0] = list->token_endpoint;
    issuer.keys = found->keys;
    error = lp_token_check(token, &issuer, now);
    *why = error == LP_JOSE_OK ? check_claims(token, found->client_id, now)
                               : lp_jose_error_text(error);
    if (*why != NULL) {
        return LP_ASSERTION_REFUSED;
    }
    *client = found;
    return LP_ASSERTION_OK;
}

/* jti:{NN}:<hash of "<client>|<jti>">; returns its length, 0 on failure. */
static size_t
write_key(char *dst, lp_span_t client_id, lp_span_t jti)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char          text[256 + 1 + JTI_MAX], name[HASH_LEN];
    size_t        len = client_id.len;

    if (len > 256 || jti.len > JTI_MAX) {
        return 0;
    }
    memcpy(text, client_id.data, len);
    text[len++] = '|';
    memcpy(text + len, jti.data, jti.len);
    len += jti.len;
    if (SHA256((const unsigned char *) text, len, hash) == NULL) {
        return 0;
    }
    lp_base64url_encode(name, hash, HASH_BYTES);
    return lp_key_of(dst, "jti", (lp_span_t) {name, HASH_LEN});
}

lp_assertion_t
lp_assertion_use(const lp_token_t *token, lp_store_t *store,
                 lp_span_t client_id, int64_t now, const char **why)
{
    const redisReply *reply;
    char              key[LP_KEY_MAX], seconds[24];
    size_t            len;
    int               n;

    len = write_key(key, client_id,
                    lp_json_member(token->claims, "jti"));
    n = snprintf(seconds, sizeof(seconds), "%" PRId64,
                 token->exp + LEEWAY - now + 1);
    if (len == 0 || n <= 0 || (size_t) n >= sizeof(seconds)) {
        return LP_ASSERTION_NO_STORE;
    }
    reply = lp_store_ask(store, LP_WORDS(lp_span("SET"),
                                         ((lp_span_t) {key, len}),
                                         lp_span("1"), lp_span("NX"),
                                         lp_span("EX"), lp_span_of(seconds)));
    if (reply == NULL) {
        return LP_ASSERTION_NO_STORE;
    }
    if (reply->type == REDIS_REPLY_NIL) {
        *why = "this assertion was used before; each serves once";
        return LP_ASSERTION_REFUSED;
    }
    return lp_span_equal(lp_store_text(reply), lp_span("OK"))
               ? LP_ASSERTION_OK
               : LP_ASSERTION_NO_STORE;
}
