/*
 * Pages as answers: headers, cookies, and the language of whoever asks. What a
 * page looks like is core/page.c's; the edge writes the same ones.
 *
 * A support code is made here, when the page is: it holds all that it stands
 * for, so that nothing needs to be kept. nginx writes it into its log.
 */

#include "page_answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "../core/cookie.h"

#define HTML_TYPE     "text/html; charset=utf-8"
#define JSON_TYPE     "application/json"
#define FRAME_MAX     (8 * 1024) /* bytes of a page around its body */
#define HREF_MAX      4096
#define COOKIE_MAX    8192 /* bytes: a session token is the longest */
#define COOKIE_NAME   64
#define LANGUAGE_LIFE "31536000" /* seconds: a year */
#define HOST_PREFIX   "__Host-"

static const lp_house_t *house_of(const lp_page_look_t *look);
static int is_framed(const lp_page_look_t *look);
static const lp_houses_t *built_in(void);
static lp_span_t own_switch(const lp_request_t *request,
                            const lp_page_look_t *look, lp_text_t *href,
                            lp_language_t language);
static lp_span_t problem_switch(const lp_page_look_t *look,
                                const lp_problem_page_t *page,
                                lp_text_t *href);
static void send_page(lp_request_t *request, int http,
                      const lp_page_look_t *look, lp_span_t html);
static void send_headers(lp_request_t *request, int http, const char *type);
static void keep_language(lp_request_t *request);
static lp_language_t other_language(lp_language_t language);
static void add_retry(lp_request_t *request, lp_problem_t problem,
                      lp_span_t again);
static lp_span_t make_code(lp_request_t *request, lp_problem_t problem,
                           unsigned reason, char *dst);
static void send_problem(lp_request_t *request, int http,
                         const lp_page_look_t *look, lp_problem_t problem,
                         lp_span_t again, lp_span_t code);
static void send_elsewhere(lp_request_t *request, int http,
                           lp_span_t location, lp_span_t referrer);
static unsigned some_random(void);

lp_language_t
lp_request_language(const lp_request_t *request)
{
    lp_span_t asked = {NULL, 0};
    char      value[8];

    if (lp_request_query(request, "lang", value, sizeof(value)) == 0) {
        asked = lp_span_of(value);
    }

    return lp_language_choose(
        asked,
        lp_cookie_find(request->cookie, lp_span(LP_LANGUAGE_COOKIE)),
        request->language);
}

void
lp_answer_page(lp_request_t *request, int http, const lp_page_look_t *look,
               lp_span_t title, lp_span_t body)
{
    lp_page_t page;
    lp_text_t html, href;
    char      other[HREF_MAX];
    size_t    size = FRAME_MAX + 6 * title.len + body.len;
    char     *bytes = malloc(size);

    if (bytes == NULL) {
        lp_answer_unavailable(request);
        return;
    }

    html = lp_text_in(bytes, size);
    href = lp_text_in(other, sizeof(other));
    page.language = lp_request_language(request);
    page.house = house_of(look);
    page.title = title;
    page.body = body;
    page.other = own_switch(request, look, &href,
                            other_language(page.language));
    page.code = (lp_span_t) {NULL, 0};
    page.framed = is_framed(look);

    lp_page_write(&html, &page);
    if (html.full) {
        lp_answer_unavailable(request);
    } else {
        send_page(request, http, look, lp_text_span(&html));
    }
    free(bytes);
}

void
lp_answer_problem(lp_request_t *request, const lp_page_look_t *look,
                  lp_problem_t problem, unsigned reason, lp_span_t again)
{
    lp_span_t code;
    char      text[LP_SUPPORT_CODE_LEN];

    code = make_code(request, problem, reason, text);
    add_retry(request, problem, again);
    if (lp_problem_status(problem) == 401) {
        lp_answer_header(request, "WWW-Authenticate", lp_span("Bearer"));
    }

    send_problem(request, (int) lp_problem_status(problem), look, problem,
                 again, code);
}

