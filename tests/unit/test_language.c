/*
 * Protects the choice of a language: what was asked for, else what was chosen
 * before, else what the browser prefers, else Dutch.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/cookie.h"
#include "../../core/language.h"

typedef struct {
    const char   *accept;
    lp_language_t language;
} wish_t;

static const wish_t wishes[] = {
    {"", LP_DUTCH},
    {"nl", LP_DUTCH},
    {"en", LP_ENGLISH},
    {"EN-gb", LP_ENGLISH},
    {"en-GB,en;q=0.9", LP_ENGLISH},
    {"nl-NL,nl;q=0.9,en-US;q=0.8,en;q=0.7", LP_DUTCH},
    {"en-US,en;q=0.8,nl;q=0.6", LP_ENGLISH},
    {"en;q=0.5, nl;q=0.6", LP_DUTCH},
    {"en;q=0.599, nl;q=0.6", LP_DUTCH},
    {"nl;q=0.1 , en ; q=0.2", LP_ENGLISH},
    {"en, nl", LP_ENGLISH}, /* alike: the first */
    {"nl, en", LP_DUTCH},
    {"tr, ar;q=0.9", LP_DUTCH}, /* neither */
    {"tr, en;q=0.1", LP_ENGLISH},
    {"*", LP_DUTCH},
    {"en;q=0.5, *;q=0.8", LP_DUTCH}, /* "*" is all that is not named */
    {"*;q=0.1, en;q=0.5", LP_ENGLISH},
    {"nl;q=0, *", LP_ENGLISH},
    {"nl;q=0", LP_DUTCH}, /* something has to be shown */
    {"en;q=0", LP_DUTCH},
    {"en;q=0, nl;q=0", LP_DUTCH},
    {"en;q=1.000", LP_ENGLISH},
    {"en;q=1.001, nl;q=0.1", LP_DUTCH}, /* not a weight: not a range */
    {"en;q=2, nl;q=0.1", LP_DUTCH},
    {"en;q=x, nl;q=0.1", LP_DUTCH},
    {"en;q=0.1234, nl;q=0.1", LP_DUTCH},
    {"en;q, nl;q=0.1", LP_DUTCH},
    {"en;level=1", LP_DUTCH},
    {"eng", LP_DUTCH},
    {"e", LP_DUTCH},
    {"english", LP_DUTCH},
    {",,;,;;,en", LP_ENGLISH},
    {";q=1", LP_DUTCH},
    {"en\t;\tq=0.3,\tnl\t;q=0.2", LP_ENGLISH},
    {"\xff\xfe, en", LP_ENGLISH},
};

static void
test_browser_s_wish(void **state)
{
    lp_span_t none = {NULL, 0};
    size_t    i;

    (void) state;
    for (i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
        if (lp_language_choose(none, none, lp_span_of(wishes[i].accept))
            != wishes[i].language) {
            fail_msg("%s", wishes[i].accept);
        }
    }
}

static void
test_a_choice_goes_before_the_browser(void **state)
{
    lp_span_t nl = lp_span("nl"), en = lp_span("en"), none = {NULL, 0};
    lp_span_t odd = lp_span("EN"), de = lp_span("de");

    (void) state;
    assert_int_equal(lp_language_choose(none, none, none), LP_DUTCH);
    assert_int_equal(lp_language_choose(en, nl, nl), LP_ENGLISH);
    assert_int_equal(lp_language_choose(nl, en, en), LP_DUTCH);
    assert_int_equal(lp_language_choose(none, en, nl), LP_ENGLISH);
    assert_int_equal(lp_language_choose(de, en, nl), LP_ENGLISH);
    assert_int_equal(lp_language_choose(odd, odd, nl), LP_DUTCH);
    assert_int_equal(lp_language_choose(de, de, en), LP_ENGLISH);
}

static void
test_tags(void **state)
{
    (void) state;
    assert_string_equal(lp_language_tag(LP_DUTCH), "nl");
    assert_string_equal(lp_language_tag(LP_ENGLISH), "en");
    assert_int_equal(lp_language_find(lp_span("nl")), LP_DUTCH);
    assert_int_equal(lp_language_find(lp_span("en")), LP_ENGLISH);
    assert_int_equal(lp_language_find(lp_span("nl-NL")), -1);
    assert_int_equal(lp_language_find((lp_span_t) {NULL, 0}), -1);
}

static void
assert_cookie(const char *header, const char *expected)
{
    lp_span_t found = lp_cookie_find(lp_span_of(header),
                                     lp_span(LP_LANGUAGE_COOKIE));

    if (expected == NULL) {
        assert_null(found.data);
        return;
    }
    assert_non_null(found.data);
    assert_int_equal(found.len, strlen(expected));
    assert_memory_equal(found.data, expected, found.len);
}

static void
test_cookie_is_found_by_its_whole_name(void **state)
{
    (void) state;
    assert_cookie("leerpoort_lang=en", "en");
    assert_cookie("a=b; leerpoort_lang=en; c=d", "en");
    assert_cookie("a=b;\tleerpoort_lang=en=x;c=d", "en=x");
    assert_cookie("leerpoort_lang=; leerpoort_lang=en", "");
    assert_cookie("leerpoort_lang=nl; leerpoort_lang=en", "nl");
    assert_cookie("xleerpoort_lang=en", NULL);
    assert_cookie("leerpoort_langs=en", NULL);
    assert_cookie("Leerpoort_lang=en", NULL);
    assert_cookie("leerpoort_lang", NULL);
    assert_cookie("a=leerpoort_lang=en", NULL);
    assert_cookie("; ;;", NULL);
    assert_cookie("", NULL);
    assert_null(lp_cookie_find((lp_span_t) {NULL, 0}, lp_span("a")).data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_browser_s_wish),
        cmocka_unit_test(test_a_choice_goes_before_the_browser),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_cookie_is_found_by_its_whole_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
