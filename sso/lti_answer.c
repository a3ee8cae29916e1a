/*
 * The click goes back to the edge by X-Accel-Redirect, so that a launch needs
 * no cookie and no second way into the books: rights, activation and usage are
 * those of any click. A launch never begins a session: whoever could make a
 * browser open a launch of his own would have signed it in as himself.
 */

#include "lti_answer.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <strings.h>

#include "../core/json.h"
#include "../core/text.h"
#include "../workers/say.h"
#include "session.h"
#include "visits.h"

#define CLICK_URI "/lti/click"
#define BODY_MAX  4096
#define SHOW      "page" /* in the query: the page itself, not its window */

static int add_click_headers(lp_visit_t *visit, const lp_platform_t *platform,
                             lp_span_t click, lp_span_t token);
static void send_window(lp_visit_t *visit, const lp_platform_t *platform,
                        lp_span_t school, lp_once_t kind, lp_span_t secret);

static lp_page_look_t
look_of(const lp_visit_t *visit, const lp_platform_t *platform,
        lp_span_t school)
{
    lp_page_look_t look;

    memset(&look, 0, sizeof(look));
    look.houses = visit->sso->houses;
    look.school = school;
    if (platform != NULL) {
        look.frames = platform->frames;
        look.platform = platform->name;
    }
    return look;
}

void
lp_lti_problem(lp_visit_t *visit, const lp_platform_t *platform,
               lp_span_t school, lp_problem_t problem, unsigned reason)
{
    lp_page_look_t look = look_of(visit, platform, school);

    lp_answer_problem(&visit->request, &look, problem, reason,
                      (lp_span_t) {NULL, 0});
}

void
lp_lti_unavailable(lp_visit_t *visit, const lp_platform_t *platform)
{
    lp_lti_problem(visit, platform, (lp_span_t) {NULL, 0},
                   lp_problem_of(LP_UNAVAILABLE), 0);
}

/* One line a second: anybody can send what is refused. Each page has a support
   code that says the same. */
void
lp_lti_say(const lp_platform_t *platform, const char *name, const char *why)
{
    static int64_t  said_at = -1000;
    static unsigned unsaid;
    int64_t         now = lp_visit_clock();
    char            others[64] = "";
    lp_span_t       whose = lp_span("an unknown platform");

    if (now - said_at < 1000) {
        unsaid++;
        return;
    }
    if (unsaid > 0) {
        snprintf(others, sizeof(others), " (and %u others before it)", unsaid);
    }
    if (platform != NULL) {
        whose = platform->name;
    }
    lp_say("a launch from %.*s was refused: %s: %s%s", (int) whose.len,
           whose.data, name, why, others);
    said_at = now;
    unsaid = 0;
}

void
lp_lti_malformed(lp_visit_t *visit, const lp_platform_t *platform,
                 const char *parameter)
{
    lp_lti_say(platform, parameter,
               "it is missing, there twice, too long or badly encoded");
    lp_lti_problem(visit, platform, (lp_span_t) {NULL, 0},
                   LP_PROBLEM_LAUNCH_WRONG, 0);
}

/* nginx makes a GET of it; the answer's body goes nowhere. */
void
lp_lti_click(lp_visit_t *visit, const lp_platform_t *platform,
             const lp_who_t *who, lp_span_t click)
{
    char    token[LP_TOKEN_MAX + 1];
    size_t  len;
    int64_t at;

    if (lp_session_issue_at(visit->sso, who, &at) != LP_STORE_OK) {
        lp_lti_unavailable(visit, platform);
        return;
    }
    len = lp_session_token(visit->sso, who, LP_LAUNCH_TOKEN_LIFE, at, token);
    if (len == 0
        || add_click_headers(visit, platform, click,
                             (lp_span_t) {token, len}) != 0) {
        lp_lti_unavailable(visit, platform);
    } else {
        lp_answer_begin(&visit->request, 200, "text/plain");
    }
    OPENSSL_cleanse(token, sizeof(token));
}

/* With their names: what the edge takes from here. Empty ones are left out. */
static int
add_click_headers(lp_visit_t *visit, const lp_platform_t *platform,
                  lp_span_t click, lp_span_t token)
{
    lp_language_t language = lp_request_language(&visit->request);
    lp_span_t     none = {NULL, 0};
    struct {
        const char *name;
        lp_span_t   value;
    } headers[] = {
        {"Leerpoort-Click", click},
        {"Leerpoort-Session", token},
        {"Leerpoort-Frames", platform != NULL ? platform->frames : none},
        {"Leerpoort-Platform", platform != NULL ? platform->name : none},
        {"Leerpoort-Language", lp_span_of(lp_language_tag(language))},
        {"X-Accel-Redirect", lp_span(CLICK_URI)},
    };
    size_t i;
    int    rc = 0;

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]) && rc == 0; i++) {
        if (headers[i].value.len > 0) {
            rc = lp_answer_header(&visit->request, headers[i].name,
                                  headers[i].value);
        }
    }
    return rc;
}

