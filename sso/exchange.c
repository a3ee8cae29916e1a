/*
 * The two requests. Secrets stand in static memory while a request is put
 * together, and are wiped when libcurl has its copy. Secrets and keys are read
 * from their files each time, so that a new one needs no restart.
 */

#include "exchange.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <strings.h>

#include "../core/json.h"
#include "../core/text.h"
#include "../workers/key_file.h"
#include "own_secrets.h"

#define URL_MAX       2048
#define CODE_ESCAPED  (3 * 4096)
#define FORM_MAX      (CODE_ESCAPED + 3 * 8192)
#define CREDENTIALS_MAX (3 * (LP_CLIENT_SECRET_MAX + 512) + 2)
#define BASIC_MAX     (CREDENTIALS_MAX / 3 * 4 + 16)
#define ERROR_NAME_MAX 64

#define FORM_TYPE   "application/x-www-form-urlencoded"
#define BEARER_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* A request that is being written. */
typedef struct {
    char      url[URL_MAX];
    char      form[FORM_MAX];
    lp_text_t body;
    char      basic[BASIC_MAX]; /* "Basic ..."; empty: none */
} draft_t;

/* Errors of RFC 6749 section 5.2, in words for who has to mend them. */
static const struct {
    const char *name;
    const char *why;
} token_errors[] = {
    {"invalid_client", "it does not take our client id or secret"},
    {"invalid_grant", "it does not take the code: used, too old, or for "
                      "another redirect URI"},
    {"invalid_request", "it says that the token request is invalid"},
    {"unauthorized_client", "our client may not use codes there"},
    {"unsupported_grant_type", "it knows no authorization codes"},
    {"invalid_scope", "it does not take the scope"},
};

lp_span_t
lp_exchange_callback(char *dst, const lp_provider_t *provider)
{
    size_t len = sizeof(LP_CALLBACK) - 1;

    memcpy(dst, LP_CALLBACK, len);
    if (provider->own_callback && provider->name.len <= LP_PROVIDER_NAME_MAX) {
        dst[len++] = '/';
        memcpy(dst + len, provider->name.data, provider->name.len);
        len += provider->name.len;
    }
    return (lp_span_t) {dst, len};
}

lp_span_t
lp_exchange_endpoint(lp_sso_t *sso, const lp_provider_t *provider,
                     lp_span_t configured, const char *member)
{
    if (configured.len > 0) {
        return configured;
    }
    return lp_json_member(lp_key_files_discovery(sso->keys, provider->name,
                                                 provider->issuer),
                          member);
}

/* Writes one more "name=value" of the form. */
static void
add(draft_t *draft, const char *name, lp_span_t value)
{
    if (draft->body.len > 0) {
        lp_text_add(&draft->body, lp_span("&"));
    }
    lp_text_add(&draft->body, lp_span_of(name));
    lp_text_add(&draft->body, lp_span("="));
    lp_text_query(&draft->body, value);
}

static int
copy_url(char url[URL_MAX], lp_span_t endpoint)
{
    if (endpoint.len == 0 || endpoint.len >= URL_MAX
        || memchr(endpoint.data, '\0', endpoint.len) != NULL) {
        return -1;
    }
    memcpy(url, endpoint.data, endpoint.len);
    url[endpoint.len] = '\0';
    return 0;
}

/* RFC 6749 section 2.3.1: both encoded as in a form, then RFC 7617. */
static int
add_basic(draft_t *draft, lp_span_t client_id, lp_span_t secret)
{
    static const char scheme[] = "Basic ";
    char              credentials[CREDENTIALS_MAX];
    lp_text_t         text = lp_text_in(credentials, sizeof(credentials));
    size_t            head = sizeof(scheme) - 1;

    lp_text_query(&text, client_id);
    lp_text_add(&text, lp_span(":"));
    lp_text_query(&text, secret);
    if (text.full || head + (text.len + 2) / 3 * 4 >= BASIC_MAX) {
        OPENSSL_cleanse(credentials, sizeof(credentials));
        return -1;
    }
    memcpy(draft->basic, scheme, head);
    EVP_EncodeBlock((unsigned char *) draft->basic + head,
                    (const unsigned char *) credentials, (int) text.len);
    OPENSSL_cleanse(credentials, sizeof(credentials));
    return 0;
}

static int
add_secret(draft_t *draft, const lp_provider_t *provider)
{
    char      text[LP_CLIENT_SECRET_MAX + 2];
    lp_span_t secret = lp_client_secret_read(text, provider->secret_file);
    int       rc = -1;

    if (secret.len > 0 && provider->auth == LP_AUTH_BASIC) {
        rc = add_basic(draft, provider->client_id, secret);
    } else if (secret.len > 0) {
        add(draft, "client_id", provider->client_id);
        add(draft, "client_secret", secret);
        rc = 0;
    }
    OPENSSL_cleanse(text, sizeof(text));
    return rc;
}

