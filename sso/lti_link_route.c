/*
 * /lti/link/<once>: a window of the person's own, where an account of a
 * platform is linked to one of the school.
 *
 * GET asks, by a page that shows both; where nobody is signed in, after a
 * sign-in that leads back here. POST links and goes to the book. Somebody who
 * is led here by a stranger's link would hand that stranger the own books;
 * therefore the page shows the name by which the platform knows the other
 * account, nothing is linked without the button, no other site may frame the
 * page, and no other site's form reaches it with our cookies (SameSite=Lax).
 * And where somebody else forgot to sign out, the page says since when somebody
 * is signed in: names of people at the school are not known here.
 */

#include <stdio.h>

#include "../core/day.h"
#include "../core/json.h"
#include "../core/text.h"
#include "lead_on.h"
#include "lti_answer.h"
#include "lti_claims.h"
#include "lti_link.h"
#include "parameters.h"
#include "session.h"
#include "session_store.h"

#define BODY_MAX     8192
#define LOCATION_MAX 512
#define LOGIN        "/sso/login?return="

typedef struct {
    lp_visit_t          *visit;
    const lp_platform_t *platform;
    lp_span_t            subject, person, click;
    lp_who_id_t          school; /* of the launch; type "": not known */
    lp_who_t             who;    /* who is signed in */
} linking_t;

static int read_document(linking_t *linking, const json_t *document);
static void go_on(linking_t *linking);
static void sign_in(const linking_t *linking);
static void show_other_school(linking_t *linking);
static void ask(linking_t *linking);
static void add_session(lp_text_t *body, const linking_t *linking);
static void link_account(linking_t *linking);
static int is_foreign(const lp_visit_t *visit);
static void go_to_book(linking_t *linking);

static void
show_old(lp_visit_t *visit)
{
    lp_lti_problem(visit, NULL, (lp_span_t) {NULL, 0}, LP_PROBLEM_LINK_OLD,
                   0);
}

void
lp_visit_lti_link(lp_visit_t *visit)
{
    linking_t linking;
    json_t   *document;
    int       found;

    if (lp_lti_window_again(visit, LP_ONCE_LINK)) {
        return;
    }
    found = lp_once_get(visit->sso, LP_ONCE_LINK, lp_lti_secret(visit), 0,
                        &document);
    memset(&linking, 0, sizeof(linking));
    linking.visit = visit;
    if (found < 0) {
        lp_lti_unavailable(visit, NULL);
    } else if (found == 0 || read_document(&linking, document) != 0) {
        show_old(visit);
    } else {
        go_on(&linking);
    }
    lp_who_wipe(&linking.who);
    json_decref(document);
}

/* A platform that is gone links nobody. */
static int
read_document(linking_t *linking, const json_t *document)
{
    lp_span_t type = lp_json_member(document, "schoolType");
    lp_span_t school = lp_json_member(document, "school");

    linking->platform =
        lp_platform_by_name(lp_platform_list(linking->visit->sso->platforms),
                            lp_json_member(document, "platform"));
    linking->subject = lp_json_member(document, "subject");
    linking->person = lp_json_member(document, "person");
    linking->click = lp_json_member(document, "click");
    lp_lti_use_locale(linking->visit, lp_json_member(document, "locale"));
    if (linking->platform == NULL || !linking->platform->link
        || linking->subject.len == 0 || linking->click.len == 0
        || type.len > LP_ID_TYPE_MAX || school.len > LP_USER_ID_MAX) {
        return -1;
    }
    if (type.len > 0) {
        memcpy(linking->school.type, type.data, type.len);
        memcpy(linking->school.id, school.data, school.len);
    }
    return 0;
}

static void
go_on(linking_t *linking)
{
    lp_visit_t *visit = linking->visit;

    switch (lp_session_renew(visit, &linking->who)) {
    case LP_SESSION_NONE:
        sign_in(linking);
        return;
    case LP_SESSION_FAILED:
        lp_lti_unavailable(visit, NULL);
        return;
    default:
        break;
    }
    if (!lp_link_fits(visit->sso, &linking->who, &linking->school)) {
        show_other_school(linking);
    } else if (lp_span_equal(visit->request.method, lp_span("POST"))) {
        link_account(linking);
    } else {
        ask(linking);
    }
}

/* A form that is sent when the session has ended is told so; the page asks
   anew after the sign-in, for it may be another person's. */