void
lp_answer_method(lp_request_t *request, const lp_page_look_t *look,
                 const char *methods)
{
    lp_problem_t problem = lp_problem_of(LP_BAD_REQUEST);
    lp_span_t    none = {NULL, 0}, code;
    char         text[LP_SUPPORT_CODE_LEN];

    code = make_code(request, problem, 0, text);
    lp_answer_header(request, "Allow", lp_span_of(methods));
    send_problem(request, 405, look, problem, none, code);
}

/* Writes a code to dst and into the answer's headers. */
static lp_span_t
make_code(lp_request_t *request, lp_problem_t problem, unsigned reason,
          char *dst)
{
    lp_support_code_t code;
    lp_span_t         text = {dst, LP_SUPPORT_CODE_LEN};

    code.problem = problem;
    code.reason = reason;
    code.at = lp_service_now();
    code.salt = some_random();
    lp_support_code_write(dst, &code);

    lp_answer_header(request, "Leerpoort-Code", text);
    lp_answer_header(request, "Leerpoort-Outcome",
                     lp_span_of(lp_problem_name(problem)));

    return text;
}

void
lp_answer_problem_again(lp_request_t *request, const lp_page_look_t *look,
                        const lp_support_code_t *code, lp_span_t again)
{
    char text[LP_SUPPORT_CODE_LEN];

    lp_support_code_write(text, code);
    lp_answer_header(request, "Leerpoort-Outcome",
                     lp_span_of(lp_problem_name(code->problem)));
    add_retry(request, code->problem, again);
    send_problem(request, (int) lp_problem_status(code->problem), look,
                 code->problem, again, (lp_span_t) {text, sizeof(text)});
}

/* Where trying again may help; the page's own link says the same. */
static void
add_retry(lp_request_t *request, lp_problem_t problem, lp_span_t again)
{
    lp_text_t text;
    char      value[HREF_MAX];
    unsigned  seconds = lp_page_retry(some_random());

    if (!lp_problem_passes(problem)) {
        return;
    }

    text = lp_text_in(value, sizeof(value));
    lp_text_number(&text, seconds);
    lp_answer_header(request, "Retry-After", lp_text_span(&text));

    if (again.len == 0 || lp_page_wants_json(request->accept)) {
        return;
    }
    lp_text_add(&text, lp_span("; url="));
    lp_text_add(&text, again);
    if (!text.full) {
        lp_answer_header(request, "Refresh", lp_text_span(&text));
    }
}

static void
send_problem(lp_request_t *request, int http, const lp_page_look_t *look,
             lp_problem_t problem, lp_span_t again, lp_span_t code)
{
    lp_problem_page_t page;
    lp_text_t         html, href;
    char              bytes[LP_PAGE_MAX], other[HREF_MAX];

    html = lp_text_in(bytes, sizeof(bytes));

    if (lp_page_wants_json(request->accept)) {
        lp_page_json(&html, problem);
        lp_answer_header(request, "Referrer-Policy", lp_span("no-referrer"));
        send_headers(request, http, JSON_TYPE);
        lp_answer_write(request, lp_text_span(&html));
        return;
    }

    memset(&page, 0, sizeof(page));
    page.problem = problem;
    page.language = lp_request_language(request);
    page.house = house_of(look);
    page.again = again;
    page.code = code;
    page.codes = look == NULL || look->houses == NULL
                     ? lp_span("") : lp_houses_codes(look->houses);
    page.framed = is_framed(look);

    href = lp_text_in(other, sizeof(other));
    page.other = problem_switch(look, &page, &href);

    lp_page_problem(&html, &page);
    if (html.full) { /* an `again` of kilobytes */
        html = lp_text_in(bytes, sizeof(bytes));
        href = lp_text_in(other, sizeof(other));
        page.again.len = 0;
        page.other = problem_switch(look, &page, &href);
        lp_page_problem(&html, &page);
    }
    send_page(request, http, look, lp_text_span(&html));
}

