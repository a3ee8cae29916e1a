/*
 * GET /sso/callback[/<name>]: somebody comes back from a provider, with a code
 * or with an error. What the URL says is believed last: who the provider is,
 * where the way leads, and which nonce the id_token must have, the stored
 * sign-in says, which only the browser that began it can take out, and only
 * once.
 *
 *     code -> tokens -> id_token checked -> userinfo -> who -> session -> 303
 *
 * Each arrow but the last two may have to wait: for the provider, or for a key
 * that it signs with since a moment. The visit is parked meanwhile, and others
 * are answered. However it ends badly, the page has a link that begins a new
 * sign-in with the same way back.
 */

#include <openssl/crypto.h>
#include <stdlib.h>

#include "../core/json.h"
#include "../core/text.h"
#include "../workers/say.h"
#include "exchange.h"
#include "id_token.h"
#include "last_provider.h"
#include "parameters.h"
#include "session.h"
#include "visits.h"

#define QUERY_MAX 16384
#define CODE_MAX  4096 /* bytes; those of Entra ID have 1,500 and more */
#define ISS_MAX   1024
#define STATE_MAX 512  /* ours has LP_RANDOM_LEN; others are unknown */
#define AGAIN_MAX (64 + 3 * (LP_RETURN_MAX + LP_PROVIDER_NAME_MAX))

#define WAIT_MS   15000 /* for all of it */
#define KEY_MS    5000  /* for a key that is not there yet */

/* The parameters, in the order of callback_parameters. */
enum { STATE = 0, CODE, ISS, ERROR, PARAMETERS };

/* A sign-in that is being finished. */
typedef struct {
    lp_visit_t   *visit;
    lp_http_t    *http;
    lp_sign_in_t  sign_in;
    lp_tokens_t   tokens;
    lp_token_t    token;     /* the id_token */
    int           is_open;   /* lp_token_close() is due */
    int64_t       keys_until; /* monotonic ms; 0: no key was missed yet */
    lp_who_t      who;
} arrival_t;

/* Why a provider sends somebody back without a code (RFC 6749 section 4.1.2.1,
   OpenID Connect Core 3.1.2.6); what it means for them, and for the log. */
static const struct {
    const char  *name;
    lp_problem_t problem;
} refusals[] = {
    {"access_denied", LP_PROBLEM_SIGN_IN_REFUSED},
    {"login_required", LP_PROBLEM_SIGN_IN_REFUSED},
    {"interaction_required", LP_PROBLEM_SIGN_IN_REFUSED},
    {"account_selection_required", LP_PROBLEM_SIGN_IN_REFUSED},
    {"consent_required", LP_PROBLEM_SIGN_IN_REFUSED},
    {"invalid_request", LP_PROBLEM_SIGN_IN_REFUSED},
    {"unauthorized_client", LP_PROBLEM_SIGN_IN_REFUSED},
    {"unsupported_response_type", LP_PROBLEM_SIGN_IN_REFUSED},
    {"invalid_scope", LP_PROBLEM_SIGN_IN_REFUSED},
    {"server_error", LP_PROBLEM_PROVIDER_DOWN},
    {"temporarily_unavailable", LP_PROBLEM_PROVIDER_DOWN},
};

static void begin(lp_visit_t *visit, const lp_sign_in_t *sign_in,
                  const lp_parameter_t *sent);
static void hear_tokens(void *owner, const lp_http_reply_t *reply);
static void check_id_token(arrival_t *arrival);
static void go_on(arrival_t *arrival, const lp_provider_t *provider);
static void hear_userinfo(void *owner, const lp_http_reply_t *reply);
static void arrive(arrival_t *arrival, const lp_provider_t *provider);