static int
add_assertion(draft_t *draft, lp_sso_t *sso, const lp_provider_t *provider,
              int64_t now)
{
    const lp_private_key_t *key = NULL;
    lp_private_key_t        own;
    char                   *assertion = NULL;

    memset(&own, 0, sizeof(own));
    if (provider->key_file == NULL) {
        key = sso->ring == NULL ? NULL : lp_key_ring_signer(sso->ring, now);
    } else if (lp_key_file_load(&own, provider->key_file, LP_ALG_UNKNOWN, NULL)
                   == 0
               && own.is_private) {
        key = &own;
    }
    if (key != NULL) {
        assertion = lp_client_assertion(key, provider->client_id,
                                        lp_span_of(draft->url), now);
    }
    if (provider->key_file != NULL) {
        lp_private_key_free(&own);
    }
    if (assertion == NULL) {
        return -1;
    }
    add(draft, "client_id", provider->client_id);
    add(draft, "client_assertion_type", lp_span(BEARER_TYPE));
    add(draft, "client_assertion", lp_span_of(assertion));
    lp_access_token_wipe(assertion);
    return 0;
}

static int
add_client(draft_t *draft, lp_sso_t *sso, const lp_provider_t *provider,
           const char **why)
{
    switch (provider->auth) {
    case LP_AUTH_KEY:
        *why = "our key for it can't be used";
        return add_assertion(draft, sso, provider, lp_service_now());
    case LP_AUTH_NONE:
        add(draft, "client_id", provider->client_id);
        return 0;
    default:
        *why = "our secret for it can't be read";
        return add_secret(draft, provider);
    }
}

static int
write_request(draft_t *draft, lp_sso_t *sso, const lp_provider_t *provider,
              const lp_sign_in_t *sign_in, lp_span_t code, const char **why)
{
    lp_span_t public_url = lp_sites(sso->providers)->public_url;
    char      room[URL_MAX], path[LP_CALLBACK_MAX];
    lp_text_t back = lp_text_in(room, sizeof(room));

    draft->body = lp_text_in(draft->form, FORM_MAX);
    draft->basic[0] = '\0';
    *why = "it is not known where to ask for tokens: no tokenEndpoint, no "
           "discovery document";
    if (copy_url(draft->url, lp_exchange_endpoint(sso, provider,
                                                  provider->token_endpoint,
                                                  "token_endpoint"))
        != 0) {
        return -1;
    }
    lp_text_add(&back, public_url);
    lp_text_add(&back, lp_exchange_callback(path, provider));
    add(draft, "grant_type", lp_span("authorization_code"));
    add(draft, "code", code);
    add(draft, "redirect_uri", lp_text_span(&back));
    add(draft, "code_verifier", lp_span_of(sign_in->verifier));
    if (add_client(draft, sso, provider, why) != 0) {
        return -1;
    }
    *why = "the token request became too long";
    return back.full || draft->body.full ? -1 : 0;
}

lp_exchange_t
lp_exchange_start(lp_sso_t *sso, const lp_provider_t *provider,
                  const lp_sign_in_t *sign_in, lp_span_t code,
                  lp_http_done_t done, void *owner, const char **why)
{
    static draft_t    draft;
    lp_http_request_t request = {.method = "POST", .url = draft.url,
                                 .type = FORM_TYPE,
                                 .total_ms = LP_EXCHANGE_MS};
    int               rc;

    rc = write_request(&draft, sso, provider, sign_in, code, why);
    if (rc == 0) {
        *why = "out of memory";
        request.body = lp_text_span(&draft.body);
        request.authorization = draft.basic[0] == '\0' ? NULL : draft.basic;
        rc = lp_http_start(sso->http, &request, done, owner);
    }
    OPENSSL_cleanse(&draft, sizeof(draft));
    return rc == 0 ? LP_EXCHANGE_OK : LP_EXCHANGE_DOWN;
}

/* The error of a 4xx answer, in our words. */
static const char *
explain_error(const lp_http_reply_t *reply)
{
    lp_json_memory_t *memory;
    lp_json_error_t   error;
    json_t           *answer = lp_json_read(reply->body, &memory, &error);
    const char       *name, *why = "its token endpoint refuses the request";
    size_t            i;

    if (answer == NULL) {
        return why;
    }
    name = json_string_value(json_object_get(answer, "error"));
    for (i = 0; name != NULL
                && i < sizeof(token_errors) / sizeof(token_errors[0]); i++) {
        if (strcmp(name, token_errors[i].name) == 0) {
            why = token_errors[i].why;
        }
    }
    lp_json_release(memory);
    return why;
}

/* What there is to say of an answer before its body is looked at. */
static lp_exchange_t
judge(const lp_http_reply_t *reply, const char **why)
{
    if (reply->result == LP_HTTP_FORBIDDEN) {
        *why = "one of its endpoints has an address that is not https";
        return LP_EXCHANGE_WRONG;
    }
    if (reply->result != LP_HTTP_ANSWERED) {
        *why = lp_http_text(reply->result);
        return LP_EXCHANGE_DOWN;
    }
    if (reply->status >= 500 || reply->status == 429) {
        *why = "answers with an error of its own";
        return LP_EXCHANGE_DOWN;
    }
    if (reply->status >= 300 && reply->status < 400) {
        *why = "sends us on to another address, which we don't follow";
        return LP_EXCHANGE_WRONG;
    }
    return LP_EXCHANGE_OK;
}

