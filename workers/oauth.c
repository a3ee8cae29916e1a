/*
 * POST /oauth/token: access tokens for clients of other parties (RFC 6749
 * section 4.4, RFC 7523; Edukoppeling and NL GOV: private_key_jwt, RS256 or
 * PS256). Nothing is kept but that an assertion was used: a token is believed
 * for its signature, by the edge and by anybody who reads jwks.json.
 *
 * Errors are RFC 6749's {"error", "error_description"}: what a client's OAuth
 * library expects. No description repeats what was sent.
 */

#include "service.h"

#include <openssl/rand.h>
#include <stdlib.h>

#include "../core/base64url.h"
#include "assertion.h"

#define FORM_MAX    32768 /* bytes: an assertion of 8 kB, all of it escaped */
#define SCOPE_MAX   2048
#define NAME_SIZE    128
#define JTI_BYTES   16
#define FORM_TYPE   "application/x-www-form-urlencoded"
#define BEARER_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* The parameters that count; others are ignored (RFC 6749 section 3.2). */
typedef enum {
    GRANT_TYPE = 0,
    ASSERTION_TYPE,
    ASSERTION,
    SCOPE,
    CLIENT_ID,
    CLIENT_SECRET,
    FIELDS
} field_t;

static const char *const field_names[FIELDS] = {
    "grant_type", "client_assertion_type", "client_assertion",
    "scope",      "client_id",             "client_secret",
};

typedef struct {
    char  bytes[FORM_MAX];
    char  decoded[FORM_MAX]; /* the values, each with a NUL */
    char *value[FIELDS];     /* NULL: not sent */
} form_t;

/* A refusal: its error code and what to tell the client's developer. */
typedef struct {
    int         http;
    const char *error;
    const char *why;
} refusal_t;

static const refusal_t not_now = {
    503, "temporarily_unavailable", "try again in a moment"};

static int
refuse(refusal_t *refusal, int http, const char *error, const char *why)
{
    *refusal = (refusal_t) {http, error, why};
    return -1;
}

static void
answer_refusal(lp_request_t *request, const refusal_t *refusal)
{
    if (refusal->http == 503) {
        lp_answer_header(request, "Retry-After", lp_span("5"));
    }
    lp_answer_json(request, refusal->http,
                   json_pack("{s:s, s:s}", "error", refusal->error,
                             "error_description", refusal->why));
}

/* Reading the form. */

static int
is_form(lp_span_t type)
{
    size_t len = sizeof(FORM_TYPE) - 1;

    return type.len >= len && strncasecmp(type.data, FORM_TYPE, len) == 0
           && (type.len == len || type.data[len] == ';'
               || type.data[len] == ' ');
}

/* "name=value" into its place; p: where decoded bytes may go. -1: badly
   encoded, or there already. */
static int
read_pair(form_t *form, lp_span_t pair, char **p)
{
    const char *equals = memchr(pair.data, '=', pair.len);
    size_t      room = (size_t) (form->decoded + FORM_MAX - *p), i, len;
    char        name[NAME_SIZE];

    len = equals == NULL ? pair.len : (size_t) (equals - pair.data);
    if (lp_request_decode(name, sizeof(name), (lp_span_t) {pair.data, len})
        != 0) {
        return -1;
    }
    for (i = 0; i < FIELDS && strcmp(name, field_names[i]) != 0; i++) { }
    if (i == FIELDS) {
        return 0;
    }
    if (form->value[i] != NULL || equals == NULL
        || lp_request_decode(*p, room, (lp_span_t) {equals + 1,
                                                    pair.len - len - 1})
               != 0) {
        return -1;
    }
    form->value[i] = *p;
    *p += strlen(*p) + 1;
    return 0;
}

static int
read_pairs(form_t *form, size_t len)
{
    lp_span_t   rest = {form->bytes, len}, pair;
    const char *end;
    char       *p = form->decoded;

    while (rest.len > 0) {
        end = memchr(rest.data, '&', rest.len);
        pair.data = rest.data;
        pair.len = end == NULL ? rest.len : (size_t) (end - rest.data);
        if (pair.len > 0 && read_pair(form, pair, &p) != 0) {
            return -1;
        }
        if (end == NULL) {
            return 0;
        }
        rest.data = end + 1;
        rest.len -= pair.len + 1;
    }
    return 0;
}

static int
read_form(form_t *form, lp_request_t *request, refusal_t *refusal)
{
    size_t len;
    int    http;

    memset(form->value, 0, sizeof(form->value));
    if (!is_form(request->type)) {
        return refuse(refusal, 400, "invalid_request",
                      "the body must be " FORM_TYPE);
    }
    http = lp_request_body(request, form->bytes, FORM_MAX - 1, &len);
    if (http != 0) {
        return refuse(refusal, http, "invalid_request",
                      http == 413 ? "the body is too long"
                                  : "the body was cut off, or not as long as "
                                    "its Content-Length says");
    }
    if (read_pairs(form, len) != 0) {
        return refuse(refusal, 400, "invalid_request",
                      "a parameter is there twice or badly encoded");
    }
    return 0;
}