static void
send_page(lp_request_t *request, int http, const lp_page_look_t *look,
          lp_span_t html)
{
    char      policy[2048];
    lp_text_t csp = lp_text_in(policy, sizeof(policy));
    lp_span_t none = {NULL, 0};

    lp_page_csp(&csp, house_of(look), look == NULL ? none : look->forms,
                look == NULL ? none : look->frames);
    if (csp.full) { /* more origins than fit: then nobody's */
        csp = lp_text_in(policy, sizeof(policy));
        lp_page_csp(&csp, house_of(look), none, none);
    }

    lp_answer_header(request, "Content-Security-Policy", lp_text_span(&csp));
    keep_language(request);
    lp_answer_header(request, "Referrer-Policy",
                     look != NULL && look->posts ? lp_span("same-origin")
                                                 : lp_span("no-referrer"));
    send_headers(request, http, HTML_TYPE);
    lp_answer_write(request, html);
}

/* Like lp_answer_begin(), for people: no version of an API. */
static void
send_headers(lp_request_t *request, int http, const char *type)
{
    char status[16];

    snprintf(status, sizeof(status), "%d", http);
    lp_answer_header(request, "Status", lp_span_of(status));
    lp_answer_header(request, "Content-Type", lp_span_of(type));
    lp_answer_header(request, "Cache-Control", lp_span("no-store"));
    lp_answer_header(request, "X-Content-Type-Options", lp_span("nosniff"));
    request->answered = 1;
    lp_answer_write(request, lp_span("\r\n"));
}

/* A choice made by the switch; no secret, so that it needs no __Host-. */
static void
keep_language(lp_request_t *request)
{
    lp_text_t cookie;
    char      value[8], text[128];
    int       language;

    if (lp_request_query(request, "lang", value, sizeof(value)) != 0) {
        return;
    }
    language = lp_language_find(lp_span_of(value));
    if (language == -1) {
        return;
    }

    cookie = lp_text_in(text, sizeof(text));
    lp_text_add(&cookie, lp_span(LP_LANGUAGE_COOKIE "="));
    lp_text_add(&cookie,
                lp_span_of(lp_language_tag((lp_language_t) language)));
    lp_text_add(&cookie, lp_span("; Path=/; Max-Age=" LANGUAGE_LIFE
                                 "; SameSite=Lax; HttpOnly"));
    lp_text_add(&cookie, request->https ? lp_span("; Secure") : lp_span(""));
    lp_answer_header(request, "Set-Cookie", lp_text_span(&cookie));
}

/* A form that was sent has no URL at which its answer stands. */
static lp_span_t
own_switch(const lp_request_t *request, const lp_page_look_t *look,
           lp_text_t *href, lp_language_t language)
{
    if (lp_span_equal(request->method, lp_span("GET"))
        || lp_span_equal(request->method, lp_span("HEAD"))) {
        lp_page_switch(href, request->query, language);
    } else if (look != NULL && look->other.len > 0) {
        lp_text_add(href, look->other);
        lp_text_add(href, lp_span("lang="));
        lp_text_add(href, lp_span_of(lp_language_tag(language)));
    }

    return href->full ? (lp_span_t) {NULL, 0} : lp_text_span(href);
}

static lp_span_t
problem_switch(const lp_page_look_t *look, const lp_problem_page_t *page,
               lp_text_t *href)
{
    lp_text_add(href, lp_span("/problem?code="));
    lp_text_add(href, page->code);
    if (look != NULL && look->platform.len > 0) {
        lp_text_add(href, lp_span("&in="));
        lp_text_query(href, look->platform);
    }
    if (page->again.len > 0) {
        lp_text_add(href, lp_span("&again="));
        lp_text_query(href, page->again);
    }
    lp_text_add(href, lp_span("&lang="));
    lp_text_add(href, lp_span_of(lp_language_tag(
                          other_language(page->language))));

    return href->full ? (lp_span_t) {NULL, 0} : lp_text_span(href);
}

