/*
 * POST /sso/backchannel (OpenID Connect Back-Channel Logout 1.0): a provider
 * says that somebody signed out there. The sessions of that sid end, or all of
 * that subject; "!" makes every edge refuse their tokens at once. A session
 * whose id_token named no sid may be any of its subject's: it ends too where
 * the logout_token names both.
 *
 * A logout_token counts once, by its jti. That is written down last: where
 * Redis goes away halfway, the provider may send the same one again, and what
 * was done is done again without harm.
 *
 * A key that is not there yet is waited for, a few seconds and a few at a time:
 * whoever sends rubbish here must not take the places of those who sign in.
 * After that it is 503, not 400: the token may well be good.
 */

#include <stdlib.h>

#include "../core/json.h"
#include "../core/keys.h"
#include "../workers/number.h"
#include "id_token.h"
#include "parameters.h"
#include "session_store.h"

#define FORM_MAX  16384 /* bytes: a token of 8 kB */
#define WAIT_MS   4000
#define WAITERS   16    /* of this process, at most */
#define FRESH     300   /* seconds after iat for which it is believed */
#define JTI_MAX   512

/* A logout_token in hand; the state of a visit that waits. */
typedef struct {
    char       form[FORM_MAX];
    char       memory[FORM_MAX + 1];
    lp_span_t  text; /* the token, in memory */
    lp_token_t token;
} logout_t;

typedef enum {
    DONE = 0,
    NOT_YET,     /* a key is missing */
    BAD,         /* *why */
    UNAVAILABLE  /* Redis */
} result_t;

static unsigned waiting;

static void answer(lp_visit_t *visit, result_t result, const char *why);
static void answer_error(lp_request_t *request, int http, const char *error,
                         const char *why);
static const char *read_form(lp_request_t *request, logout_t *logout);
static void wait_for_key(lp_visit_t *visit, logout_t *logout);
static void on_tick(lp_visit_t *visit);
static void on_late(lp_visit_t *visit);
static void drop(void *state);
static result_t obey(lp_sso_t *sso, logout_t *logout, const char **why);
static int find_issuer(char *dst, size_t *len, logout_t *logout);
static result_t check(lp_sso_t *sso, logout_t *logout,
                      const lp_provider_t *provider, const char **why);
static result_t end_sessions(lp_sso_t *sso, const lp_token_t *token,
                             const lp_provider_t *provider, const char **why);
static int name_use(char *dst, size_t *len, lp_sso_t *sso,
                    const lp_token_t *token, lp_span_t issuer);
static lp_store_status_t end_named(lp_sso_t *sso, const lp_token_t *token,
                                   lp_span_t issuer);
static lp_store_status_t end_index(lp_sso_t *sso, lp_session_index_t index,
                                   lp_span_t issuer, lp_span_t subject,
                                   int without_sid);

void
lp_visit_backchannel(lp_visit_t *visit)
{
    logout_t   *logout;
    const char *why;
    result_t    result;

    if (!lp_span_equal(visit->request.method, lp_span("POST"))) {
        lp_answer_header(&visit->request, "Allow", lp_span("POST"));
        answer_error(&visit->request, 405, "invalid_request",
                     "logout_tokens are sent by POST");
        return;
    }
    logout = calloc(1, sizeof(logout_t));
    if (logout == NULL) {
        answer(visit, UNAVAILABLE, NULL);
        return;
    }
    why = read_form(&visit->request, logout);
    result = why == NULL ? obey(visit->sso, logout, &why) : BAD;
    if (result == NOT_YET) {
        wait_for_key(visit, logout);
        return;
    }
    free(logout);
    answer(visit, result, why);
}

static void
answer(lp_visit_t *visit, result_t result, const char *why)
{
    lp_request_t *request = &visit->request;

    if (result == DONE) {
        (void) lp_answer_begin(request, 200, "application/json");
    } else if (result == BAD) {
        answer_error(request, 400, "invalid_request", why);
    } else {
        lp_answer_header(request, "Retry-After",
                         result == NOT_YET ? lp_span("30") : lp_span("5"));
        answer_error(request, 503, "temporarily_unavailable",
                     result == NOT_YET
                         ? "the key that signed it is not known here yet"
                         : "try again in a moment");
    }
}

