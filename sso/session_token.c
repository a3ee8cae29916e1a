/*
 * Session tokens: what the edge believes for some minutes without asking
 * anybody. The ids are in the clear in it: it goes to the browser of whom it
 * is about and into nobody's log.
 */

#include "session.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "../core/base64url.h"
#include "../core/hmac.h"
#include "secret.h"
#include "session_key.h"

#define HEADER_MAX (LP_KID_MAX * 6 + 64) /* bytes, every character escaped */

static json_t *write_claims(const lp_sites_t *sites, const lp_who_t *who,
                            int64_t life, int64_t issued);
static size_t put_header(char *dst, const lp_private_key_t *key);
static size_t put_json(char *dst, size_t max, const json_t *object);
static size_t sign(char *dst, size_t len, const lp_private_key_t *key);

size_t
lp_session_token(lp_sso_t *sso, const lp_who_t *who, int64_t life,
                 int64_t issued, char *dst)
{
    const lp_sites_t       *sites = lp_sites(sso->providers);
    const lp_private_key_t *key;
    json_t                 *claims;
    size_t                  len, n;

    key = lp_session_key_signer(sso->session_key, sites->session_key);
    if (key == NULL) {
        return 0;
    }
    len = put_header(dst, key);
    claims = len == 0 ? NULL : write_claims(sites, who, life, issued);
    if (claims == NULL) {
        return 0;
    }
    dst[len++] = '.';
    n = put_json(dst + len,
                 LP_TOKEN_MAX - len - 1 - LP_BASE64URL_ENCODED(LP_HMAC_SIZE),
                 claims);
    json_decref(claims);
    return n == 0 ? 0 : sign(dst, len + n, key);
}

static json_t *
write_claims(const lp_sites_t *sites, const lp_who_t *who, int64_t life,
             int64_t issued)
{
    json_t *claims = lp_who_json(who);
    char    jti[LP_RANDOM_LEN + 1];
    int     rc;

    if (claims == NULL || lp_random(jti) != 0) {
        json_decref(claims);
        return NULL;
    }
    rc = json_object_set_new(claims, "iss",
                             json_stringn(sites->issuer.data,
                                          sites->issuer.len));
    rc |= json_object_set_new(claims, "aud",
                              json_stringn(sites->audience.data,
                                           sites->audience.len));
    rc |= json_object_set_new(claims, "iat", json_integer(issued));
    rc |= json_object_set_new(claims, "exp", json_integer(issued + life));
    rc |= json_object_set_new(claims, "jti",
                              json_stringn(jti, LP_RANDOM_LEN / 2));
    if (rc != 0) {
        json_decref(claims);
        return NULL;
    }
    return claims;
}

static size_t
put_header(char *dst, const lp_private_key_t *key)
{
    json_t *header = json_pack("{s:s, s:s}", "alg", lp_alg_name(key->alg),
                               "typ", "JWT");
    size_t  len = 0;

    if (header != NULL
        && (key->kid[0] == '\0'
            || json_object_set_new(header, "kid", json_string(key->kid))
                   == 0)) {
        len = put_json(dst, HEADER_MAX, header);
    }
    json_decref(header);
    return len;
}

/* base64url of an object, at most max characters; 0: too long, no memory. */
static size_t
put_json(char *dst, size_t max, const json_t *object)
{
    char  *text = json_dumps(object, JSON_COMPACT);
    size_t len, n = 0;

    if (text == NULL) {
        return 0;
    }
    len = strlen(text);
    if (LP_BASE64URL_ENCODED(len) <= max) {
        n = lp_base64url_encode(dst, (const unsigned char *) text, len);
    }
    OPENSSL_cleanse(text, len);
    free(text);
    return n;
}

static size_t
sign(char *dst, size_t len, const lp_private_key_t *key)
{
    unsigned char signature[LP_SIGNATURE_MAX];

    if (lp_private_key_sign(key, signature, (lp_span_t) {dst, len})
        != LP_HMAC_SIZE) {
        return 0;
    }
    dst[len++] = '.';
    len += lp_base64url_encode(dst + len, signature, LP_HMAC_SIZE);
    dst[len] = '\0';
    return len;
}
