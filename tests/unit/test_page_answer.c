/*
 * Protects the pages of the workers: their headers, their cookies, and that
 * nothing of a request gets into either. What nginx would be sent is read from
 * memory.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcgiapp.h>

#include "../../workers/page_answer.h"

#define SENT_MAX 65536

static unsigned char sent[SENT_MAX];
static FCGX_Stream   stream;
static FCGX_Request  connection;
static lp_request_t  request;
static const lp_span_t none = {NULL, 0};

/* A request like this; nothing has been sent. */
static void
begin(const char *method, const char *query)
{
    memset(sent, 0, sizeof(sent));
    memset(&stream, 0, sizeof(stream));
    memset(&connection, 0, sizeof(connection));
    memset(&request, 0, sizeof(request));
    stream.wrNext = sent;
    stream.stop = sent + sizeof(sent) - 1;
    connection.out = &stream;
    request.connection = &connection;
    request.method = lp_span_of(method);
    request.query = lp_span_of(query);
}

static const char *
said(void)
{
    return (const char *) sent;
}

/* The value of a header, up to the line's end; NULL: it was not sent. */
static const char *
header(const char *name)
{
    static char value[SENT_MAX];
    const char *line = said(), *end = strstr(said(), "\r\n\r\n");
    size_t      len = strlen(name);

    assert_non_null(end);
    for (; line < end; line = strstr(line, "\r\n") + 2) {
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            snprintf(value, sizeof(value), "%.*s",
                     (int) (strstr(line, "\r\n") - line - len - 2),
                     line + len + 2);
            return value;
        }
    }

    return NULL;
}

static const char *
body(void)
{
    return strstr(said(), "\r\n\r\n") + 4;
}

static void
assert_header(const char *name, const char *expected)
{
    const char *value = header(name);

    if (value == NULL) {
        fail_msg("no %s", name);
    }
    assert_string_equal(value, expected);
}

static void
test_page_has_the_headers_of_pages(void **state)
{
    (void) state;
    begin("GET", "a=1&lang=nl&b=%22");
    lp_answer_page(&request, 200, NULL, lp_span("A & B"), lp_span("<p>x</p>"));
    assert_header("Status", "200");
    assert_header("Content-Type", "text/html; charset=utf-8");
    assert_header("Cache-Control", "no-store");
    assert_header("X-Content-Type-Options", "nosniff");
    assert_header("Referrer-Policy", "no-referrer");
    assert_non_null(strstr(header("Content-Security-Policy"),
                           "; frame-ancestors 'none'"));
    assert_header("Set-Cookie", "leerpoort_lang=nl; Path=/; "
                                "Max-Age=31536000; SameSite=Lax; HttpOnly");
    assert_null(header("Leerpoort-Code"));
    assert_null(header("API-Version"));
    assert_non_null(strstr(body(), "<h1>A &amp; B</h1>\n<p>x</p>"));
    assert_non_null(strstr(body(), "href=\"?a=1&amp;b=%22&amp;lang=en\""));
    assert_true(request.answered);
}

static void
test_answer_to_a_form_has_no_switch(void **state)
{
    (void) state;
    begin("POST", "lang=en");
    lp_answer_page(&request, 200, NULL, lp_span("T"), lp_span(""));
    assert_null(strstr(body(), "hreflang"));
}

static void
test_page_s_frames_and_forms_are_those_of_its_look(void **state)
{
    lp_page_look_t look;

    (void) state;
    memset(&look, 0, sizeof(look));
    look.frames = lp_span("https://lms.example");
    look.forms = lp_span("https://lms.example https://idp.example");
    begin("GET", "");
    lp_answer_page(&request, 200, &look, lp_span("T"), lp_span(""));
    assert_non_null(strstr(header("Content-Security-Policy"),
                           "form-action 'self' https://lms.example "
                           "https://idp.example; frame-ancestors "
                           "https://lms.example"));
}

/* Longer than every buffer of ours: the page, and what may frame it. */
static void
test_long_page_is_sent_whole(void **state)
{
    static char    text[40000];
    lp_page_look_t look;

    (void) state;
    memset(text, 'x', sizeof(text));
    memset(&look, 0, sizeof(look));
    look.frames = (lp_span_t) {text, 30000};
    begin("GET", "");
    lp_answer_page(&request, 200, &look, lp_span("T"),
                   (lp_span_t) {text, sizeof(text)});
    assert_header("Status", "200");
    assert_non_null(strstr(body(), "xxx</main>\n"));
    assert_true(strlen(body()) > sizeof(text));
    assert_null(strstr(header("Content-Security-Policy"), "xxx"));
}

