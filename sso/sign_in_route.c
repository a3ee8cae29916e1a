/*
 * GET and POST /sso/login: a click without a token that may be used comes by
 * here, and so does a form.
 *
 * Who has a session goes straight back, with a new token: nobody sees a screen.
 * Others go to their provider, which is the first that one of these names: the
 * link (provider=), the school (school=), the portal that they come from
 * (portal=), what this browser chose last, the only provider there is. Else
 * they are asked.
 *
 * A session that is renewed again and again for one address goes in a circle:
 * the browser does not keep the token's cookie, or the edge does not take it.
 * That is counted in a cookie of some seconds, and ends with a page.
 *
 * A form is sent here by a 307 and back by another: what was filled in is not
 * lost because a token ran out meanwhile. It is not read here. Where there is
 * no session any more its sender is told, and led on by a link: browsers hold
 * the redirects after a form to its page's form-action, so that a 303 to a
 * provider would end nowhere, without a word; and the form would be lost.
 */

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "../core/base64url.h"
#include "../workers/conf_members.h"
#include "../workers/say.h"
#include "choice_page.h"
#include "exchange.h"
#include "last_provider.h"
#include "parameters.h"
#include "session.h"
#include "sign_in.h"

#define QUERY_MAX    8192
#define AGAIN_MAX    (256 + 3 * (LP_RETURN_MAX + LP_PROVIDER_NAME_MAX))
#define LOCATION_MAX 8192

#define CIRCLE_COOKIE "leerpoort-returns"
#define CIRCLE_LIFE   20 /* seconds */
#define CIRCLE_MAX    5  /* browsers give up after 20 redirects, 2 each */
#define CIRCLE_MARK   8  /* characters of an address's hash */

enum { BACK = 0, SCHOOL, PORTAL, PROVIDER, CHOOSE, KEEP, SEARCH, PARAMETERS };

typedef struct {
    lp_parameter_t sent[PARAMETERS];
    char           back[LP_RETURN_MAX + 1];
} asked_t;

static int read_asked(lp_visit_t *visit, asked_t *asked, char *memory);
static int is_form(const lp_visit_t *visit);
static int renew(lp_visit_t *visit, const asked_t *asked);
static int goes_in_a_circle(lp_visit_t *visit, const asked_t *asked);
static void go_on(lp_visit_t *visit, const asked_t *asked);
static int tell_program(lp_visit_t *visit);
static const lp_provider_t *find_provider(lp_visit_t *visit,
                                          const asked_t *asked);
static void begin(lp_visit_t *visit, const asked_t *asked,
                  const lp_provider_t *provider);
static void ask_provider(lp_visit_t *visit, const asked_t *asked,
                         const lp_provider_t *provider, lp_span_t endpoint);
static void turn_away(lp_visit_t *visit, const asked_t *asked,
                      const lp_provider_t *provider, lp_problem_t problem);

void
lp_visit_sign_in(lp_visit_t *visit)
{
    char    memory[QUERY_MAX];
    asked_t asked;

    if (read_asked(visit, &asked, memory) != 0
        || renew(visit, &asked) != 0) {
        return;
    }
    if (is_form(visit)) {
        turn_away(visit, &asked, NULL, LP_PROBLEM_SESSION_EXPIRED);
    } else {
        go_on(visit, &asked);
    }
}