static void
sign_in(const linking_t *linking)
{
    lp_visit_t *visit = linking->visit;
    lp_text_t   text;
    char        bytes[LOCATION_MAX];

    text = lp_text_in(bytes, sizeof(bytes));
    lp_text_add(&text, lp_span(LOGIN));
    lp_text_query(&text, lp_span("/lti/link/"));
    lp_text_query(&text, lp_lti_secret(visit));
    if (strcmp(linking->school.type, "MASTER") == 0) {
        lp_parameter_add(&text, "school", lp_span_of(linking->school.id));
    }
    if (lp_span_equal(visit->request.method, lp_span("POST"))) {
        lp_visit_problem(visit, LP_PROBLEM_SESSION_EXPIRED, 0,
                         lp_text_span(&text));
    } else {
        lp_answer_redirect(&visit->request, lp_text_span(&text));
    }
}

/* The pages. */

static lp_page_look_t
look_of(const linking_t *linking)
{
    lp_page_look_t look;

    memset(&look, 0, sizeof(look));
    look.houses = linking->visit->sso->houses;
    if (strcmp(linking->school.type, "MASTER") == 0) {
        look.school = lp_span_of(linking->school.id);
    }
    return look;
}

static lp_span_t
title_of(const linking_t *linking)
{
    return linking->platform
        ->title[lp_request_language(&linking->visit->request)];
}

/* In the language of whoever asks. */
static const char *
in_language(const linking_t *linking, const char *dutch, const char *english)
{
    return lp_request_language(&linking->visit->request) == LP_DUTCH ? dutch
                                                                     : english;
}

static void
add(lp_text_t *body, const linking_t *linking, const char *dutch,
    const char *english)
{
    lp_text_add(body, lp_span_of(in_language(linking, dutch, english)));
}

static void
show_other_school(linking_t *linking)
{
    lp_page_look_t look = look_of(linking);
    lp_text_t      body;
    char           bytes[BODY_MAX];

    body = lp_text_in(bytes, sizeof(bytes));
    lp_text_add(&body, lp_span("<p>"));
    add(&body, linking,
        "Je bent ingelogd met een account van een andere school dan die van ",
        "You are signed in with an account of another school than that of ");
    lp_text_html(&body, title_of(linking));
    add(&body, linking,
        ". Log uit, en begin in je leeromgeving opnieuw met een account "
        "van die school.</p>\n<p><a class=\"button\" href=\"/sso/logout\">"
        "Uitloggen</a></p>\n",
        ". Sign out, and begin again in your learning platform with an "
        "account of that school.</p>\n<p><a class=\"button\" "
        "href=\"/sso/logout\">Sign out</a></p>\n");
    lp_answer_page(&linking->visit->request, 403, &look,
                   lp_span_of(in_language(linking,
                                          "Een andere school",
                                          "Another school")),
                   lp_text_span(&body));
}

/* Leerpoort knows no names of its own people; the platform's is shown to the
   person whom it belongs to, and kept nowhere. */
static void
ask(linking_t *linking)
{
    lp_page_look_t look = look_of(linking);
    lp_text_t      body;
    char           bytes[BODY_MAX];

    look.posts = 1;
    body = lp_text_in(bytes, sizeof(bytes));
    lp_text_add(&body, lp_span("<p>"));
    add(&body, linking, "Wil je het account",
        "Do you want to link the account");
    if (linking->person.len > 0) {
        lp_text_add(&body, lp_span(" <strong>"));
        lp_text_html(&body, linking->person);
        lp_text_add(&body, lp_span("</strong>"));
    }
    add(&body, linking, " bij <strong>", " at <strong>");
    lp_text_html(&body, title_of(linking));
    add(&body, linking,
        "</strong> koppelen aan het account waarmee je nu bij je school bent "
        "ingelogd?</p>\n",
        "</strong> to the account with which you are signed in at your "
        "school?</p>\n");
    add_session(&body, linking);
    add(&body, linking,
        "<p>Doe dit alleen als beide accounts van jou zijn: wie dat account "
        "gebruikt, opent jouw boeken.</p>\n",
        "<p>Do so only if both accounts are yours: whoever uses that account "
        "opens your books.</p>\n");
    lp_text_add(&body, lp_span("<form method=\"post\">\n<p>"
                               "<button type=\"submit\">"));
    add(&body, linking, "Ja, koppelen", "Yes, link them");
    lp_text_add(&body, lp_span("</button></p>\n</form>\n"
                               "<p><a href=\"/sso/logout\">"));
    add(&body, linking, "Dit ben ik niet: uitloggen",
        "This is not me: sign out");
    lp_text_add(&body, lp_span("</a></p>\n"));
    if (body.full) {
        lp_lti_unavailable(linking->visit, NULL);
        return;
    }
    lp_answer_page(&linking->visit->request, 200, &look,
                   lp_span_of(in_language(linking, "Account koppelen",
                                          "Link your account")),
                   lp_text_span(&body));
}