static void
test_problem_has_a_code_that_says_what(void **state)
{
    lp_support_code_t code;
    const char       *text;

    (void) state;
    begin("GET", "lang=en");
    lp_answer_problem(&request, NULL, LP_PROBLEM_UNKNOWN_SCHOOL, 7, none);
    assert_header("Status", "403");
    assert_header("Leerpoort-Outcome", "unknown-school");
    assert_null(header("Retry-After"));
    assert_null(header("Refresh"));
    text = header("Leerpoort-Code");
    assert_int_equal(lp_support_code_read(&code, lp_span_of(text)), 0);
    assert_int_equal(code.problem, LP_PROBLEM_UNKNOWN_SCHOOL);
    assert_int_equal(code.reason, 7);
    assert_non_null(strstr(body(), text));
    assert_non_null(strstr(body(), "href=\"/problem?code="));
    assert_non_null(strstr(body(), "&amp;lang=nl\""));
}

static void
test_problem_that_passes_is_tried_again(void **state)
{
    char refresh[64];
    int  seconds, i;

    (void) state;
    for (i = 0; i < 50; i++) {
        begin("GET", "");
        lp_answer_problem(&request, NULL, LP_PROBLEM_BUSY, 0,
                          lp_span("/sso/login?a=b&c"));
        assert_header("Status", "503");
        seconds = (int) strtol(header("Retry-After"), NULL, 10);
        assert_in_range(seconds, 5, 20);
        snprintf(refresh, sizeof(refresh), "%d; url=/sso/login?a=b&c",
                 seconds);
        assert_header("Refresh", refresh);
    }
    assert_non_null(strstr(body(), "href=\"/sso/login?a=b&amp;c\""));
    begin("GET", "");
    lp_answer_problem(&request, NULL, LP_PROBLEM_BUSY, 0, none);
    assert_non_null(header("Retry-After"));
    assert_null(header("Refresh"));
}

/* A way back of kilobytes of quotes would make the page too long. */
static void
test_long_way_back_leaves_the_page(void **state)
{
    char again[6000];

    (void) state;
    memset(again, '"', sizeof(again));
    again[0] = '/';
    begin("GET", "");
    lp_answer_problem(&request, NULL, LP_PROBLEM_PROVIDER_DOWN, 0,
                      (lp_span_t) {again, sizeof(again)});
    assert_header("Status", "503");
    assert_null(header("Refresh"));
    assert_non_null(strstr(body(), "</html>"));
    assert_true(strlen(body()) < LP_PAGE_MAX);
}

static void
test_no_line_end_gets_into_a_header(void **state)
{
    (void) state;
    begin("GET", "lang=en%0d%0aX:1");
    lp_answer_problem(&request, NULL, LP_PROBLEM_BUSY, 0,
                      lp_span("/a\r\nSet-Cookie: x=1"));
    assert_null(header("Set-Cookie"));
    assert_null(header("Refresh"));
}

static void
test_expired_session_names_its_scheme(void **state)
{
    (void) state;
    begin("GET", "");
    lp_answer_problem(&request, NULL, LP_PROBLEM_SESSION_EXPIRED, 0, none);
    assert_header("Status", "401");
    assert_header("WWW-Authenticate", "Bearer");
}

static void
test_programs_get_json(void **state)
{
    (void) state;
    begin("GET", "");
    request.accept = lp_span("application/json");
    lp_answer_problem(&request, NULL, LP_PROBLEM_UNKNOWN_SCHOOL, 0, none);
    assert_header("Status", "403");
    assert_header("Content-Type", "application/json");
    assert_non_null(header("Leerpoort-Code"));
    assert_null(header("Content-Security-Policy"));
    assert_memory_equal(body(), "{\"status\":23,\"statusMessage\":\"unknown",
                        37);
}

static void
test_language_of_a_request(void **state)
{
    (void) state;
    begin("GET", "");
    assert_int_equal(lp_request_language(&request), LP_DUTCH);
    request.language = lp_span("en-GB,nl;q=0.1");
    assert_int_equal(lp_request_language(&request), LP_ENGLISH);
    request.cookie = lp_span("x=1; leerpoort_lang=nl");
    assert_int_equal(lp_request_language(&request), LP_DUTCH);
    request.query = lp_span("return=x&lang=en");
    assert_int_equal(lp_request_language(&request), LP_ENGLISH);
    request.query = lp_span("lang=enormous-language");
    assert_int_equal(lp_request_language(&request), LP_DUTCH);
}

