/*
 * Protects pages: whatever names, ids and links are put into one, it is the
 * same page with other words, small, and closed to all but itself.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/page.h"

#define CODE "K7QM2-4XW9T"

static lp_houses_t *houses;
static char         bytes[LP_PAGE_MAX + 1];

static int
set_up(void **state)
{
    char reason[LP_HOUSE_REASON_MAX];

    (void) state;
    houses = lp_houses_read(
        lp_span("{\"default\": {\"name\": \"<Boek> & \\\"huis\\\"\","
                "\"help\": \"https://h.example/?a=1&b='\","
                "\"helpText\": \"<Help>\"}, \"codes\": \"/code?<\"}"),
        reason);

    return houses == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
    (void) state;
    lp_houses_free(houses);

    return 0;
}

static lp_problem_page_t
page_of(lp_problem_t problem, lp_language_t language)
{
    lp_problem_page_t page;

    memset(&page, 0, sizeof(page));
    page.problem = problem;
    page.language = language;
    page.house = lp_house_of(houses, lp_span(""));
    page.code = lp_span(CODE);

    return page;
}

static const char *
written(const lp_problem_page_t *page)
{
    lp_text_t html = lp_text_in(bytes, LP_PAGE_MAX);

    lp_page_problem(&html, page);
    assert_int_equal(html.full, 0);
    bytes[html.len] = '\0';

    return bytes;
}

static int
count(const char *text, const char *part)
{
    int n = 0;

    for (text = strstr(text, part); text != NULL;
         text = strstr(text + 1, part)) {
        n++;
    }

    return n;
}

static void
test_every_problem_has_a_page(void **state)
{
    lp_problem_page_t page;
    const char       *html;
    unsigned          p;
    int               l;

    (void) state;
    for (p = 0; p < LP_PROBLEMS; p++) {
        for (l = 0; lp_problem_exists(p) && l < LP_LANGUAGES; l++) {
            page = page_of((lp_problem_t) p, (lp_language_t) l);
            page.other = lp_span("?lang=en");
            html = written(&page);
            assert_memory_equal(html, "<!doctype html>\n<html lang=\"", 28);
            assert_memory_equal(html + 28, l == LP_DUTCH ? "nl" : "en", 2);
            assert_int_equal(count(html, "<h1>"), 1);
            assert_int_equal(count(html, "<main>"), 1);
            assert_int_equal(count(html, "<title>"), 1);
            assert_int_equal(count(html, CODE), 1);
            assert_int_equal(count(html, "K 7 Q M 2, 4 X W 9 T"), 1);
            assert_int_equal(count(html, "<script"), 0);
            assert_int_equal(count(html, "http-equiv"), 0);
            assert_int_equal(count(html, " style="), 0);
            assert_true(strlen(html) < LP_PAGE_MAX / 2);
        }
    }
}

static void
test_nothing_foreign_becomes_markup(void **state)
{
    lp_problem_page_t page = page_of(lp_problem_of(LP_UNAVAILABLE), LP_DUTCH);
    const char       *html;

    (void) state;
    page.book = lp_span("</strong><b>Bold & \"co\"");
    page.again = lp_span("/go/x?\"><script>");
    page.other = lp_span("?'\"><script>&lang=en");
    html = written(&page);
    assert_int_equal(count(html, "<b>"), 0);
    assert_int_equal(count(html, "<script"), 0);
    assert_int_equal(count(html, "<Boek"), 0);
    assert_int_equal(count(html, "<Help"), 0);
    assert_non_null(strstr(html, "&lt;b&gt;Bold &amp; &quot;co&quot;"));
    assert_non_null(strstr(html, "href=\"/go/x?&quot;&gt;&lt;script&gt;\""));
    assert_non_null(strstr(html, "&#39;&quot;&gt;&lt;script&gt;&amp;lang"));
    assert_non_null(strstr(html, "&lt;Boek&gt; &amp; &quot;huis&quot;"));
    assert_non_null(strstr(html, "https://h.example/?a=1&amp;b=&#39;"));
}

static void
test_a_switch_leads_to_the_other_language(void **state)
{
    lp_problem_page_t page = page_of(lp_problem_of(LP_ENDED), LP_ENGLISH);

    (void) state;
    assert_int_equal(count(written(&page), "hreflang"), 0);
    page.other = lp_span("?lang=nl");
    assert_non_null(strstr(written(&page),
                           "<a href=\"?lang=nl\" lang=\"nl\" hreflang=\"nl\">"
                           "Nederlands</a>"));
}

static void
test_the_first_day_is_said(void **state)
{
    lp_problem_page_t page = page_of(lp_problem_of(LP_NOT_YET), LP_DUTCH);

    (void) state;
    page.from = 20260901;
    assert_non_null(strstr(written(&page), "1 september 2026</strong>"));
    page.from = 20261231;
    page.language = LP_ENGLISH;
    assert_non_null(strstr(written(&page), "31 December 2026</strong>"));
    page.from = 0;
    assert_null(strstr(written(&page), "You can open it from"));
}

static void
test_codes_are_spoken_of_where_a_right_is_missing(void **state)
{
    lp_problem_page_t page = page_of(lp_problem_of(LP_NO_RIGHT), LP_DUTCH);

    (void) state;
    assert_null(strstr(written(&page), "activatiecode"));
    page.codes = lp_houses_codes(houses);
    assert_non_null(strstr(written(&page), "href=\"/code?&lt;\""));
    page.product = lp_span("book-1");
    assert_non_null(strstr(written(&page),
                           "href=\"/code?&lt;&amp;product=book-1\""));
    page.codes = lp_span("/code");
    assert_non_null(strstr(written(&page), "href=\"/code?product=book-1\""));
    page.problem = lp_problem_of(LP_BLOCKED_OUT);
    assert_null(strstr(written(&page), "/code"));
}

static void
test_what_passes_is_tried_again(void **state)
{
    lp_problem_page_t page = page_of(LP_PROBLEM_BUSY, LP_ENGLISH);

    (void) state;
    page.again = lp_span("/sso/login?x");
    assert_non_null(strstr(written(&page), "by ourselves"));
    assert_non_null(strstr(written(&page), "href=\"/sso/login?x\""));
    page.problem = LP_PROBLEM_SIGN_IN_OLD;
    assert_null(strstr(written(&page), "by ourselves"));
    assert_non_null(strstr(written(&page), "href=\"/sso/login?x\""));
}

/* Not half a page: the caller sees that it is of no use. */
static void
test_what_does_not_fit_is_noticed(void **state)
{
    static char       long_text[LP_PAGE_MAX];
    lp_problem_page_t page = page_of(lp_problem_of(LP_ENDED), LP_DUTCH);
    lp_text_t         html;

    (void) state;
    memset(long_text, '"', sizeof(long_text));
    page.book = (lp_span_t) {long_text, sizeof(long_text)};
    html = lp_text_in(bytes, LP_PAGE_MAX);
    lp_page_problem(&html, &page);
    assert_int_equal(html.full, 1);
    page.book.len = 0;
    html = lp_text_in(bytes, 2000);
    lp_page_problem(&html, &page);
    assert_int_equal(html.full, 1);
    assert_in_range(html.len, 0, 2000);
}