static lp_language_t
other_language(lp_language_t language)
{
    return language == LP_DUTCH ? LP_ENGLISH : LP_DUTCH;
}

static const lp_house_t *
house_of(const lp_page_look_t *look)
{
    const lp_houses_t *houses = look == NULL ? NULL : look->houses;
    lp_span_t          nowhere = {NULL, 0};

    return lp_house_of(houses == NULL ? built_in() : houses,
                       look == NULL ? nowhere : look->school);
}

/* It may be: a window that a frame opened has nobody's. */
static int
is_framed(const lp_page_look_t *look)
{
    return look != NULL && look->frames.len > 0;
}

/* Made once, at the first page without a configuration. */
static const lp_houses_t *
built_in(void)
{
    static lp_houses_t *houses;
    char                reason[LP_HOUSE_REASON_MAX];

    if (houses == NULL) {
        houses = lp_houses_read((lp_span_t) {NULL, 0}, reason);
        if (houses == NULL) {
            abort(); /* a process without 70 kB of memory is of no use */
        }
    }

    return houses;
}

static unsigned
some_random(void)
{
    unsigned random = 0;

    while (getrandom(&random, sizeof(random), 0) == -1 && errno == EINTR) {
    }

    return random;
}

int
lp_answer_cookie(lp_request_t *request, const lp_set_cookie_t *cookie)
{
    lp_text_t text;
    char      bytes[COOKIE_MAX];

    text = lp_text_in(bytes, sizeof(bytes));
    if (cookie->secure) {
        lp_text_add(&text, lp_span(HOST_PREFIX));
    }
    lp_text_add(&text, lp_span_of(cookie->name));
    lp_text_add(&text, lp_span("="));
    lp_text_add(&text, cookie->value);
    lp_text_add(&text, lp_span("; Path=/; HttpOnly; SameSite="));
    lp_text_add(&text, lp_span_of(cookie->same_site));

    if (cookie->max_age >= 0) {
        lp_text_add(&text, lp_span("; Max-Age="));
        lp_text_number(&text, cookie->max_age);
    }
    if (cookie->secure) {
        lp_text_add(&text, lp_span("; Secure"));
    }
    if (cookie->partitioned) {
        lp_text_add(&text, lp_span("; Partitioned"));
    }

    if (text.full || memchr(cookie->value.data == NULL
                                ? "" : cookie->value.data,
                            ';', cookie->value.len) != NULL) {
        return -1;
    }

    return lp_answer_header(request, "Set-Cookie", lp_text_span(&text));
}

lp_span_t
lp_request_cookie(const lp_request_t *request, const char *name, int secure)
{
    lp_text_t full;
    char      bytes[COOKIE_NAME];

    full = lp_text_in(bytes, sizeof(bytes));
    if (secure) {
        lp_text_add(&full, lp_span(HOST_PREFIX));
    }
    lp_text_add(&full, lp_span_of(name));

    if (full.full) {
        return (lp_span_t) {NULL, 0};
    }

    return lp_cookie_find(request->cookie, lp_text_span(&full));
}

void
lp_answer_redirect(lp_request_t *request, lp_span_t location)
{
    send_elsewhere(request, 303, location, lp_span("no-referrer"));
}

void
lp_answer_repeat(lp_request_t *request, lp_span_t location)
{
    send_elsewhere(request, 307, location, lp_span("same-origin"));
}

static void
send_elsewhere(lp_request_t *request, int http, lp_span_t location,
               lp_span_t referrer)
{
    if (lp_answer_header(request, "Location", location) != 0) {
        lp_answer_unavailable(request);
        return;
    }
    lp_answer_header(request, "Referrer-Policy", referrer);
    send_headers(request, http, "text/plain");
}
