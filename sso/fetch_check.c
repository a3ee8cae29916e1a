/*
 * Whoever answers for a provider writes what Leerpoort believes: therefore
 * nothing is written as it came. A discovery document must name the issuer that
 * was asked (a provider can't speak for another, RFC 8414 section 3.3), and
 * lead nowhere without TLS. Of keys only those are kept that core/ would verify
 * with, and of each only its public members: a provider that publishes its
 * private key by mistake is not helped in that, and a shared secret from a
 * network is none.
 */

#include "fetch_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "../core/json.h"
#include "../core/jwks.h"
#include "../core/target.h"

#define WELL_KNOWN "/.well-known/openid-configuration"

static const char no_memory[] = "memory ran out";
static const char too_long[] = "it is too long";
static const char *const endpoints[] = {
    "authorization_endpoint", "token_endpoint",    "userinfo_endpoint",
    "end_session_endpoint",   "jwks_uri",
};

static const char *const endpoint_refusals[] = {
    "its authorization_endpoint is no https URL",
    "its token_endpoint is no https URL",
    "its userinfo_endpoint is no https URL",
    "its end_session_endpoint is no https URL",
    "its jwks_uri is no https URL",
};

/* The public members of keys, of all types. */
static const char *const public_members[] = {
    "kty", "use", "key_ops", "alg", "kid", "n", "e", "crv", "x", "y",
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

int
lp_discovery_url(char *dst, lp_span_t issuer)
{
    if (issuer.len > 0 && issuer.data[issuer.len - 1] == '/') {
        issuer.len--;
    }
    if (issuer.len + sizeof(WELL_KNOWN) > LP_FETCH_URL_MAX + 1) {
        return -1;
    }
    memcpy(dst, issuer.data, issuer.len);
    memcpy(dst + issuer.len, WELL_KNOWN, sizeof(WELL_KNOWN));
    return 0;
}

static int
is_secure(lp_span_t url)
{
    return url.len > 8 && memcmp(url.data, "https://", 8) == 0;
}

/* Plain http is for one machine alone, and for an issuer that is there. */
static int
may_lead_to(const json_t *value, lp_span_t issuer)
{
    static const lp_hosts_t any;
    lp_span_t               url = lp_json_text(value);

    return json_is_string(value) && url.len <= LP_FETCH_URL_MAX
           && lp_target_check(url, 0, &any) == LP_TARGET_OK
           && (is_secure(url) || !is_secure(issuer));
}

/* NULL, or why not. */
static const char *
judge_metadata(const json_t *metadata, lp_span_t issuer)
{
    const json_t *value = json_object_get(metadata, "issuer");
    size_t        i;

    if (!json_is_string(value)) {
        return "it names no issuer";
    }
    if (!lp_span_equal(lp_json_text(value), issuer)) {
        return "its issuer is not the one that was asked";
    }
    for (i = 0; i < N(endpoints); i++) {
        value = json_object_get(metadata, endpoints[i]);
        if (value != NULL && !json_is_null(value)
            && !may_lead_to(value, issuer)) {
            return endpoint_refusals[i];
        }
    }
    return NULL;
}

static json_t *
read_object(lp_span_t text, size_t max, lp_json_memory_t **memory,
            const char **why)
{
    lp_json_error_t error;
    json_t         *object;

    *why = too_long;
    if (text.len > max) {
        return NULL;
    }
    object = lp_json_read(text, memory, &error);
    switch (object == NULL ? error : LP_JSON_OK) {
    case LP_JSON_TWICE:
        *why = "a member is there twice";
        break;
    case LP_JSON_MEMORY:
        *why = no_memory;
        break;
    default:
        *why = "it is not one JSON object";
    }
    return object;
}

/* jansson may say the same in more bytes (0.1 in 19): what readers would not
   read is not put in the place of what they have. */
static char *
write_out(const json_t *object, size_t max, const char **why)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);

    *why = text == NULL ? no_memory : NULL;
    if (text != NULL && strlen(text) > max) {
        *why = too_long;
        free(text);
        return NULL;
    }
    return text;
}

char *
lp_discovery_check(lp_span_t text, lp_span_t issuer, char *jwks_uri,
                   const char **why)
{
    lp_json_memory_t *memory;
    const json_t     *metadata;
    lp_span_t         keys;
    char             *written = NULL;

    jwks_uri[0] = '\0';
    metadata = read_object(text, LP_DISCOVERY_MAX, &memory, why);
    if (metadata == NULL) {
        return NULL;
    }
    *why = judge_metadata(metadata, issuer);
    if (*why == NULL) {
        keys = lp_json_member(metadata, "jwks_uri");
        if (keys.data != NULL) {
            memcpy(jwks_uri, keys.data, keys.len + 1);
        }
        written = write_out(metadata, LP_DISCOVERY_MAX, why);
    }
    lp_json_release(memory);
    return written;
}

/* Which keys of a document are not taken. */
typedef struct {
    lp_key_count_t *count;
    unsigned char   refused[LP_JWKS_KEYS_MAX];
} judged_t;

static void
refuse_key(void *data, size_t index, const char *reason)
{
    judged_t *judged = data;

    if (index < LP_JWKS_KEYS_MAX) {
        judged->refused[index] = 1;
    }
    if (judged->count->left_out++ == 0) {
        judged->count->first = reason;
    }
}

/* A key with its public members; a new reference. */
static json_t *
publish(const json_t *key)
{
    json_t *published = json_object(), *copy;
    size_t  i;

    for (i = 0; published != NULL && i < N(public_members); i++) {
        if (json_object_get(key, public_members[i]) == NULL) {
            continue;
        }
        copy = json_deep_copy(json_object_get(key, public_members[i]));
        if (json_object_set_new(published, public_members[i], copy) != 0) {
            json_decref(published);
            return NULL;
        }
    }
    return published;
}

static char *
write_keys(const json_t *set, const judged_t *judged, const char **why)
{
    const json_t *keys = json_object_get(set, "keys");
    json_t       *published = json_array(), *whole;
    char         *written = NULL;
    size_t        i;

    *why = no_memory;
    for (i = 0; i < json_array_size(keys); i++) {
        if (!judged->refused[i]
            && json_array_append_new(published,
                                     publish(json_array_get(keys, i)))
                   != 0) {
            json_decref(published);
            return NULL;
        }
    }
    whole = json_pack("{s:o}", "keys", published);
    if (whole != NULL) {
        written = write_out(whole, LP_FETCH_KEYS_MAX, why);
        json_decref(whole);
    }
    return written;
}

char *
lp_keys_check(lp_span_t text, lp_key_count_t *count, const char **why)
{
    lp_json_memory_t *memory;
    judged_t          judged = {.count = count};
    lp_jwks_t        *jwks;
    const json_t     *set;
    char             *written;

    memset(count, 0, sizeof(*count));
    if (text.len > LP_FETCH_KEYS_MAX) {
        *why = too_long;
        return NULL;
    }
    jwks = lp_jwks_parse(text, &lp_algs_jws, refuse_key, &judged, why);
    if (jwks == NULL) {
        return NULL;
    }
    count->keys = (unsigned) lp_jwks_count(jwks);
    lp_jwks_free(jwks);
    set = read_object(text, LP_FETCH_KEYS_MAX, &memory, why);
    if (set == NULL) {
        return NULL;
    }
    written = write_keys(set, &judged, why);
    lp_json_release(memory);
    return written;
}