static void
assert_csp(const char *forms, const char *frames, const char *expected)
{
    lp_text_t   csp = lp_text_in(bytes, LP_PAGE_MAX);
    const char *end;

    lp_page_csp(&csp, lp_house_of(houses, lp_span("")), lp_span_of(forms),
                lp_span_of(frames));
    bytes[csp.len] = '\0';
    assert_memory_equal(bytes, "default-src 'none'; style-src 'sha256-", 38);
    end = strstr(bytes, "='; ");
    assert_non_null(end);
    assert_string_equal(end + 4, expected);
}

static void
test_csp_lets_nothing_in(void **state)
{
    (void) state;
    assert_csp("", "", "base-uri 'none'; form-action 'self'; "
                       "frame-ancestors 'none'");
    assert_csp("https://idp.example https://b.example", "",
               "base-uri 'none'; form-action 'self' https://idp.example "
               "https://b.example; frame-ancestors 'none'");
    assert_csp("", "https://lms.example",
               "base-uri 'none'; form-action 'self'; "
               "frame-ancestors https://lms.example");
}

static void
assert_switch(const char *query, const char *expected)
{
    lp_text_t href = lp_text_in(bytes, LP_PAGE_MAX);

    lp_page_switch(&href, lp_span_of(query), LP_ENGLISH);
    bytes[href.len] = '\0';
    assert_string_equal(bytes, expected);
}

