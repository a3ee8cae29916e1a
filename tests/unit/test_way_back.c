/*
 * Protects against open redirects: the way back from a sign-in is a click, a
 * page or a link of this site, and nothing that a browser could take for
 * anything else.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../sso/sign_in.h"

#define SITE "https://toegang.example.nl"

static const lp_sites_t sites = {
    .public_url = {SITE, sizeof(SITE) - 1},
    .click_prefix = {"/go/", 4},
};

static void
assert_leads(const char *text, const char *path)
{
    char dst[LP_RETURN_MAX + 1];

    memset(dst, 'x', sizeof(dst));
    if (lp_return_check(dst, &sites, lp_span_of(text)) != 0) {
        fail_msg("refused: %s", text);
    }
    assert_string_equal(dst, path);
}

static void
assert_refused(const char *text)
{
    char dst[LP_RETURN_MAX + 1];

    if (lp_return_check(dst, &sites, lp_span_of(text)) == 0) {
        fail_msg("taken: %s", text);
    }
}


static void
test_what_is_ours_is_taken(void **state)
{
    (void) state;

    assert_leads("", "/");
    assert_leads("/", "/");
    assert_leads(SITE, "/");
    assert_leads(SITE "/", "/");
    assert_leads("/?lang=en", "/");
    assert_leads("/code", "/code");
    assert_leads("/?x=%0a", "/");
    assert_leads("/?//evil", "/");
    assert_leads(SITE "/code?x=1", "/code");
    assert_leads("/code?product=book", "/code?product=book");
    assert_leads(SITE "/code?x=\"&product=book&y", "/code?product=book");
    assert_leads("/code?product=", "/code");
    assert_leads("/code?product=a/b", "/code");
    assert_leads("/code?product=%0a", "/code");
    assert_leads("/code?product=a&product=b", "/code");
    assert_leads("/go/book", "/go/book");
    assert_leads(SITE "/go/book", "/go/book");
    assert_leads("/go/book/h1/%C3%A9%20n;x=1", "/go/book/h1/%C3%A9%20n;x=1");
    assert_leads("/go/book?product=book&x=%26", "/go/book?product=book&x=%26");
    assert_leads("/go/?product=book", "/go/?product=book");
    assert_leads("/lti/link/abc-DEF_123", "/lti/link/abc-DEF_123");
}


static void
test_what_leads_elsewhere_is_refused(void **state)
{
    static const char *const bad[] = {
        "//evil", "//evil/go/book", "///evil", "/\\evil", "\\\\evil",
        "/\\/evil", "https://evil", "https://evil/go/book",
        "http://toegang.example.nl/go/book", "https:/go/book",
        "https:toegang.example.nl/go/book", "HTTPS://toegang.example.nl/",
        "https://u:p@toegang.example.nl/go/book", "javascript:alert(1)",
        "data:text/html,x", "go/book", " /go/book", "/go/book ",
        "/go", "/go/", "/go/.", "/go/..", "/go/../x", "/go/book/../../x",
        "/go/book/%2e%2e/x", "/go/book/%2E./x", "/go/book/..;/x",
        "/go/book/%2f%2fevil/..", "/go//evil", "/go/%2fevil", "/go/book//..",
        "/go/book%0d%0aSet-Cookie:x", "/go/?x=1", "/go/?product=a&product=b",
        "/go/book\r\nX: y", "/go/book\tx", "/go/book#x", "/go/book?x#y",
        "/go/book\xc3\xa9", "/go/\"?product=book",
        "/go/book/%00", "/go/book/%0a", "/go/book/\\x", "/evil", "/code/x",
        "/codes", "/lti/link/", "/lti/link/a/b", "/lti/link/a.b",
        "/lti/link/a?b", "/lti/link/%61", "/lti/open/abc", "/sso/login",
        "/sso/logout", "/GO/book",
    };
    unsigned i;

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(bad[i]);
    }
    assert_refused(SITE ".evil/go/book");
    assert_refused(SITE "@evil/go/book");
    assert_refused(SITE ":8443/go/book");
    assert_refused(SITE "evil/");
    assert_refused(SITE "?x");
    assert_refused(SITE "#x");
    assert_refused(SITE "\\evil");
}


/* A portal's habits in the query of a link keep nobody from the book. */
static void
test_an_odd_query_is_left_out(void **state)
{
    static const char *const odd[] = {
        "x={a}", "x=a|b", "x=`", "x=a\\b", "x^y", "x=\"", "x=<b>",
        "x=%0d%0aSet-Cookie:x", "x=%00", "x=%7f", "x=%", "x=%4",
        "x=\xc3\xa9", "x=\r\nX: y",
    };
    char     text[128];
    unsigned i;

    (void) state;

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        snprintf(text, sizeof(text), "/go/book/h1?%s", odd[i]);
        assert_leads(text, "/go/book/h1");
        snprintf(text, sizeof(text), SITE "/go/?%s&product=book", odd[i]);
        assert_leads(text, "/go/?product=book");
        snprintf(text, sizeof(text), "/lti/link/abc?%s", odd[i]);
        assert_refused(text);
    }
}


static void
test_length_is_bounded(void **state)
{
    char text[2 * LP_RETURN_MAX];
    int  n;

    (void) state;

    n = snprintf(text, sizeof(text), "/go/book?x=");
    memset(text + n, 'a', sizeof(text) - (size_t) n);
    text[LP_RETURN_MAX] = '\0';
    assert_leads(text, text);
    text[LP_RETURN_MAX] = 'a';
    text[LP_RETURN_MAX + 1] = '\0';
    assert_leads(text, "/go/book");
    text[sizeof("/go/book") - 1] = '/';
    assert_refused(text);
}


/* A byte of a good way back is replaced by every other byte: what is still
   taken begins with one slash and holds nothing but visible ASCII. */
static void
test_no_byte_makes_it_lead_elsewhere(void **state)
{
    static const char good[] = "/go/book/h1?x=1";
    char              text[sizeof(good)], dst[LP_RETURN_MAX + 1];
    size_t            at, i;
    int               c;

    (void) state;

    for (at = 0; at < sizeof(good) - 1; at++) {
        for (c = 1; c < 256; c++) {
            memcpy(text, good, sizeof(good));
            text[at] = (char) c;
            if (lp_return_check(dst, &sites, lp_span_of(text)) != 0) {
                continue;
            }
            assert_int_equal(dst[0], '/');
            assert_true(dst[1] != '/' && dst[1] != '\\');
            for (i = 0; dst[i] != '\0'; i++) {
                assert_in_range(dst[i], 0x21, 0x7e);
            }
        }
    }
}


static void
test_without_a_site_only_paths_lead_back(void **state)
{
    lp_sites_t none = {.click_prefix = {"/go/", 4}};
    char       dst[LP_RETURN_MAX + 1];

    (void) state;

    assert_int_equal(lp_return_check(dst, &none, lp_span("/go/book")), 0);
    assert_int_equal(lp_return_check(dst, &none, lp_span("https://x/")), -1);
    assert_int_equal(lp_return_check(dst, &none, lp_span("//x")), -1);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_ours_is_taken),
        cmocka_unit_test(test_what_leads_elsewhere_is_refused),
        cmocka_unit_test(test_an_odd_query_is_left_out),
        cmocka_unit_test(test_length_is_bounded),
        cmocka_unit_test(test_no_byte_makes_it_lead_elsewhere),
        cmocka_unit_test(test_without_a_site_only_paths_lead_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