/* -1 after answering. */
static int
read_asked(lp_visit_t *visit, asked_t *asked, char *memory)
{
    static const lp_parameter_t list[PARAMETERS] = {
        [BACK] = {.name = "return", .max = QUERY_MAX},
        [SCHOOL] = {.name = "school", .max = 64,
                    .needed = LP_PARAMETER_HINT},
        [PORTAL] = {.name = "portal", .max = LP_CONF_LABEL_MAX,
                    .needed = LP_PARAMETER_HINT},
        [PROVIDER] = {.name = "provider", .max = LP_PROVIDER_NAME_MAX},
        [CHOOSE] = {.name = "choose", .max = 8},
        [KEEP] = {.name = "keep", .max = 8},
        [SEARCH] = {.name = "q", .max = LP_SEARCH_MAX}};
    const lp_request_t *request = &visit->request;
    const char         *wrong = "return";

    memcpy(asked->sent, list, sizeof(list));
    if (request->query.len < QUERY_MAX) {
        wrong = lp_parameters_read(asked->sent, PARAMETERS, request->query,
                                   memory);
    }
    if (wrong != NULL && strcmp(wrong, "return") != 0) {
        lp_visit_problem(visit, LP_PROBLEM_BAD_FORM, 0, lp_span(""));
        return -1;
    }
    if (wrong != NULL
        || lp_return_check(asked->back, lp_sites(visit->sso->providers),
                           asked->sent[BACK].value) != 0) {
        lp_visit_problem(visit, LP_PROBLEM_BAD_RETURN, 0, lp_span(""));
        return -1;
    }
    return 0;
}

static int
is_form(const lp_visit_t *visit)
{
    return lp_span_equal(visit->request.method, lp_span("POST"));
}

/* Who has signed in already. 1 after answering. */
static int
renew(lp_visit_t *visit, const asked_t *asked)
{
    switch (lp_session_renew(visit, NULL)) {
    case LP_SESSION_RENEWED:
        if (goes_in_a_circle(visit, asked)) {
            turn_away(visit, asked, NULL, LP_PROBLEM_NO_COOKIES);
        } else if (is_form(visit)) {
            lp_answer_repeat(&visit->request, lp_span_of(asked->back));
        } else {
            lp_answer_redirect(&visit->request, lp_span_of(asked->back));
        }
        return 1;
    case LP_SESSION_FAILED:
        turn_away(visit, asked, NULL, lp_problem_of(LP_UNAVAILABLE));
        return 1;
    default:
        return 0;
    }
}

/* The cookie: "<times>.<since>.<mark>". Nothing is lost where somebody writes
   their own. 0: it is of another time or address. */
static unsigned long
read_circle(lp_span_t cookie, const char *mark, long long now,
            long long *since)
{
    char          text[64], *p;
    unsigned long times;

    if (cookie.len == 0 || cookie.len >= sizeof(text)) {
        return 0;
    }
    memcpy(text, cookie.data, cookie.len);
    text[cookie.len] = '\0';
    times = strtoul(text, &p, 10);
    if (*p != '.') {
        return 0;
    }
    *since = strtoll(p + 1, &p, 10);
    return *p == '.' && strcmp(p + 1, mark) == 0 && *since <= now
                   && *since >= now - CIRCLE_LIFE && times <= CIRCLE_MAX
               ? times : 0;
}

static int
goes_in_a_circle(lp_visit_t *visit, const asked_t *asked)
{
    lp_set_cookie_t cookie = {.name = CIRCLE_COOKIE, .same_site = "Lax",
                              .secure = lp_sso_is_secure(visit->sso)};
    char            text[64], mark[LP_SECRET_HASH_LEN + 1] = "";
    long long       now = (long long) lp_service_now(), since = now;
    unsigned long   times;

    (void) lp_secret_hash(mark, "return", lp_span_of(asked->back));
    mark[CIRCLE_MARK] = '\0';
    times = read_circle(lp_request_cookie(&visit->request, CIRCLE_COOKIE,
                                          cookie.secure),
                        mark, now, &since);
    if (times == CIRCLE_MAX) {
        cookie.value = lp_span("");
        lp_answer_cookie(&visit->request, &cookie);
        return 1;
    }
    snprintf(text, sizeof(text), "%lu.%lld.%s", times + 1,
             times == 0 ? now : since, mark);
    cookie.value = lp_span_of(text);
    cookie.max_age = CIRCLE_LIFE;
    lp_answer_cookie(&visit->request, &cookie);
    return 0;
}

/* The provider. */

/* The one that serves a school; n: how many do. */
static const lp_provider_t *
that_serves(const lp_sites_t *sites, lp_span_t school, unsigned *n)
{
    const lp_provider_t *found = NULL;
    unsigned             i;

    *n = 0;
    for (i = 0; school.len > 0 && i < sites->n; i++) {
        if (lp_provider_serves(&sites->list[i], school)) {
            found = &sites->list[i];
            ++*n;
        }
    }
    return *n == 1 ? found : NULL;
}