static void
test_switch_keeps_the_rest_of_the_query(void **state)
{
    (void) state;
    assert_switch("", "?lang=en");
    assert_switch("lang=nl", "?lang=en");
    assert_switch("product=x&lang=nl&a", "?product=x&a&lang=en");
    assert_switch("lang=nl&lang=en&&=", "?=&lang=en");
    assert_switch("language=x", "?language=x&lang=en");
    assert_switch("lang", "?lang&lang=en");
    lp_page_switch(&(lp_text_t) {bytes, 0, 8, 0}, (lp_span_t) {NULL, 0},
                   LP_DUTCH);
    assert_memory_equal(bytes, "?lang=nl", 8);
}

static void
test_who_wants_json(void **state)
{
    static const char *const machines[] = {
        "application/json", "Application/JSON", "application/json;q=0.1",
        "application/json, text/plain, */*", " application/json ,*/*;q=0.8",
        "text/html;q=0.5, application/json", "text/html;q=0,application/json",
        "application/json;charset=utf-8", "application/*",
        "application/problem+json", "Application/VND.api+JSON;q=0.3",
        "application/json, */*", "application/*, */*;q=0.5",
        "text/html;q=0, */*", "application/json;q=0.5, text/*;q=0.4",
        "text/*, application/json"};
    static const char *const people[] = {
        "", "*/*", "text/html", "text/html,application/json",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/json;q=0", "application/json;q=0.000",
        "application/json;q=0.4,text/html;q=0.5", "application/jsonp",
        "application/json/x", ",;,;=", "json", "+json", "text/json",
        "application/xhtml+xml, application/json",
        "*/*;q=0.1,application/json;q=0.05", "*/*, application/json;q=0.9",
        "text/html, application/*",
        "*/*, application/json;q=0", "application/*, application/json;q=0"};
    size_t i;

    (void) state;
    for (i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
        if (!lp_page_wants_json(lp_span_of(machines[i]))) {
            fail_msg("%s", machines[i]);
        }
    }
    for (i = 0; i < sizeof(people) / sizeof(people[0]); i++) {
        if (lp_page_wants_json(lp_span_of(people[i]))) {
            fail_msg("%s", people[i]);
        }
    }
    assert_false(lp_page_wants_json((lp_span_t) {NULL, 0}));
}

static void
test_retries_are_spread(void **state)
{
    unsigned seen[32] = {0}, i;

    (void) state;
    for (i = 0; i < 1600; i++) {
        assert_in_range(lp_page_retry(i), 5, 20);
        seen[lp_page_retry(i)]++;
    }
    for (i = 5; i <= 20; i++) {
        assert_int_equal(seen[i], 100);
    }
    assert_in_range(lp_page_retry(~0u), 5, 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_problem_has_a_page),
        cmocka_unit_test(test_nothing_foreign_becomes_markup),
        cmocka_unit_test(test_a_switch_leads_to_the_other_language),
        cmocka_unit_test(test_the_first_day_is_said),
        cmocka_unit_test(test_codes_are_spoken_of_where_a_right_is_missing),
        cmocka_unit_test(test_what_passes_is_tried_again),
        cmocka_unit_test(test_what_does_not_fit_is_noticed),
        cmocka_unit_test(test_csp_lets_nothing_in),
        cmocka_unit_test(test_switch_keeps_the_rest_of_the_query),
        cmocka_unit_test(test_who_wants_json),
        cmocka_unit_test(test_retries_are_spread),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