/* Copies a text of visible ASCII; -1: it is none, or too long. */
static int
copy_token(char *dst, size_t *len, size_t max, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t      i, n = json_is_string(value) ? json_string_length(value) : 0;

    for (i = 0; i < n; i++) {
        if (text[i] <= 0x20 || text[i] >= 0x7f) {
            return -1;
        }
    }
    if (n == 0 || n > max) {
        return -1;
    }
    memcpy(dst, text, n);
    dst[n] = '\0';
    *len = n;
    return 0;
}

static lp_exchange_t
take_tokens(lp_tokens_t *tokens, const json_t *answer, const char **why)
{
    const json_t *access = json_object_get(answer, "access_token");
    const char   *type;
    size_t        len;

    if (copy_token(tokens->id_token, &tokens->id_token_len, LP_TOKEN_MAX,
                   json_object_get(answer, "id_token")) != 0) {
        *why = "its answer holds no id_token, or one of more than 8192 bytes";
        return LP_EXCHANGE_WRONG;
    }
    tokens->access_token[0] = '\0';
    type = json_string_value(json_object_get(answer, "token_type"));
    if (access != NULL
        && (copy_token(tokens->access_token, &len, LP_ACCESS_TOKEN_MAX, access)
                != 0
            || (type != NULL && strcasecmp(type, "bearer") != 0))) {
        *why = "its answer holds no bearer token that can be used";
        return LP_EXCHANGE_WRONG;
    }
    return LP_EXCHANGE_OK;
}

lp_exchange_t
lp_exchange_read(lp_tokens_t *tokens, const lp_http_reply_t *reply,
                 const char **why)
{
    lp_json_memory_t *memory;
    lp_json_error_t   error;
    lp_exchange_t     result = judge(reply, why);
    json_t           *answer;

    if (result != LP_EXCHANGE_OK) {
        return result;
    }
    if (reply->status != 200) {
        *why = explain_error(reply);
        return LP_EXCHANGE_WRONG;
    }
    answer = lp_json_read(reply->body, &memory, &error);
    if (answer == NULL) {
        *why = "its token endpoint answers with something that is no JSON "
               "object";
        return LP_EXCHANGE_WRONG;
    }
    result = take_tokens(tokens, answer, why);
    lp_json_release(memory);
    return result;
}

lp_exchange_t
lp_userinfo_start(lp_sso_t *sso, const lp_provider_t *provider,
                  const lp_tokens_t *tokens, lp_http_done_t done, void *owner,
                  const char **why)
{
    char              url[URL_MAX];
    lp_http_request_t request = {.method = "GET", .url = url,
                                 .token = tokens->access_token,
                                 .total_ms = LP_USERINFO_MS};

    if (tokens->access_token[0] == '\0') {
        *why = "it gave no access token, which userinfo asks for";
        return LP_EXCHANGE_WRONG;
    }
    if (copy_url(url, lp_exchange_endpoint(sso, provider,
                                           provider->userinfo_endpoint,
                                           "userinfo_endpoint"))
        != 0) {
        *why = "it is not known where its userinfo is: no userinfoEndpoint, "
               "none in the discovery document";
        return LP_EXCHANGE_DOWN;
    }
    *why = "out of memory";
    return lp_http_start(sso->http, &request, done, owner) == 0
               ? LP_EXCHANGE_OK
               : LP_EXCHANGE_DOWN;
}

/* "application/jwt; charset=..." */
static int
is_signed(const char *type)
{
    static const char jwt[] = "application/jwt";

    return type != NULL && strncasecmp(type, jwt, sizeof(jwt) - 1) == 0;
}

lp_exchange_t
lp_userinfo_read(json_t **claims, lp_json_memory_t **memory,
                 const lp_http_reply_t *reply, lp_span_t sub,
                 const char **why)
{
    lp_json_error_t error;
    lp_exchange_t   result = judge(reply, why);
    const json_t   *own;

    if (result != LP_EXCHANGE_OK) {
        return result;
    }
    if (reply->status != 200) {
        *why = "its userinfo refuses the access token";
        return LP_EXCHANGE_WRONG;
    }
    if (is_signed(reply->type)) {
        *why = "its userinfo is a signed JWT; ask the provider for plain JSON";
        return LP_EXCHANGE_WRONG;
    }
    *claims = lp_json_read(reply->body, memory, &error);
    if (*claims == NULL) {
        *why = "its userinfo is no JSON object";
        return LP_EXCHANGE_WRONG;
    }
    own = json_object_get(*claims, "sub");
    if (!json_is_string(own) || !lp_span_equal(lp_json_text(own), sub)) {
        lp_json_release(*memory);
        *why = "its userinfo is about somebody else than its id_token";
        return LP_EXCHANGE_WRONG;
    }
    return LP_EXCHANGE_OK;
}