/* One line a second: a provider that is down turns away thousands. */
static void
note(const char *provider, const char *what, const char *why)
{
    static int64_t  said_at = -1000;
    static unsigned unsaid;
    int64_t         now = lp_visit_clock();

    if (now - said_at < 1000) {
        unsaid++;
        return;
    }
    if (unsaid > 0) {
        lp_say("%u further sign-ins failed", unsaid);
    }
    lp_say("a sign-in at the provider %s failed: %s%s", provider, what, why);
    said_at = now;
    unsaid = 0;
}

/* Who came in by the wrong door, or not at all: another one may be right. */
static int
is_wrong_door(lp_problem_t problem)
{
    return problem == LP_PROBLEM_SIGN_IN_REFUSED
           || problem == LP_PROBLEM_UNKNOWN_SCHOOL
           || problem == LP_PROBLEM_NOBODY;
}

/* Where a new one begins, to the same place: by the same provider, unless it
   let in somebody of no use here. */
static void
add_way(lp_text_t *text, lp_visit_t *visit, const lp_sign_in_t *sign_in,
        lp_problem_t problem)
{
    lp_text_add(text, lp_span("?return="));
    lp_text_query(text, lp_span_of(sign_in->back));
    if (problem != LP_PROBLEM_SIGN_IN_REFUSED && is_wrong_door(problem)
        && lp_sites(visit->sso->providers)->n > 1) {
        lp_parameter_add(text, "choose", lp_span("1"));
    } else if (problem != LP_PROBLEM_UNKNOWN_PROVIDER) {
        lp_parameter_add(text, "provider", lp_span_of(sign_in->provider));
    }
}

/* Answers with a page from which a new sign-in begins. */
static void
turn_away(lp_visit_t *visit, const lp_sign_in_t *sign_in,
          lp_problem_t problem, unsigned reason)
{
    char      again[AGAIN_MAX];
    lp_text_t text = lp_text_in(again, sizeof(again));

    lp_text_add(&text, lp_span("/sso/login"));
    if (sign_in != NULL && is_wrong_door(problem)) {
        lp_last_provider_forget(visit, lp_span_of(sign_in->provider));
    }
    if (sign_in != NULL) {
        add_way(&text, visit, sign_in, problem);
    }
    lp_visit_problem(visit, problem, reason, lp_text_span(&text));
}

/* The state, and what was stored under it. */

static lp_problem_t
problem_of(lp_begun_t result)
{
    switch (result) {
    case LP_BEGUN_OTHER:
        return LP_PROBLEM_SIGN_IN_OTHER;
    case LP_BEGUN_NO_COOKIE:
        return LP_PROBLEM_NO_COOKIES;
    case LP_BEGUN_FAILED:
        return lp_problem_of(LP_UNAVAILABLE);
    default:
        return LP_PROBLEM_SIGN_IN_OLD;
    }
}

/* Whose answer it is: by the redirect URI, where a provider has its own, and
   by RFC 9207, where it says so or should. Else a provider that was broken into
   could send its people on to another, and be given that one's code (RFC 9700,
   section 4.4). */
static int
is_from(const lp_visit_t *visit, const lp_provider_t *provider, lp_span_t iss)
{
    lp_sso_t     *sso = visit->sso;
    const json_t *document;
    char          path[LP_CALLBACK_MAX];

    if (!lp_span_equal(visit->request.path,
                       lp_exchange_callback(path, provider))) {
        return 0;
    }
    if (iss.data != NULL) {
        return lp_span_equal(iss, provider->issuer);
    }
    document = lp_key_files_discovery(sso->keys, provider->name,
                                      provider->issuer);
    return !json_is_true(json_object_get(
        document, "authorization_response_iss_parameter_supported"));
}

/* The provider says no: in words of our own, whatever it says. */
static void
refuse(lp_visit_t *visit, const lp_sign_in_t *sign_in, lp_span_t error)
{
    lp_problem_t problem = LP_PROBLEM_SIGN_IN_REFUSED;
    const char  *name = "an error that is not in the standards";
    size_t       i;

    for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (lp_span_equal(error, lp_span_of(refusals[i].name))) {
            name = refusals[i].name;
            problem = refusals[i].problem;
        }
    }
    note(sign_in->provider, "it sent back ", name);
    turn_away(visit, sign_in, problem, 0);
}