static int
check_form(const form_t *form, refusal_t *refusal)
{
    if (form->value[GRANT_TYPE] == NULL || form->value[ASSERTION] == NULL
        || form->value[ASSERTION_TYPE] == NULL) {
        return refuse(refusal, 400, "invalid_request",
                      "grant_type, client_assertion_type and "
                      "client_assertion are needed");
    }
    if (form->value[CLIENT_SECRET] != NULL) {
        return refuse(refusal, 400, "invalid_request",
                      "a client shows who it is in one way alone");
    }
    if (strcmp(form->value[GRANT_TYPE], "client_credentials") != 0) {
        return refuse(refusal, 400, "unsupported_grant_type",
                      "grant_type must be client_credentials");
    }
    if (strcmp(form->value[ASSERTION_TYPE], BEARER_TYPE) != 0) {
        return refuse(refusal, 401, "invalid_client",
                      "client_assertion_type must be " BEARER_TYPE);
    }
    return 0;
}

/* Scopes. */

static int
has_word(lp_span_t list, lp_span_t word)
{
    const char *blank;
    lp_span_t   one;

    while (list.len > 0) {
        blank = memchr(list.data, ' ', list.len);
        one.data = list.data;
        one.len = blank == NULL ? list.len : (size_t) (blank - list.data);
        if (lp_span_equal(one, word)) {
            return 1;
        }
        if (blank == NULL) {
            return 0;
        }
        list.data = blank + 1;
        list.len -= one.len + 1;
    }
    return 0;
}

/* What is asked for, each scope once, into scope; nothing asked: all that the
   client may have. */
static int
grant_scope(const char *asked, const lp_client_t *client, lp_span_t *scope,
            char *dst, refusal_t *refusal)
{
    size_t    n, len = 0;
    lp_span_t word;

    *scope = client->scopes;
    if (asked != NULL && asked[strspn(asked, " ")] != '\0') {
        for (; *asked != '\0'; asked += n + (asked[n] == ' ')) {
            n = strcspn(asked, " ");
            word = (lp_span_t) {asked, n};
            if (n == 0 || has_word((lp_span_t) {dst, len}, word)) {
                continue;
            }
            if (!has_word(client->scopes, word) || len + n + 1 > SCOPE_MAX) {
                return refuse(refusal, 400, "invalid_scope",
                              "this client may not have one of the scopes");
            }
            if (len > 0) {
                dst[len++] = ' ';
            }
            memcpy(dst + len, asked, n);
            len += n;
        }
        *scope = (lp_span_t) {dst, len};
    }
    return scope->len > 0 ? 0
                          : refuse(refusal, 400, "invalid_scope",
                                   "this client may have no scope");
}

/* Making the token. */

/* base64url of an object, which it takes over; NULL out of memory. */
static char *
encode(json_t *object)
{
    char  *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    char  *encoded = NULL;
    size_t n;

    json_decref(object);
    if (text != NULL) {
        encoded = malloc(LP_BASE64URL_ENCODED(strlen(text)) + 1);
    }
    if (encoded != NULL) {
        n = lp_base64url_encode(encoded, (const unsigned char *) text,
                                strlen(text));
        encoded[n] = '\0';
    }
    free(text);
    return encoded;
}

static char *
encode_header(const lp_private_key_t *key)
{
    return encode(json_pack("{s:s, s:s, s:s}", "alg", lp_alg_name(key->alg),
                            "typ", "at+jwt", "kid", key->kid));
}

static char *
encode_claims(const lp_party_list_t *list, lp_span_t client, lp_span_t scope,
              int64_t now)
{
    unsigned char random[JTI_BYTES];
    char          jti[LP_BASE64URL_ENCODED(JTI_BYTES)];
    size_t        n;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return NULL;
    }
    n = lp_base64url_encode(jti, random, sizeof(random));
    return encode(json_pack(
        "{s:s%, s:s%, s:s%, s:s%, s:s%, s:I, s:I, s:s%, s:s%}",
        "iss", list->issuer.data, list->issuer.len,
        "sub", client.data, client.len,
        "azp", client.data, client.len,
        "client_id", client.data, client.len,
        "aud", list->audience.data, list->audience.len,
        "iat", (json_int_t) now,
        "exp", (json_int_t) now + (json_int_t) list->token_lifetime,
        "jti", jti, n,
        "scope", scope.data, scope.len));
}