static void
go_on(lp_visit_t *visit, const asked_t *asked)
{
    const lp_parameter_t *sent = asked->sent;
    const lp_provider_t  *provider;
    lp_choice_t           choice;
    unsigned              serving;

    if (lp_sites(visit->sso->providers)->n == 0) {
        lp_visit_problem(visit, LP_PROBLEM_OFF, 0, lp_span(""));
        return;
    }
    provider = find_provider(visit, asked);
    if (provider != NULL) {
        begin(visit, asked, provider);
    } else if (sent[PROVIDER].value.len > 0) {
        turn_away(visit, asked, NULL, LP_PROBLEM_UNKNOWN_PROVIDER);
    } else if (lp_span_equal(sent[CHOOSE].value, lp_span("none"))) {
        turn_away(visit, asked, NULL, LP_PROBLEM_UNKNOWN_SCHOOL);
    } else if (!tell_program(visit)) {
        memset(&choice, 0, sizeof(choice));
        choice.back = lp_span_of(asked->back);
        choice.search = sent[SEARCH].value;
        that_serves(lp_sites(visit->sso->providers), sent[SCHOOL].value,
                    &serving);
        if (serving > 1) {
            choice.school = sent[SCHOOL].value;
        }
        lp_choice_page(visit, &choice);
    }
}

/* A program can read neither the choice nor a provider's page. 1 after
   answering. */
static int
tell_program(lp_visit_t *visit)
{
    if (!lp_page_wants_json(visit->request.accept)) {
        return 0;
    }
    lp_visit_problem(visit, lp_problem_of(LP_LOGIN), 0, lp_span(""));
    return 1;
}

static const lp_provider_t *
that_knows_portal(const lp_sites_t *sites, lp_span_t portal)
{
    unsigned i, j;

    for (i = 0; portal.len > 0 && i < sites->n; i++) {
        for (j = 0; j < sites->list[i].n_portals; j++) {
            if (lp_span_equal(sites->list[i].portals[j], portal)) {
                return &sites->list[i];
            }
        }
    }
    return NULL;
}

/* NULL: the person is asked, or told that there is no such provider. */
static const lp_provider_t *
find_provider(lp_visit_t *visit, const asked_t *asked)
{
    const lp_sites_t     *sites = lp_sites(visit->sso->providers);
    const lp_parameter_t *sent = asked->sent;
    const lp_provider_t  *found;
    unsigned              serving;

    if (sent[PROVIDER].value.len > 0) {
        return lp_provider_by_name(sites, sent[PROVIDER].value);
    }
    if (sent[CHOOSE].value.len > 0) {
        return NULL;
    }
    found = that_serves(sites, sent[SCHOOL].value, &serving);
    if (serving > 0) {
        return found;
    }
    found = that_knows_portal(sites, sent[PORTAL].value);
    if (found == NULL) {
        found = lp_last_provider(visit, sites);
    }
    return found == NULL && sites->n == 1 ? &sites->list[0] : found;
}

/* The way to it. */

static void
begin(lp_visit_t *visit, const asked_t *asked, const lp_provider_t *provider)
{
    lp_sso_t *sso = visit->sso;
    lp_span_t endpoint;

    endpoint = lp_exchange_endpoint(sso, provider,
                                    provider->authorization_endpoint,
                                    "authorization_endpoint");
    /* a browser is sent there: it has to be what both read alike */
    if (!lp_conf_is_endpoint(endpoint)) {
        /* leerpoort-keys is told, in case it waits for its next round */
        lp_key_files_ask(sso->keys, provider->issuer);
        turn_away(visit, asked, provider, LP_PROBLEM_PROVIDER_DOWN);
        return;
    }
    if (!tell_program(visit)) {
        ask_provider(visit, asked, provider, endpoint);
    }
}

