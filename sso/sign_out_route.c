/*
 * GET and POST /sso/logout. GET shows a button: a page elsewhere could have an
 * image fetched, but not a form posted that holds what only this page knows.
 * That it comes from here, the form says by a hash of the session's secret; the
 * header Origin is looked at as well, but browsers write "null" there for a
 * page with our Referrer-Policy.
 *
 * Cookies are removed whatever Redis says: who leaves a school's computer must
 * not find out that Redis was away. Without it "!" is not written, and a stolen
 * token would live on to its end.
 *
 * The way to the provider is a page that leads on by itself (lead_on.h).
 */

#include <openssl/crypto.h>
#include <stdlib.h>

#include "../workers/say.h"
#include "end_session.h"
#include "lead_on.h"
#include "parameters.h"
#include "sealed_field.h"
#include "session_life.h"
#include "session_store.h"

#define FORM_MAX 512
#define BODY_MAX 16384
#define KEY_LEN  LP_SECRET_HASH_LEN

/* Both languages of what is on the pages. */
typedef struct {
    const char *ask_title;
    const char *ask;
    const char *button;
    const char *done_title;
    const char *done;
    const char *next_title;
    const char *next;
    const char *next_link;
    const char *shared;
} words_t;

static const words_t words[LP_LANGUAGES] = {
    [LP_DUTCH] = {
        "Uitloggen",
        "Je bent ingelogd. Log uit als je klaar bent, vooral op een computer "
        "die anderen ook gebruiken.",
        "Uitloggen",
        "Je bent uitgelogd",
        "Je boeken openen hier pas weer als je opnieuw inlogt.",
        "Je bent hier uitgelogd",
        "We sturen je door om ook uit te loggen waar je was ingelogd.",
        "Verder met uitloggen",
        "Staat de website van je school nog open? Sluit dan ook de browser "
        "helemaal af. Anders kan wie na jou komt nog bij je boeken."},
    [LP_ENGLISH] = {
        "Sign out",
        "You are signed in. Sign out when you are done, above all on a "
        "computer that others use too.",
        "Sign out",
        "You are signed out",
        "Your books will not open here until you sign in again.",
        "You are signed out here",
        "We are taking you to where you had signed in, to sign out there too.",
        "Continue signing out",
        "Is your school's website still open? Then close the browser as well. "
        "Otherwise whoever comes after you can still open your books."}};

/* What is known of the session that is to end. */
typedef struct {
    lp_session_hash_t hash;
    lp_session_t      session;
    int               known;
    char              hint[LP_SEAL_TEXT_MAX]; /* the id_token */
    size_t            hint_len;
} leaving_t;

static void show(lp_visit_t *visit);
static void ask(lp_visit_t *visit, lp_span_t secret);
static void say_done(lp_visit_t *visit);
static void leave(lp_visit_t *visit);
static int is_foreign(const lp_visit_t *visit);
static int read_key(lp_visit_t *visit, char *key);
static void end(lp_visit_t *visit);
static lp_store_status_t look(lp_sso_t *sso, leaving_t *leaving);
static void forget(lp_visit_t *visit);
static int lead_on(lp_visit_t *visit, const leaving_t *leaving);
static lp_span_t secret_of(const lp_visit_t *visit);
static lp_page_look_t look_of(const lp_visit_t *visit, lp_span_t school);

void
lp_visit_sign_out(lp_visit_t *visit)
{
    lp_span_t method = visit->request.method;

    if (lp_span_equal(method, lp_span("POST"))) {
        leave(visit);
    } else if (lp_span_equal(method, lp_span("GET"))
               || lp_span_equal(method, lp_span("HEAD"))) {
        show(visit);
    } else {
        lp_visit_problem(visit, LP_PROBLEM_BAD_FORM, 0, lp_span(""));
    }
}

/* GET */

/* A token that outlives its session opens books all the same. */
static void
show(lp_visit_t *visit)
{
    lp_span_t secret = secret_of(visit);
    lp_span_t token = lp_request_cookie(&visit->request, "leerpoort",
                                        lp_sso_is_secure(visit->sso));

    if (secret.len == 0 && token.len == 0) {
        say_done(visit);
    } else {
        ask(visit, secret);
    }
}

