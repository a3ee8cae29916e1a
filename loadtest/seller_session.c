/*
 * The token is asked for as the relay asks other parties for theirs
 * (workers/access_token.h): by an assertion that is signed here. While a new
 * one is on its way the old one goes on being used, which is good for half a
 * minute more: no request waits for a token.
 */

#include "seller_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../workers/access_token.h"
#include "../workers/say.h"
#include "clock.h"

#define URL_ROOM   1024
#define BODY_MAX   (32 * 1024 * 1024) /* of a bulk's answer */
#define CONNECT_MS 10000
#define RUN_MS     100
#define AGAIN_MS   2000 /* after a token that was not given */
#define SCOPE      "entitlement.licensor"
#define FORM       "application/x-www-form-urlencoded"

struct lp_session_s {
    const lp_seller_options_t *options;
    lp_http_t        *http;
    lp_party_t        self; /* what access_token.c knows a client by */
    lp_access_token_t token;
    char              base[URL_ROOM];
    char              token_url[URL_ROOM];
    int               asking;
    int64_t           asked; /* monotonic ms */
    int64_t           not_before;
    char              trouble[256]; /* why there is no token */
};

static int set_urls(lp_session_t *session);
static int ask(lp_session_t *session);
static void take(void *owner, const lp_http_reply_t *reply);

lp_session_t *
lp_session_open(const lp_seller_options_t *options, long total_ms)
{
    lp_session_t     *session = calloc(1, sizeof(*session));
    lp_http_options_t http = {"leerpoort-load", options->ca, CONNECT_MS,
                              total_ms, BODY_MAX};

    if (session == NULL) {
        lp_say("out of memory");
        return NULL;
    }

    session->options = options;
    session->http = lp_http_create(&http);
    if (session->http == NULL || set_urls(session) != 0) {
        lp_say(session->http == NULL ? "out of memory"
                                     : "the API's address is too long");
        lp_session_close(session);
        return NULL;
    }

    session->self.client_id = lp_span_of(options->client_id);
    session->self.token_url = lp_span_of(session->token_url);
    session->self.key_file = options->key;
    session->self.scope = lp_span(SCOPE);

    if (ask(session) == 0) {
        while (session->asking) {
            lp_http_run(session->http, RUN_MS);
        }
    }
    if (session->token.value == NULL) {
        lp_say("no access token for this client: %s", session->trouble);
        lp_session_close(session);
        return NULL;
    }

    return session;
}

void
lp_session_close(lp_session_t *session)
{
    if (session != NULL) {
        lp_http_destroy(session->http);
        lp_access_token_drop(&session->token);
        free(session);
    }
}

int
lp_session_send(lp_session_t *session, const char *method, const char *path,
                const char *type, lp_span_t body, lp_http_done_t done,
                void *owner)
{
    lp_http_request_t request = {.method = method, .type = type,
                                 .token = session->token.value, .body = body};
    char              url[URL_ROOM + 64];

    snprintf(url, sizeof(url), "%s%s", session->base, path);
    request.url = url;

    return lp_http_start(session->http, &request, done, owner);
}

void
lp_session_run(lp_session_t *session, int wait_ms)
{
    int64_t now = lp_now_ms();

    if (!session->asking && now >= session->not_before
        && !lp_access_token_good(&session->token, now)) {
        (void) ask(session);
    }

    lp_http_run(session->http, wait_ms);
}

void
lp_session_refused(lp_session_t *session)
{
    session->token.good_until = 0;
}

unsigned
lp_session_running(const lp_session_t *session)
{
    return lp_http_running(session->http) - (session->asking ? 1 : 0);
}

/* Without the slash at the end. */
static int
set_urls(lp_session_t *session)
{
    const char *url = session->options->url;
    const char *token_url = session->options->token_url;
    size_t      len = strlen(url);
    int         n;

    while (len > 0 && url[len - 1] == '/') {
        len--;
    }

    n = snprintf(session->base, URL_ROOM, "%.*s", (int) len, url);
    if (n < 0 || n >= URL_ROOM) {
        return -1;
    }

    n = token_url != NULL
            ? snprintf(session->token_url, URL_ROOM, "%s", token_url)
            : snprintf(session->token_url, URL_ROOM, "%.*s/oauth/token",
                       (int) len, url);

    return n < 0 || n >= URL_ROOM ? -1 : 0;
}

/* An assertion serves once: a new one each time. */
static int
ask(lp_session_t *session)
{
    lp_http_request_t request = {.method = "POST", .type = FORM};
    const char       *reason;
    char             *form;
    int               rc;

    session->asked = lp_now_ms();
    session->not_before = session->asked + AGAIN_MS;
    form = lp_access_token_ask(&session->self, (int64_t) time(NULL), &reason);
    if (form == NULL) {
        snprintf(session->trouble, sizeof(session->trouble),
                 "its key can't be used");
        return -1;
    }

    request.url = session->token_url;
    request.body = lp_span_of(form);
    rc = lp_http_start(session->http, &request, take, session);
    lp_access_token_wipe(form);
    session->asking = rc == 0;
    if (rc != 0) {
        snprintf(session->trouble, sizeof(session->trouble), "out of memory");
    }

    return rc;
}

/* The old token stays where there is no new one. */
static void
take(void *owner, const lp_http_reply_t *reply)
{
    lp_session_t     *session = owner;
    lp_access_token_t token = {NULL, 0};

    session->asking = 0;

    if (reply->result != LP_HTTP_ANSWERED) {
        snprintf(session->trouble, sizeof(session->trouble),
                 "the token endpoint %s", lp_http_text(reply->result));
        return;
    }
    if (reply->status != 200
        || lp_access_token_read(&token, reply->body, session->asked) != 0) {
        snprintf(session->trouble, sizeof(session->trouble),
                 "the token endpoint answered %d%s", reply->status,
                 reply->status == 401 ? ": is the client in parties.json, and "
                                        "--token-url the tokenEndpoint there?"
                                      : "");
        return;
    }

    lp_access_token_drop(&session->token);
    session->token = token;
}