void
lp_lti_window(lp_visit_t *visit, const lp_platform_t *platform,
              lp_span_t school, lp_once_t kind, const json_t *document)
{
    char secret[LP_RANDOM_LEN + 1];

    if (document == NULL
        || lp_once_put(visit->sso, kind, document, secret) != LP_STORE_OK) {
        lp_lti_unavailable(visit, platform);
        return;
    }
    send_window(visit, platform, school, kind,
                (lp_span_t) {secret, LP_RANDOM_LEN});
}

int
lp_lti_window_again(lp_visit_t *visit, lp_once_t kind)
{
    const lp_platform_t *platform;
    json_t              *document;
    char                 text[8];
    int                  found;

    if (!lp_span_equal(visit->request.method, lp_span("GET"))
        || lp_request_query(&visit->request, SHOW, text, sizeof(text)) != 0) {
        return 0;
    }
    found = lp_once_get(visit->sso, kind, lp_lti_secret(visit), 0, &document);
    platform = lp_platform_by_name(
        lp_platform_list(visit->sso->platforms),
        lp_json_member(document, "platform"));
    if (found < 0) {
        lp_lti_unavailable(visit, NULL);
    } else if (found == 0 || platform == NULL) {
        lp_lti_problem(visit, platform, lp_span(""), LP_PROBLEM_LAUNCH_OLD, 0);
    } else {
        send_window(visit, platform, lp_json_member(document, "house"), kind,
                    lp_lti_secret(visit));
    }
    json_decref(document);
    return 1;
}

static void
send_window(lp_visit_t *visit, const lp_platform_t *platform,
            lp_span_t school, lp_once_t kind, lp_span_t secret)
{
    static const struct {
        const char *path, *title[LP_LANGUAGES], *text[LP_LANGUAGES];
        const char *button[LP_LANGUAGES];
    } pages[] = {
        [LP_ONCE_OPEN] = {
            "/lti/open/",
            {"Open je boek", "Open your book"},
            {"Dit boek opent in een nieuw venster.",
             "This book opens in a new window."},
            {"Open het boek", "Open the book"}},
        [LP_ONCE_LINK] = {
            "/lti/link/",
            {"Koppel eerst je account", "Link your account first"},
            {"Dit is de eerste keer dat je vanuit deze omgeving een boek "
             "opent. Log \303\251\303\251n keer in bij je school. Daarna "
             "openen je boeken hier meteen.",
             "This is the first time that you open a book from here. Sign in "
             "at your school once; from then on your books open here at "
             "once."},
            {"Account koppelen", "Link my account"}},
    };
    lp_language_t  language = lp_request_language(&visit->request);
    lp_page_look_t look = look_of(visit, platform, school);
    lp_text_t      body, other;
    char           bytes[BODY_MAX], href[128];

    other = lp_text_in(href, sizeof(href));
    lp_text_add(&other, lp_span_of(pages[kind].path));
    lp_text_add(&other, secret);
    lp_text_add(&other, lp_span("?" SHOW "=1&"));
    look.other = lp_text_span(&other);
    body = lp_text_in(bytes, sizeof(bytes));
    lp_text_add(&body, lp_span("<p>"));
    lp_text_html(&body, lp_span_of(pages[kind].text[language]));
    lp_text_add(&body, lp_span("</p>\n<p><a class=\"button\" target=\"_blank\""
                               " rel=\"noopener\" href=\""));
    lp_text_add(&body, lp_span_of(pages[kind].path));
    lp_text_html(&body, secret);
    lp_text_add(&body, lp_span("\">"));
    lp_text_html(&body, lp_span_of(pages[kind].button[language]));
    lp_text_add(&body, lp_span("<span class=\"aside\"> "));
    lp_text_html(&body, lp_span_of(language == LP_DUTCH
                                       ? "(opent een nieuw venster)"
                                       : "(opens a new window)"));
    lp_text_add(&body, lp_span("</span></a></p>\n"));
    lp_answer_page(&visit->request, 200, &look,
                   lp_span_of(pages[kind].title[language]),
                   lp_text_span(&body));
}

/* In a frame the browser's language is a guess, and what the platform says of
   its page is none. */
void
lp_lti_use_locale(lp_visit_t *visit, lp_span_t locale)
{
    static const lp_span_t tags[LP_LANGUAGES] = {lp_span("nl"), lp_span("en")};
    unsigned               i;

    for (i = 0; i < LP_LANGUAGES; i++) {
        if (locale.len >= tags[i].len
            && strncasecmp(locale.data, tags[i].data, tags[i].len) == 0
            && (locale.len == tags[i].len
                || strchr("-_", locale.data[tags[i].len]) != NULL)) {
            visit->request.language = tags[i];
        }
    }
}

lp_span_t
lp_lti_secret(const lp_visit_t *visit)
{
    lp_span_t path = visit->request.path;
    size_t    i = path.len;

    while (i > 0 && path.data[i - 1] != '/') {
        i--;
    }
    return (lp_span_t) {path.data + i, path.len - i};
}