static void
ask(lp_visit_t *visit, lp_span_t secret)
{
    lp_page_look_t look_ = look_of(visit, lp_span(""));
    const words_t *word = &words[lp_request_language(&visit->request)];
    char           bytes[BODY_MAX], key[KEY_LEN];
    lp_text_t      body = lp_text_in(bytes, sizeof(bytes));

    if (lp_secret_hash(key, "logout", secret) != 0) {
        lp_visit_problem(visit, lp_problem_of(LP_UNAVAILABLE), 0,
                         lp_span("/sso/logout"));
        return;
    }
    lp_text_paragraph(&body, word->ask);
    lp_text_add(&body, lp_span("<form method=\"post\" action=\"/sso/logout\">"
                               "\n<input type=\"hidden\" name=\"key\" value=\""
                               ));
    lp_text_add(&body, (lp_span_t) {key, KEY_LEN});
    lp_text_add(&body, lp_span("\">\n<p><button type=\"submit\">"));
    lp_text_html(&body, lp_span_of(word->button));
    lp_text_add(&body, lp_span("</button></p>\n</form>\n"));
    lp_text_paragraph(&body, word->shared);
    lp_answer_page(&visit->request, 200, &look_, lp_span_of(word->ask_title),
                   lp_text_span(&body));
}

static void
say_done(lp_visit_t *visit)
{
    lp_page_look_t look_ = look_of(visit, lp_span(""));
    const words_t *word = &words[lp_request_language(&visit->request)];
    char           bytes[BODY_MAX];
    lp_text_t      body = lp_text_in(bytes, sizeof(bytes));

    lp_text_paragraph(&body, word->done);
    lp_text_paragraph(&body, word->shared);
    lp_answer_page(&visit->request, 200, &look_, lp_span_of(word->done_title),
                   lp_text_span(&body));
}

/* POST */

static void
leave(lp_visit_t *visit)
{
    lp_span_t secret = secret_of(visit);
    char      key[KEY_LEN], sent[KEY_LEN];
    int       has_key;

    if (is_foreign(visit)) {
        lp_visit_problem(visit, LP_PROBLEM_BAD_FORM, 0, lp_span(""));
        return;
    }
    has_key = read_key(visit, sent);
    if (secret.len == 0) {
        forget(visit);
        lp_answer_redirect(&visit->request, lp_span(LP_SIGNED_OUT));
        return;
    }
    if (!has_key || lp_secret_hash(key, "logout", secret) != 0
        || CRYPTO_memcmp(key, sent, KEY_LEN) != 0) {
        ask(visit, secret); /* of a session that was another's meanwhile */
        return;
    }
    end(visit);
}

static int
is_foreign(const lp_visit_t *visit)
{
    lp_span_t origin = visit->request.origin;

    return origin.len > 0 && !lp_span_equal(origin, lp_span("null"))
           && !lp_span_equal(origin,
                             lp_sites(visit->sso->providers)->public_url);
}

/* 1: a key came along, into key (KEY_LEN bytes). */
static int
read_key(lp_visit_t *visit, char *key)
{
    lp_parameter_t parameter = {"key", KEY_LEN, 1, {NULL, 0}};
    char           form[FORM_MAX], memory[FORM_MAX + 1];
    size_t         len;

    if (!lp_request_is_form(&visit->request)
        || lp_request_body(&visit->request, form, sizeof(form), &len) != 0
        || lp_parameters_read(&parameter, 1, (lp_span_t) {form, len}, memory)
               != NULL
        || parameter.value.len != KEY_LEN) {
        return 0;
    }
    memcpy(key, parameter.value.data, KEY_LEN);
    return 1;
}

