/*
 * The platform knows the tool by its client id and checks the signature with
 * the tool's JWKS, which is the key ring's: the one of access tokens.
 */

#include "lti_response.h"

#include <stdlib.h>

#include "../core/signer.h"
#include "secret.h"

#define LTI "https://purl.imsglobal.org/spec/lti/claim/"
#define DL  "https://purl.imsglobal.org/spec/lti-dl/claim/"

#define URL_MAX 2048

static json_t *make_claims(const lp_platform_t *platform,
                           const lp_pick_t *pick, json_t *items,
                           const char *message, int64_t now);
static char *sign(lp_key_ring_t *ring, lp_span_t payload, int64_t now);

json_t *
lp_lti_item(const lp_sites_t *sites, lp_span_t title, lp_span_t product,
            lp_span_t path)
{
    lp_text_t url;
    char      text[URL_MAX];
    json_t   *item, *custom;

    url = lp_text_in(text, sizeof(text));
    lp_text_add(&url, sites->public_url);
    lp_text_add(&url, sites->click_prefix);
    lp_text_add(&url, product);
    if (path.len > 0) {
        lp_text_add(&url, lp_span("/"));
        lp_text_add(&url, path);
    }
    if (url.full) {
        return NULL;
    }
    custom = json_pack("{s:s%}", "product", product.data, product.len);
    if (custom != NULL && path.len > 0) {
        json_object_set_new(custom, "path",
                            json_stringn(path.data, path.len));
    }
    item = json_pack("{s:s, s:s%, s:s%, s:o}", "type", "ltiResourceLink",
                     "title", title.data, title.len, "url", text, url.len,
                     "custom", custom);
    return item;
}

char *
lp_lti_response(lp_key_ring_t *ring, const lp_platform_t *platform,
                const lp_pick_t *pick, json_t *items, const char *message,
                int64_t now)
{
    json_t *claims = make_claims(platform, pick, items, message, now);
    char   *text = claims == NULL ? NULL : json_dumps(claims, JSON_COMPACT);
    char   *jws = NULL;

    json_decref(claims);
    if (text != NULL && ring != NULL) {
        jws = sign(ring, lp_span_of(text), now);
    }
    free(text);
    return jws;
}

static json_t *
make_claims(const lp_platform_t *platform, const lp_pick_t *pick,
            json_t *items, const char *message, int64_t now)
{
    char    nonce[LP_RANDOM_LEN + 1];
    json_t *claims;

    if (lp_random(nonce) != 0) {
        json_decref(items);
        return NULL;
    }
    claims = json_pack(
        "{s:s%, s:s%, s:I, s:I, s:s, s:s, s:s, s:s%, s:s*, s:o}", "iss",
        platform->client_id.data, platform->client_id.len, "aud",
        platform->issuer.data, platform->issuer.len, "iat", (json_int_t) now,
        "exp", (json_int_t) now + LP_RESPONSE_LIFE, "nonce", nonce,
        LTI "message_type", "LtiDeepLinkingResponse", LTI "version", "1.3.0",
        LTI "deployment_id", pick->deployment.data, pick->deployment.len,
        DL "msg", message, DL "content_items", items);
    if (claims != NULL && pick->data.data != NULL
        && json_object_set_new(
               claims, DL "data",
               json_stringn(pick->data.data, pick->data.len)) != 0) {
        json_decref(claims);
        return NULL;
    }
    return claims;
}

static char *
sign(lp_key_ring_t *ring, lp_span_t payload, int64_t now)
{
    const lp_private_key_t *key = lp_key_ring_signer(ring, now);
    lp_signer_t            *signer;
    size_t                  cap, len = 0;
    char                   *jws;

    signer = key == NULL ? NULL : lp_signer_create(key, "JWT");
    if (signer == NULL) {
        return NULL;
    }
    cap = payload.len * 4 / 3 + 2 * LP_SIGNATURE_MAX * 4 / 3 + 1024;
    jws = malloc(cap + 1);
    if (jws != NULL) {
        len = lp_signer_write(signer, jws, cap, payload);
        jws[len] = '\0';
    }
    lp_signer_free(signer);
    if (len == 0) {
        free(jws);
        return NULL;
    }
    return jws;
}