/* "header.claims.signature"; NULL where memory or OpenSSL failed. */
static char *
sign(const lp_private_key_t *key, const char *header, const char *claims)
{
    unsigned char signature[LP_SIGNATURE_MAX];
    size_t        head = strlen(header), body = strlen(claims), len;
    char         *token;

    token = malloc(head + body + 3 + LP_BASE64URL_ENCODED(LP_SIGNATURE_MAX));
    if (token == NULL) {
        return NULL;
    }
    memcpy(token, header, head);
    token[head] = '.';
    memcpy(token + head + 1, claims, body);
    len = head + 1 + body;
    head = lp_private_key_sign(key, signature, (lp_span_t) {token, len});
    if (head == 0) {
        free(token);
        return NULL;
    }
    token[len++] = '.';
    len += lp_base64url_encode(token + len, signature, head);
    token[len] = '\0';
    return token;
}

static char *
make_token(lp_service_t *service, const lp_party_list_t *list,
           lp_span_t client, lp_span_t scope, int64_t now)
{
    const lp_private_key_t *key = lp_key_ring_signer(service->keys, now);
    char                   *header, *claims, *token = NULL;

    if (key == NULL) {
        return NULL;
    }
    header = encode_header(key);
    claims = encode_claims(list, client, scope, now);
    if (header != NULL && claims != NULL) {
        token = sign(key, header, claims);
    }
    free(header);
    free(claims);
    return token;
}

/* The route. */

/* Who asks: token holds the assertion, which is used up. */
static int
authenticate(const form_t *form, const lp_party_list_t *list,
             lp_token_t *token, int64_t now, const lp_client_t **client,
             refusal_t *refusal)
{
    const char    *why = "", *id = form->value[CLIENT_ID];
    lp_assertion_t found;

    found = lp_assertion_check(token, lp_span_of(form->value[ASSERTION]),
                               list, now, client, &why);
    if (found == LP_ASSERTION_NO_KEYS) {
        *refusal = not_now;
        return -1;
    }
    if (found == LP_ASSERTION_OK && id != NULL
        && !lp_span_equal(lp_span_of(id), (*client)->client_id)) {
        found = LP_ASSERTION_REFUSED;
        why = "client_id is not that of the assertion";
    }
    return found == LP_ASSERTION_OK
               ? 0
               : refuse(refusal, 401, "invalid_client", why);
}

static int
use_up(lp_service_t *service, const lp_token_t *token, lp_span_t client,
       int64_t now, refusal_t *refusal)
{
    const char *why = "";

    switch (lp_assertion_use(token, service->store, client, now, &why)) {
    case LP_ASSERTION_OK:
        return 0;
    case LP_ASSERTION_REFUSED:
        return refuse(refusal, 401, "invalid_client", why);
    default:
        *refusal = not_now;
        return -1;
    }
}

static int
answer_token(lp_service_t *service, lp_request_t *request,
             const lp_party_list_t *list, lp_span_t client, lp_span_t scope,
             int64_t now)
{
    char *made = make_token(service, list, client, scope, now);

    if (made == NULL) {
        return -1;
    }
    lp_answer_json(request, 200,
                   json_pack("{s:s, s:s, s:I, s:s%}", "access_token", made,
                             "token_type", "Bearer", "expires_in",
                             (json_int_t) list->token_lifetime, "scope",
                             scope.data, scope.len));
    free(made);
    return 0;
}

static int
run(lp_service_t *service, lp_request_t *request, const form_t *form,
    lp_token_t *token, refusal_t *refusal)
{
    const lp_party_list_t *list = lp_parties(service->parties);
    const lp_client_t     *client = NULL;
    lp_span_t              scope;
    char                   granted[SCOPE_MAX];
    int64_t                now = lp_service_now();

    if (authenticate(form, list, token, now, &client, refusal) != 0
        || grant_scope(form->value[SCOPE], client, &scope, granted, refusal)
               != 0
        || use_up(service, token, client->client_id, now, refusal) != 0) {
        return -1;
    }
    *refusal = not_now;
    return answer_token(service, request, list, client->client_id, scope,
                        now);
}

void
lp_route_token(lp_service_t *service, lp_request_t *request)
{
    static form_t     form;
    static lp_token_t token;
    refusal_t         refusal;
    int               rc;

    if (service->keys == NULL) {
        lp_answer_refuse(request, 404, LP_CODE_OTHER,
                         "there is no token endpoint here");
        return;
    }
    rc = read_form(&form, request, &refusal);
    if (rc == 0) {
        rc = check_form(&form, &refusal);
    }
    if (rc == 0) {
        rc = run(service, request, &form, &token, &refusal);
        lp_token_close(&token);
    }
    if (rc != 0) {
        answer_refusal(request, &refusal);
    }
}