/* 0; -1: Redis does not answer, or it has just ended. */
static int
look_at_session(lp_session_t *session, const lp_visit_t *visit)
{
    lp_store_t       *store = visit->sso->store;
    lp_session_hash_t hash;
    lp_span_t         sealed;
    int               rc = -1;

    if (lp_session_of_browser(&hash, visit) != 0) {
        return -1;
    }
    lp_session_ask(store, &hash);
    if (lp_store_run(store) == LP_STORE_OK) {
        rc = lp_session_read(session, &sealed, store, &hash, 0);
    }
    lp_store_unwatch(store);
    return rc;
}

/* "vandaag om 08:12", as clocks in Amsterdam have it. */
static void
add_time(lp_text_t *body, const linking_t *linking, int64_t at)
{
    int64_t  local = at + lp_day_ahead(at);
    uint32_t day = lp_day_amsterdam(at, NULL);
    char     text[16];

    if (day == lp_day_amsterdam(lp_service_now(), NULL)) {
        add(body, linking, "vandaag", "today");
    } else {
        add(body, linking, "op ", "on ");
        lp_page_date(body, day,
                     lp_request_language(&linking->visit->request));
    }
    snprintf(text, sizeof(text), "%02d:%02d", (int) (local % 86400 / 3600),
             (int) (local % 3600 / 60));
    add(body, linking, " om ", " at ");
    lp_text_add(body, lp_span_of(text));
}

/* When somebody signed in here, and by which page: on a computer that others
   use too it may have been another one, whose name is not known here. */
static void
add_session(lp_text_t *body, const linking_t *linking)
{
    lp_language_t        language;
    const lp_provider_t *provider;
    lp_session_t         session;

    if (look_at_session(&session, linking->visit) != 0) {
        return;
    }
    lp_text_add(body, lp_span("<p>"));
    add(body, linking, "Op dit apparaat is ", "Somebody signed in on this "
                                              "device ");
    add_time(body, linking, session.at);
    language = lp_request_language(&linking->visit->request);
    provider = lp_provider_by_name(lp_sites(linking->visit->sso->providers),
                                   lp_span_of(session.provider));
    if (provider != NULL) {
        lp_text_add(body, lp_span(" via "));
        lp_text_html(body, provider->title[language]);
    }
    add(body, linking,
        " ingelogd. Was jij dat niet? Log dan uit, en klik daarna in je "
        "leeromgeving opnieuw op je boek.</p>\n",
        ". Was that not you? Then sign out, and click on your book in your "
        "learning platform again.</p>\n");
}

/* Linking. */

static void
link_account(linking_t *linking)
{
    lp_visit_t *visit = linking->visit;
    lp_owner_t  owner;
    json_t     *taken;
    int         found;

    if (is_foreign(visit)) {
        lp_lti_problem(visit, NULL, (lp_span_t) {NULL, 0},
                       LP_PROBLEM_BAD_FORM, 0);
        return;
    }
    found = lp_once_get(visit->sso, LP_ONCE_LINK, lp_lti_secret(visit), 1,
                        &taken);
    json_decref(taken);
    if (found == 0) {
        show_old(visit); /* the button was pressed twice */
        return;
    }
    if (found < 0
        || lp_owner_of(&owner, visit->sso, &linking->who) != LP_STORE_OK
        || lp_link_store(visit->sso, linking->platform, linking->subject,
                         &linking->who, &owner) != LP_STORE_OK) {
        lp_lti_unavailable(visit, NULL);
        return;
    }
    go_to_book(linking);
}

/* Ours says same-origin, so that "null" is none of ours: a page of another host
   below the same domain can have it written, and SameSite lets our cookies go
   along with its form. */
static int
is_foreign(const lp_visit_t *visit)
{
    lp_span_t origin = visit->request.origin;

    return origin.len > 0
           && !lp_span_equal(origin,
                             lp_sites(visit->sso->providers)->public_url);
}

/* A click like any other, by the session of this window. */
static void
go_to_book(linking_t *linking)
{
    static const lp_lead_t leads[LP_LANGUAGES] = {
        {"Je account is gekoppeld", "We sturen je door naar je boek.",
         "Open je boek", NULL},
        {"Your account is linked", "We are taking you to your book.",
         "Open your book", NULL}};
    const lp_sites_t *sites = lp_sites(linking->visit->sso->providers);
    lp_text_t         text;
    char              bytes[LP_LTI_CLICK_MAX + 512];

    text = lp_text_in(bytes, sizeof(bytes));
    lp_text_add(&text, sites->click_prefix);
    lp_text_add(&text, linking->click);
    if (text.full) {
        lp_lti_unavailable(linking->visit, NULL);
        return;
    }
    lp_lead_on(linking->visit, look_of(linking).school,
               &leads[lp_request_language(&linking->visit->request)],
               lp_text_span(&text));
}