static void
answer_error(lp_request_t *request, int http, const char *error,
             const char *why)
{
    lp_answer_json(request, http,
                   json_pack("{s:s, s:s}", "error", error,
                             "error_description", why));
}

/* NULL; or what is wrong. */
static const char *
read_form(lp_request_t *request, logout_t *logout)
{
    lp_parameter_t parameter = {"logout_token", LP_TOKEN_MAX, 1, {NULL, 0}};
    size_t         len;

    if (!lp_request_is_form(request)) {
        return "the body must be application/x-www-form-urlencoded";
    }
    if (lp_request_body(request, logout->form, FORM_MAX, &len) != 0) {
        return "the body is too long, or was cut off";
    }
    if (lp_parameters_read(&parameter, 1, (lp_span_t) {logout->form, len},
                           logout->memory)
        != NULL) {
        return "logout_token is missing, or there twice, or too long";
    }
    logout->text = parameter.value;
    return NULL;
}

/* Waiting. */

static void
wait_for_key(lp_visit_t *visit, logout_t *logout)
{
    visit->state = logout;
    visit->drop = drop;
    visit->on_tick = on_tick;
    visit->on_late = on_late;
    if (waiting < WAITERS && lp_visit_wait(visit, &waiting, WAIT_MS) == 0) {
        waiting++;
        return;
    }
    visit->state = NULL;
    visit->drop = NULL;
    visit->on_tick = NULL;
    visit->on_late = NULL;
    free(logout);
    answer(visit, NOT_YET, NULL);
}

static void
on_tick(lp_visit_t *visit)
{
    const char *why;
    result_t    result = obey(visit->sso, visit->state, &why);

    if (result != NOT_YET) {
        answer(visit, result, why);
        lp_visit_done(visit);
    }
}

static void
on_late(lp_visit_t *visit)
{
    answer(visit, NOT_YET, NULL);
    lp_visit_done(visit);
}

static void
drop(void *state)
{
    waiting--;
    free(state);
}

/* Obeying. */

static result_t
obey(lp_sso_t *sso, logout_t *logout, const char **why)
{
    const lp_provider_t *provider = NULL;
    char                 issuer[LP_TOKEN_MAX];
    size_t               len;
    result_t             result;

    if (find_issuer(issuer, &len, logout) == 0) {
        provider = lp_provider_by_issuer(lp_sites(sso->providers),
                                         (lp_span_t) {issuer, len});
    }
    if (provider == NULL) {
        *why = "it is no token, or of an issuer that is not known here";
        return BAD;
    }
    result = check(sso, logout, provider, why);
    if (result == DONE) {
        result = end_sessions(sso, &logout->token, provider, why);
    }
    lp_token_close(&logout->token);
    return result;
}

/* Who it says that it is from: nothing to believe yet. */
static int
find_issuer(char *dst, size_t *len, logout_t *logout)
{
    lp_token_t *token = &logout->token;
    int         rc = -1;

    if (lp_token_open(token, logout->text) == LP_JOSE_OK
        && token->iss.len > 0) {
        memcpy(dst, token->iss.data, token->iss.len);
        *len = token->iss.len;
        rc = 0;
    }
    lp_token_close(token);
    return rc;
}