static void
end(lp_visit_t *visit)
{
    lp_sso_t         *sso = visit->sso;
    leaving_t        *leaving = calloc(1, sizeof(leaving_t));
    lp_store_status_t status = LP_STORE_REFUSED;

    if (leaving != NULL
        && lp_session_of_browser(&leaving->hash, visit) == 0) {
        status = look(sso, leaving);
    }
    if (status == LP_STORE_OK) {
        status = lp_sessions_end(sso, &leaving->hash, 1, 0);
    }
    if (status != LP_STORE_OK) {
        lp_say("somebody signed out, and Redis could not be told: their last "
               "token is accepted until it ends");
    }
    forget(visit);
    if (leaving == NULL || !leaving->known || lead_on(visit, leaving) != 0) {
        lp_answer_redirect(&visit->request, lp_span(LP_SIGNED_OUT));
    }
    if (leaving != NULL) {
        OPENSSL_cleanse(leaving, sizeof(*leaving));
    }
    free(leaving);
}

static lp_store_status_t
look(lp_sso_t *sso, leaving_t *leaving)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, lp_session_key(name, &leaving->hash)}, hint;

    lp_session_ask(sso->store, &leaving->hash);
    lp_store_add(sso->store, LP_WORDS(lp_span("HGET"), key, lp_span("idt")));
    lp_store_run(sso->store);
    lp_store_unwatch(sso->store);
    if (lp_store_status(sso->store) != LP_STORE_OK) {
        return lp_store_wrong_type(sso->store) ? LP_STORE_OK
                                               : lp_store_status(sso->store);
    }
    leaving->known = lp_session_read(&leaving->session, NULL, sso->store,
                                     &leaving->hash, 0)
                     == 0;
    hint = lp_store_text(lp_store_reply(sso->store, 2));
    if (hint.len == 0
        || lp_sealed_open(sso->seal, leaving->hint, &leaving->hint_len, key,
                          "idt", hint) != 0) {
        leaving->hint_len = 0;
    }
    return LP_STORE_OK;
}

static void
forget(lp_visit_t *visit)
{
    static const char *const names[] = {"leerpoort", "leerpoort-session"};
    lp_set_cookie_t cookie = {NULL, lp_span(""), 0, "Lax",
                              lp_sso_is_secure(visit->sso), 0};
    unsigned        i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cookie.name = names[i];
        (void) lp_answer_cookie(&visit->request, &cookie);
    }
    lp_session_hide_former(visit);
}

/* To the provider. -1: it has no such address. */
static int
lead_on(lp_visit_t *visit, const leaving_t *leaving)
{
    const words_t       *word = &words[lp_request_language(&visit->request)];
    const lp_lead_t      lead = {word->next_title, word->next, word->next_link,
                                 word->shared};
    lp_sso_t            *sso = visit->sso;
    const lp_sites_t    *sites = lp_sites(sso->providers);
    const lp_provider_t *provider;
    lp_span_t            endpoint;
    char                 url[LP_LEAD_URL_MAX];
    lp_text_t            text = lp_text_in(url, sizeof(url));

    provider = lp_provider_by_name(sites,
                                   lp_span_of(leaving->session.provider));
    if (provider == NULL) {
        return -1;
    }
    endpoint = lp_end_session_endpoint(sso, provider);
    if (endpoint.len == 0) {
        return -1;
    }
    lp_end_session_url(&text, endpoint, sites, provider,
                       (lp_span_t) {leaving->hint, leaving->hint_len});
    if (text.full) {
        return -1;
    }
    lp_lead_on(visit,
               (lp_span_t) {leaving->session.owner.school,
                            leaving->session.owner.school_len},
               &lead, lp_text_span(&text));
    OPENSSL_cleanse(url, sizeof(url));
    return 0;
}

/* len 0: no session in this browser. */
static lp_span_t
secret_of(const lp_visit_t *visit)
{
    lp_span_t secret = lp_request_cookie(&visit->request, "leerpoort-session",
                                         lp_sso_is_secure(visit->sso));

    return secret.len == LP_RANDOM_LEN ? secret : lp_span("");
}

static lp_page_look_t
look_of(const lp_visit_t *visit, lp_span_t school)
{
    return (lp_page_look_t) {.houses = visit->sso->houses, .school = school};
}
