/*
 * The assertion is made anew for each request: it is good for a minute, and its
 * jti (128 random bits) is used once. The key is read from its file each time,
 * so that a new one needs no restart; that is once an hour or so for a party.
 */

#include "access_token.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "../core/base64url.h"
#include "../core/json.h"
#include "key_file.h"

#define JTI_BYTES        16
#define ASSERTION_LIFE   60  /* seconds */
#define EXPIRES_DEFAULT  300 /* seconds, where the answer does not say */
#define EXPIRES_MAX      (6 * 3600)
#define EXPIRES_MARGIN   30  /* seconds before the end: not used any more */
#define URL_ESCAPED      3   /* bytes of an escaped one */

static const char form_head[] =
    "grant_type=client_credentials&client_assertion_type="
    "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";

void
lp_access_token_wipe(char *text)
{
    if (text != NULL) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
}

/* base64url of a JSON object, which it takes over; NULL: no memory. */
static char *
encode(json_t *object)
{
    char  *text = json_dumps(object, JSON_COMPACT), *encoded = NULL;
    size_t len;

    json_decref(object);
    if (text != NULL) {
        len = strlen(text);
        encoded = malloc(LP_BASE64URL_ENCODED(len) + 1);
    }
    if (encoded != NULL) {
        len = lp_base64url_encode(encoded, (const unsigned char *) text, len);
        encoded[len] = '\0';
    }
    free(text);
    return encoded;
}

static char *
write_header(const lp_private_key_t *key)
{
    json_t *header;

    header = json_pack("{s:s, s:s}", "alg", lp_alg_name(key->alg), "typ",
                       "JWT");
    if (header != NULL && key->kid[0] != '\0') {
        json_object_set_new(header, "kid", json_string(key->kid));
    }
    return encode(header);
}

static char *
write_claims(lp_span_t client_id, lp_span_t audience, int64_t now)
{
    unsigned char bytes[JTI_BYTES];
    char          jti[LP_BASE64URL_ENCODED(JTI_BYTES)];
    size_t        len;

    if (RAND_bytes(bytes, JTI_BYTES) != 1) {
        return NULL;
    }
    len = lp_base64url_encode(jti, bytes, JTI_BYTES);
    return encode(json_pack(
        "{s:s%, s:s%, s:s%, s:I, s:I, s:s%}", "iss", client_id.data,
        client_id.len, "sub", client_id.data, client_id.len, "aud",
        audience.data, audience.len, "iat", (json_int_t) now, "exp",
        (json_int_t) now + ASSERTION_LIFE, "jti", jti, len));
}

/* "<header>.<claims>.<signature>"; NULL: OpenSSL or memory. */
static char *
sign(const lp_private_key_t *key, const char *header, const char *claims)
{
    unsigned char signature[LP_SIGNATURE_MAX];
    size_t        head = strlen(header) + 1 + strlen(claims), len;
    char         *jws;

    jws = malloc(head + 1 + LP_BASE64URL_ENCODED(LP_SIGNATURE_MAX) + 1);
    if (jws == NULL) {
        return NULL;
    }
    snprintf(jws, head + 1, "%s.%s", header, claims);
    len = lp_private_key_sign(key, signature, (lp_span_t) {jws, head});
    if (len == 0) {
        free(jws);
        return NULL;
    }
    jws[head] = '.';
    len = lp_base64url_encode(jws + head + 1, signature, len);
    jws[head + 1 + len] = '\0';
    return jws;
}

char *
lp_client_assertion(const lp_private_key_t *key, lp_span_t client_id,
                    lp_span_t audience, int64_t now)
{
    char *header = write_header(key);
    char *claims = write_claims(client_id, audience, now), *jws = NULL;

    if (header != NULL && claims != NULL) {
        jws = sign(key, header, claims);
    }
    free(header);
    free(claims);
    return jws;
}