/* RFC 7636 section 4.2. */
static void
add_challenge(lp_text_t *text, const char *verifier)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char          challenge[LP_RANDOM_LEN];

    SHA256((const unsigned char *) verifier, LP_RANDOM_LEN, hash);
    lp_base64url_encode(challenge, hash, sizeof(hash));
    lp_parameter_add(text, "code_challenge",
                     (lp_span_t) {challenge, sizeof(challenge)});
    lp_parameter_add(text, "code_challenge_method", lp_span("S256"));
}

static void
write_request(lp_text_t *text, const lp_sites_t *sites,
              const lp_provider_t *provider, lp_span_t endpoint,
              const lp_sign_in_t *sign_in, const char *state)
{
    char     path[LP_CALLBACK_MAX];
    unsigned i;

    lp_parameters_to(text, endpoint);
    lp_text_add(text, lp_span("response_type=code"));
    lp_parameter_add(text, "client_id", provider->client_id);
    lp_text_add(text, lp_span("&redirect_uri="));
    lp_text_query(text, sites->public_url);
    lp_text_query(text, lp_exchange_callback(path, provider));
    lp_parameter_add(text, "scope", provider->scope);
    lp_parameter_add(text, "state", lp_span_of(state));
    lp_parameter_add(text, "nonce", lp_span_of(sign_in->nonce));
    add_challenge(text, sign_in->verifier);
    for (i = 0; i < provider->n_parameters; i++) {
        lp_text_add(text, lp_span("&"));
        lp_text_query(text, provider->parameters[i][0]);
        lp_text_add(text, lp_span("="));
        lp_text_query(text, provider->parameters[i][1]);
    }
}

static void
ask_provider(lp_visit_t *visit, const asked_t *asked,
             const lp_provider_t *provider, lp_span_t endpoint)
{
    const lp_sites_t *sites = lp_sites(visit->sso->providers);
    lp_sign_in_t      sign_in;
    lp_text_t         text;
    char              bytes[LOCATION_MAX], state[LP_RANDOM_LEN + 1];

    memset(&sign_in, 0, sizeof(sign_in));
    memcpy(sign_in.provider, provider->name.data, provider->name.len);
    memcpy(sign_in.back, asked->back, sizeof(sign_in.back));
    sign_in.keep[0] = asked->sent[KEEP].value.len > 0 ? '1' : '\0';
    switch (lp_sign_in_store(visit, &sign_in, state)) {
    case LP_BEGUN_OK:
        break;
    case LP_BEGUN_TOO_MANY:
        turn_away(visit, asked, provider, LP_PROBLEM_BUSY);
        return;
    default:
        turn_away(visit, asked, provider, lp_problem_of(LP_UNAVAILABLE));
        return;
    }
    text = lp_text_in(bytes, sizeof(bytes));
    write_request(&text, sites, provider, endpoint, &sign_in, state);
    if (text.full) {
        lp_say("the request to the provider %.*s is longer than %d bytes: "
               "its parameters", (int) provider->name.len,
               provider->name.data, LOCATION_MAX);
        turn_away(visit, asked, provider, LP_PROBLEM_OFF);
        return;
    }
    lp_answer_redirect(&visit->request, lp_text_span(&text));
}

/* A page, from which one comes back to here with the same way back. Where a
   form need only be sent again, the browser's own button does it: a link, and
   the page by itself, would lead to an empty one. */
static void
turn_away(lp_visit_t *visit, const asked_t *asked,
          const lp_provider_t *provider, lp_problem_t problem)
{
    char      again[AGAIN_MAX];
    lp_text_t text = lp_text_in(again, sizeof(again));

    if (is_form(visit) && lp_problem_passes(problem)) {
        lp_visit_problem(visit, problem, 0, lp_span(""));
        return;
    }
    lp_text_add(&text, lp_span("/sso/login?return="));
    lp_text_query(&text, lp_span_of(asked->back));
    if (provider != NULL) {
        lp_parameter_add(&text, "provider", provider->name);
    } else if (problem == LP_PROBLEM_UNKNOWN_PROVIDER
               || problem == LP_PROBLEM_UNKNOWN_SCHOOL) {
        lp_text_add(&text, lp_span("&choose=1"));
    }
    lp_visit_problem(visit, problem, 0, lp_text_span(&text));
}