static void
come_back(lp_visit_t *visit, const lp_parameter_t *sent)
{
    lp_sso_t            *sso = visit->sso;
    const lp_provider_t *provider;
    lp_sign_in_t         sign_in;
    lp_begun_t           result;

    result = lp_sign_in_take(visit, sent[STATE].value, &sign_in);
    if (result != LP_BEGUN_OK) {
        turn_away(visit, NULL, problem_of(result), 0);
        return;
    }
    provider = lp_provider_by_name(lp_sites(sso->providers),
                                   lp_span_of(sign_in.provider));
    if (provider == NULL) {
        turn_away(visit, &sign_in, LP_PROBLEM_UNKNOWN_PROVIDER, 0);
    } else if (!is_from(visit, provider, sent[ISS].value)) {
        note(sign_in.provider, "the answer names another issuer, or none, or "
             "came to another redirect URI", "");
        turn_away(visit, &sign_in, LP_PROBLEM_SIGN_IN_WRONG, 0);
    } else if (sent[ERROR].value.len > 0) {
        refuse(visit, &sign_in, sent[ERROR].value);
    } else if (sent[CODE].value.len == 0) {
        note(sign_in.provider, "the answer holds no code", "");
        turn_away(visit, &sign_in, LP_PROBLEM_SIGN_IN_WRONG, 0);
    } else {
        begin(visit, &sign_in, sent);
    }
    OPENSSL_cleanse(&sign_in, sizeof(sign_in));
}

void
lp_visit_callback(lp_visit_t *visit)
{
    static char    memory[QUERY_MAX];
    lp_parameter_t sent[PARAMETERS] = {
        [STATE] = {.name = "state", .max = STATE_MAX},
        [CODE] = {.name = "code", .max = CODE_MAX},
        [ISS] = {.name = "iss", .max = ISS_MAX},
        [ERROR] = {.name = "error", .max = 64}};

    if (visit->request.query.len >= QUERY_MAX
        || lp_parameters_read(sent, PARAMETERS, visit->request.query, memory)
               != NULL) {
        turn_away(visit, NULL, LP_PROBLEM_SIGN_IN_WRONG, 0);
    } else if (sent[STATE].value.len == 0) {
        turn_away(visit, NULL, LP_PROBLEM_SIGN_IN_OLD, 0);
    } else {
        come_back(visit, sent);
    }
    OPENSSL_cleanse(memory, sizeof(memory));
}

/* Waiting. */

/* The loop's: whatever way the visit ends. */
static void
drop(void *state)
{
    arrival_t *arrival = state;

    lp_http_forget(arrival->http, arrival);
    if (arrival->is_open) {
        lp_token_close(&arrival->token);
    }
    OPENSSL_cleanse(arrival, sizeof(*arrival));
    free(arrival);
}

/* A parked visit ends with a page; arrival is gone afterwards. */
static void
fail(arrival_t *arrival, lp_problem_t problem, unsigned reason)
{
    lp_visit_t *visit = arrival->visit;

    turn_away(visit, &arrival->sign_in, problem, reason);
    lp_visit_done(visit);
}

static void
fail_because(arrival_t *arrival, lp_exchange_t result, const char *why)
{
    note(arrival->sign_in.provider, "", why);
    fail(arrival,
         result == LP_EXCHANGE_DOWN ? LP_PROBLEM_PROVIDER_DOWN
                                    : LP_PROBLEM_SIGN_IN_WRONG,
         0);
}

static void
be_late(lp_visit_t *visit)
{
    fail_because(visit->state, LP_EXCHANGE_DOWN, "all of it took too long");
}