/* "&name=" and the value, percent-encoded. Returns the end. */
static char *
put(char *p, const char *name, lp_span_t value)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned char     c;
    size_t            i, len = strlen(name);

    *p++ = '&';
    memcpy(p, name, len);
    p += len;
    *p++ = '=';
    for (i = 0; i < value.len; i++) {
        c = (unsigned char) value.data[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
            || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_') {
            *p++ = (char) c;
            continue;
        }
        *p++ = '%';
        *p++ = hex[c >> 4];
        *p++ = hex[c & 15];
    }
    *p = '\0';
    return p;
}

static char *
write_form(const lp_party_t *party, const char *assertion)
{
    size_t size = sizeof(form_head) + sizeof("&client_assertion=&scope=")
                  + URL_ESCAPED * (strlen(assertion) + party->scope.len);
    char  *form = malloc(size), *p;

    if (form == NULL) {
        return NULL;
    }
    memcpy(form, form_head, sizeof(form_head));
    p = put(form + sizeof(form_head) - 1, "client_assertion",
            lp_span_of(assertion));
    if (party->scope.len > 0) {
        put(p, "scope", party->scope);
    }
    return form;
}

char *
lp_access_token_ask(const lp_party_t *party, int64_t now, const char **reason)
{
    lp_private_key_t key;
    char            *assertion = NULL, *form = NULL;

    *reason = "parties.json gives it no keyFile or no clientId";
    if (party->key_file == NULL || party->client_id.len == 0) {
        return NULL;
    }
    *reason = "our key for it can't be used";
    if (lp_key_file_load(&key, party->key_file, LP_ALG_UNKNOWN, NULL) == 0
        && key.is_private) {
        assertion = lp_client_assertion(&key, party->client_id,
                                        party->token_url, now);
    }
    lp_private_key_free(&key);
    if (assertion != NULL) {
        form = write_form(party, assertion);
    }
    lp_access_token_wipe(assertion);
    return form;
}

/* Visible ASCII alone, so that it can stand in a header. */
static int
can_be_sent(const char *value)
{
    size_t i, len = value == NULL ? 0 : strlen(value);

    for (i = 0; i < len; i++) {
        if (value[i] <= 0x20 || value[i] >= 0x7f) {
            return 0;
        }
    }
    return len > 0 && len <= LP_ACCESS_TOKEN_MAX;
}

/* When a token is not to be used any more: some time before its end, at most
   half of its life. */
static int64_t
good_for_ms(const json_t *expires_in)
{
    double life = json_is_number(expires_in) ? json_number_value(expires_in)
                                             : EXPIRES_DEFAULT;

    if (!(life > 0)) {
        return 0;
    }
    if (life > EXPIRES_MAX) {
        life = EXPIRES_MAX;
    }
    return (int64_t) ((life > 2 * EXPIRES_MARGIN ? life - EXPIRES_MARGIN
                                                 : life / 2)
                      * 1000);
}

int
lp_access_token_read(lp_access_token_t *token, lp_span_t body, int64_t clock)
{
    lp_json_memory_t *memory;
    lp_json_error_t   error;
    json_t           *answer = lp_json_read(body, &memory, &error);
    const char       *value, *type;
    int               rc = -1;

    lp_access_token_drop(token);
    if (answer == NULL) {
        return -1;
    }
    value = json_string_value(json_object_get(answer, "access_token"));
    type = json_string_value(json_object_get(answer, "token_type"));
    if (can_be_sent(value)
        && (type == NULL || strcasecmp(type, "bearer") == 0)) {
        token->value = strdup(value);
        token->good_until =
            clock + good_for_ms(json_object_get(answer, "expires_in"));
        rc = token->value == NULL ? -1 : 0;
    }
    lp_json_release(memory);
    return rc;
}

int
lp_access_token_good(const lp_access_token_t *token, int64_t clock)
{
    return token->value != NULL && clock < token->good_until;
}

void
lp_access_token_drop(lp_access_token_t *token)
{
    lp_access_token_wipe(token->value);
    token->value = NULL;
    token->good_until = 0;
}