static result_t
check(lp_sso_t *sso, logout_t *logout, const lp_provider_t *provider,
      const char **why)
{
    lp_expected_token_t expected = {.name = provider->name,
                                    .issuer = provider->issuer,
                                    .client_id = provider->client_id,
                                    .algs = &provider->algs,
                                    .leeway = provider->leeway,
                                    .logout = 1};
    int64_t             now = lp_service_now();
    lp_jose_error_t     error;

    switch (lp_id_token_check(&logout->token, logout->text, &expected,
                              sso->keys, now, &error, why)) {
    case LP_ID_TOKEN_NO_KEY:
        return NOT_YET;
    case LP_ID_TOKEN_BAD:
        return BAD;
    default:
        break;
    }
    if (logout->token.iat < now - FRESH - provider->leeway) {
        *why = "it was issued too long ago";
        return BAD;
    }
    if (lp_json_member(logout->token.claims, "jti").len > JTI_MAX) {
        *why = "its jti is too long";
        return BAD;
    }
    return DONE;
}

static result_t
end_sessions(lp_sso_t *sso, const lp_token_t *token,
             const lp_provider_t *provider, const char **why)
{
    char              name[LP_KEY_MAX];
    lp_span_t         key = {name, 0};
    lp_number_t       seconds;
    int64_t           life = 2 * (FRESH + 2 * provider->leeway);
    const redisReply *used;

    if (name_use(name, &key.len, sso, token, provider->issuer) != 0) {
        return UNAVAILABLE;
    }
    used = lp_store_ask(sso->store, LP_WORDS(lp_span("GET"), key));
    if (used == NULL) {
        return UNAVAILABLE;
    }
    if (used->type != REDIS_REPLY_NIL) {
        *why = "it was used before; each serves once";
        return BAD;
    }
    if (end_named(sso, token, provider->issuer) != LP_STORE_OK
        || lp_store_ask(sso->store,
                        LP_WORDS(lp_span("SET"), key, lp_span("1"),
                                 lp_span("EX"),
                                 lp_number(&seconds, (uint64_t) life)))
               == NULL) {
        return UNAVAILABLE;
    }
    return DONE;
}

/* "jti:{NN}:<hash>", as for clients' assertions; kept for longer than the
   token is fresh. */
static int
name_use(char *dst, size_t *len, lp_sso_t *sso, const lp_token_t *token,
         lp_span_t issuer)
{
    char      text[LP_TOKEN_MAX], hash[LP_USER_KEY_LEN];
    lp_span_t jti = lp_json_member(token->claims, "jti");

    if (issuer.len + 1 + jti.len > sizeof(text)) {
        return -1;
    }
    memcpy(text, issuer.data, issuer.len);
    text[issuer.len] = '\n';
    memcpy(text + issuer.len + 1, jti.data, jti.len);
    if (lp_user_key(hash, sso->pepper, lp_span("|jti"),
                    (lp_span_t) {text, issuer.len + 1 + jti.len})
        != 0) {
        return -1;
    }
    *len = lp_key_of(dst, "jti", (lp_span_t) {hash, sizeof(hash)});
    return 0;
}

/* A sid is one session at the provider; without it all of the subject. */
static lp_store_status_t
end_named(lp_sso_t *sso, const lp_token_t *token, lp_span_t issuer)
{
    lp_span_t         sid = lp_json_member(token->claims, "sid");
    lp_span_t         sub = lp_json_member(token->claims, "sub");
    lp_store_status_t status = LP_STORE_OK;

    if (sid.len > 0) {
        status = end_index(sso, LP_BY_SID, issuer, sid, 0);
    }
    if (sub.len > 0 && status == LP_STORE_OK) {
        status = end_index(sso, LP_BY_SUBJECT, issuer, sub, sid.len > 0);
    }
    return status;
}

static lp_store_status_t
end_index(lp_sso_t *sso, lp_session_index_t index, lp_span_t issuer,
          lp_span_t subject, int without_sid)
{
    lp_session_hash_t hash, list[LP_SESSIONS_MAX];
    lp_store_status_t status;
    unsigned          n;

    if (lp_session_index_hash(&hash, sso, index, issuer, subject) != 0) {
        return LP_STORE_REFUSED;
    }
    status = lp_sessions_list(sso, index, &hash, list, &n);
    return status == LP_STORE_OK
               ? lp_sessions_end(sso, list, n, without_sid) : status;
}