/* As the configuration has it now; NULL after ending the visit. */
static const lp_provider_t *
look_up(arrival_t *arrival)
{
    const lp_sites_t    *sites = lp_sites(arrival->visit->sso->providers);
    const lp_provider_t *provider;

    provider = lp_provider_by_name(sites,
                                   lp_span_of(arrival->sign_in.provider));
    if (provider == NULL) {
        fail(arrival, LP_PROBLEM_UNKNOWN_PROVIDER, 0);
    }
    return provider;
}

/* Parks the visit and asks for the tokens. */
static void
begin(lp_visit_t *visit, const lp_sign_in_t *sign_in,
      const lp_parameter_t *sent)
{
    const lp_provider_t *provider;
    arrival_t           *arrival = calloc(1, sizeof(*arrival));
    lp_exchange_t        result;
    const char          *why;

    provider = lp_provider_by_name(lp_sites(visit->sso->providers),
                                   lp_span_of(sign_in->provider));
    if (arrival == NULL || lp_visit_wait(visit, provider, WAIT_MS) != 0) {
        free(arrival);
        turn_away(visit, sign_in, LP_PROBLEM_BUSY, 0);
        return;
    }
    arrival->visit = visit;
    arrival->http = visit->sso->http;
    arrival->sign_in = *sign_in;
    visit->state = arrival;
    visit->drop = drop;
    visit->on_late = be_late;
    result = lp_exchange_start(visit->sso, provider, sign_in,
                               sent[CODE].value, hear_tokens, arrival, &why);
    if (result != LP_EXCHANGE_OK) {
        fail_because(arrival, result, why);
    }
}

static void
hear_tokens(void *owner, const lp_http_reply_t *reply)
{
    arrival_t    *arrival = owner;
    lp_exchange_t result;
    const char   *why = "";

    result = lp_exchange_read(&arrival->tokens, reply, &why);
    if (result != LP_EXCHANGE_OK) {
        fail_because(arrival, result, why);
        return;
    }
    check_id_token(arrival);
}

/* The id_token. */

static void
look_again(lp_visit_t *visit)
{
    check_id_token(visit->state);
}

/* A key that nobody knows yet: once more with the next tick, for a while. */
static int
wait_for_key(arrival_t *arrival)
{
    int64_t now = lp_visit_clock();

    if (arrival->keys_until == 0) {
        arrival->keys_until = now + KEY_MS;
    }
    if (now >= arrival->keys_until) {
        return -1;
    }
    arrival->visit->on_tick = look_again;
    return 0;
}

static void
check_id_token(arrival_t *arrival)
{
    const lp_provider_t *provider = look_up(arrival);
    lp_expected_token_t  expected;
    lp_jose_error_t      error = LP_JOSE_OK;
    lp_id_token_t        result;
    const char          *why = NULL;
    lp_span_t            text = {arrival->tokens.id_token,
                                 arrival->tokens.id_token_len};

    if (provider == NULL) {
        return;
    }
    expected = (lp_expected_token_t) {
        .name = provider->name, .issuer = provider->issuer,
        .client_id = provider->client_id, .algs = &provider->algs,
        .leeway = provider->leeway, .asks_age = provider->asks_age,
        .auth_age = provider->auth_age,
        .nonce = lp_span_of(arrival->sign_in.nonce)};
    if (arrival->is_open) {
        lp_token_close(&arrival->token);
    }
    arrival->is_open = 1;
    result = lp_id_token_check(&arrival->token, text, &expected,
                               arrival->visit->sso->keys, lp_service_now(),
                               &error, &why);
    if (result == LP_ID_TOKEN_NO_KEY && wait_for_key(arrival) == 0) {
        return;
    }
    arrival->visit->on_tick = NULL;
    if (result == LP_ID_TOKEN_OK
        && lp_id_token_at_hash(&arrival->token,
                               lp_span_of(arrival->tokens.access_token))
               != 0) {
        result = LP_ID_TOKEN_BAD;
        why = "at_hash is not that of the access token";
    }
    if (result != LP_ID_TOKEN_OK) {
        note(arrival->sign_in.provider, "its id_token can't be used: ", why);
        fail(arrival, LP_PROBLEM_SIGN_IN_WRONG, error);
        return;
    }
    go_on(arrival, provider);
}