static void
assert_cookie(const lp_set_cookie_t *cookie, const char *expected)
{
    begin("GET", "");
    assert_int_equal(lp_answer_cookie(&request, cookie), 0);
    lp_answer_redirect(&request, lp_span("/"));
    assert_header("Set-Cookie", expected);
}

static void
test_cookies_as_they_are_set(void **state)
{
    lp_set_cookie_t cookie = {"leerpoort", lp_span("a.b.c"), -1, "Lax", 1, 0};

    (void) state;
    assert_cookie(&cookie, "__Host-leerpoort=a.b.c; Path=/; HttpOnly; "
                           "SameSite=Lax; Secure");
    cookie.max_age = 60;
    cookie.secure = 0;
    assert_cookie(&cookie, "leerpoort=a.b.c; Path=/; HttpOnly; SameSite=Lax; "
                           "Max-Age=60");
    cookie.value = none;
    cookie.max_age = 0;
    cookie.secure = 1;
    cookie.same_site = "None";
    cookie.partitioned = 1;
    assert_cookie(&cookie, "__Host-leerpoort=; Path=/; HttpOnly; "
                           "SameSite=None; Max-Age=0; Secure; Partitioned");
}

static void
test_cookie_s_value_adds_no_attribute(void **state)
{
    static char     text[9000];
    lp_set_cookie_t cookie = {"leerpoort", lp_span("a; Domain=x"), -1, "Lax",
                              1, 0};

    (void) state;
    begin("GET", "");
    assert_int_equal(lp_answer_cookie(&request, &cookie), -1);
    cookie.value = lp_span("a\r\nX: y");
    assert_int_equal(lp_answer_cookie(&request, &cookie), -1);
    memset(text, 'x', sizeof(text));
    cookie.value = (lp_span_t) {text, sizeof(text)};
    assert_int_equal(lp_answer_cookie(&request, &cookie), -1);
    assert_string_equal(said(), "");
}

static void
test_cookies_are_read_by_the_same_rule(void **state)
{
    lp_span_t value;

    (void) state;
    begin("GET", "");
    request.cookie = lp_span("leerpoort=plain; __Host-leerpoort=host");
    value = lp_request_cookie(&request, "leerpoort", 1);
    assert_int_equal(value.len, 4);
    assert_memory_equal(value.data, "host", 4);
    value = lp_request_cookie(&request, "leerpoort", 0);
    assert_memory_equal(value.data, "plain", 5);
    assert_null(lp_request_cookie(&request, "leerpoort-browser", 1).data);
    request.cookie = lp_span("leerpoort=plain");
    assert_null(lp_request_cookie(&request, "leerpoort", 1).data);
}

static void
test_redirect_is_a_303(void **state)
{
    (void) state;
    begin("POST", "");
    lp_answer_redirect(&request, lp_span("/go/book"));
    assert_header("Status", "303");
    assert_header("Location", "/go/book");
    assert_header("Cache-Control", "no-store");
    assert_string_equal(body(), "");
    begin("GET", "");
    lp_answer_redirect(&request, lp_span("/go\r\nX: y"));
    assert_header("Status", "503");
    assert_null(header("Location"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_has_the_headers_of_pages),
        cmocka_unit_test(test_answer_to_a_form_has_no_switch),
        cmocka_unit_test(test_page_s_frames_and_forms_are_those_of_its_look),
        cmocka_unit_test(test_long_page_is_sent_whole),
        cmocka_unit_test(test_problem_has_a_code_that_says_what),
        cmocka_unit_test(test_problem_that_passes_is_tried_again),
        cmocka_unit_test(test_long_way_back_leaves_the_page),
        cmocka_unit_test(test_no_line_end_gets_into_a_header),
        cmocka_unit_test(test_expired_session_names_its_scheme),
        cmocka_unit_test(test_programs_get_json),
        cmocka_unit_test(test_language_of_a_request),
        cmocka_unit_test(test_cookies_as_they_are_set),
        cmocka_unit_test(test_cookie_s_value_adds_no_attribute),
        cmocka_unit_test(test_cookies_are_read_by_the_same_rule),
        cmocka_unit_test(test_redirect_is_a_303),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