/* Who it is. */

static void
go_on(arrival_t *arrival, const lp_provider_t *provider)
{
    lp_sso_t     *sso = arrival->visit->sso;
    lp_exchange_t result;
    const char   *why;

    if (lp_who_add(&arrival->who, &provider->mapping, arrival->token.claims)
        != LP_WHO_OK) {
        note(arrival->sign_in.provider,
             "a claim of its id_token holds an id that can't be one", "");
        fail(arrival, LP_PROBLEM_NOBODY, 0);
        return;
    }
    if (!provider->userinfo) {
        arrive(arrival, provider);
        return;
    }
    result = lp_userinfo_start(sso, provider, &arrival->tokens, hear_userinfo,
                               arrival, &why);
    if (result != LP_EXCHANGE_OK) {
        fail_because(arrival, result, why);
    }
}

static void
hear_userinfo(void *owner, const lp_http_reply_t *reply)
{
    arrival_t           *arrival = owner;
    const lp_provider_t *provider = look_up(arrival);
    lp_json_memory_t    *memory;
    lp_exchange_t        result;
    lp_who_result_t      who;
    json_t              *claims;
    const char          *why = "";

    if (provider == NULL) {
        return;
    }
    result = lp_userinfo_read(&claims, &memory, reply,
                              lp_json_member(arrival->token.claims, "sub"),
                              &why);
    if (result != LP_EXCHANGE_OK) {
        fail_because(arrival, result, why);
        return;
    }
    who = lp_who_add(&arrival->who, &provider->mapping, claims);
    lp_json_release(memory);
    if (who != LP_WHO_OK) {
        note(arrival->sign_in.provider,
             "a claim of its userinfo holds an id that can't be one", "");
        fail(arrival, LP_PROBLEM_NOBODY, 0);
        return;
    }
    arrive(arrival, provider);
}

/* LP_WHO_OK: in *problem stands nothing. */
static int
is_enough(const arrival_t *arrival, const lp_provider_t *provider,
          lp_problem_t *problem)
{
    lp_store_status_t status;
    lp_who_result_t   result;

    result = lp_who_check(&arrival->who, arrival->visit->sso->store,
                          provider->school_needed, &status);
    if (status != LP_STORE_OK) {
        *problem = lp_problem_of(LP_UNAVAILABLE);
        return 0;
    }
    if (result != LP_WHO_OK) {
        note(arrival->sign_in.provider,
             result == LP_WHO_NO_SCHOOL
                 ? "it names no school that is known here"
                 : "it names nobody: no claim of \"users\" is there", "");
        *problem = result == LP_WHO_NO_SCHOOL ? LP_PROBLEM_UNKNOWN_SCHOOL
                                              : LP_PROBLEM_NOBODY;
        return 0;
    }
    return 1;
}

static void
arrive(arrival_t *arrival, const lp_provider_t *provider)
{
    lp_visit_t          *visit = arrival->visit;
    lp_problem_t         problem;
    lp_session_origin_t  origin = {
        .provider = provider,
        .subject = lp_json_member(arrival->token.claims, "sub"),
        .sid = lp_json_member(arrival->token.claims, "sid"),
        .id_token = {arrival->tokens.id_token, arrival->tokens.id_token_len}};

    if (!is_enough(arrival, provider, &problem)) {
        fail(arrival, problem, 0);
        return;
    }
    if (lp_session_begin(visit, &arrival->who, &origin) != LP_STORE_OK) {
        fail(arrival, lp_problem_of(LP_UNAVAILABLE), 0);
        return;
    }
    if (arrival->sign_in.keep[0] != '\0') {
        lp_last_provider_keep(visit, provider);
    }
    lp_answer_redirect(&visit->request, lp_span_of(arrival->sign_in.back));
    lp_visit_done(visit);
}
