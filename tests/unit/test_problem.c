/*
 * Protects the table of problems: every page has all its words in both
 * languages, and machines get what they can read.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/page.h"
#include "../../core/problem.h"

#define TITLE_MAX 60  /* characters that fit a telephone's two lines */
#define TEXT_MAX  260 /* bytes of a paragraph that is still read */

static void
assert_sentence(const char *text, size_t max)
{
    const unsigned char *p;

    assert_non_null(text);
    assert_in_range(strlen(text), 10, max);
    for (p = (const unsigned char *) text; *p != '\0'; p++) {
        assert_true(*p >= 0x20 && *p != 0x7f);
        /* what a JSON string or an attribute would have to escape */
        assert_null(strchr("\"\\<>&", *p));
    }
    assert_null(strstr(text, "  "));
    assert_int_not_equal(text[strlen(text) - 1], ' ');
}

static void
test_every_problem_has_all_its_words(void **state)
{
    const lp_problem_text_t *text;
    unsigned                 p;
    int                      l;

    (void) state;
    for (p = 0; p < LP_PROBLEMS; p++) {
        if (!lp_problem_exists(p)) {
            continue;
        }
        for (l = 0; l < LP_LANGUAGES; l++) {
            text = lp_problem_text((lp_problem_t) p, (lp_language_t) l);
            assert_sentence(text->title, TITLE_MAX);
            assert_sentence(text->what, TEXT_MAX);
            assert_sentence(text->todo, TEXT_MAX);
            if (text->ask != NULL) {
                assert_sentence(text->ask, TEXT_MAX);
            }
        }
        assert_sentence(lp_problem_advice((lp_problem_t) p), 400);
    }
}

/* Whoever has a page has it in both, with the same parts. */
static void
test_languages_have_the_same_parts(void **state)
{
    const lp_problem_text_t *nl, *en;
    unsigned                 p;

    (void) state;
    for (p = 0; p < LP_PROBLEMS; p++) {
        if (lp_problem_exists(p)) {
            nl = lp_problem_text((lp_problem_t) p, LP_DUTCH);
            en = lp_problem_text((lp_problem_t) p, LP_ENGLISH);
            assert_string_not_equal(nl->what, en->what);
            assert_int_equal(nl->ask == NULL, en->ask == NULL);
        }
    }
}

static void
test_every_outcome_but_a_redirect_is_a_problem(void **state)
{
    unsigned p;

    (void) state;
    assert_false(lp_problem_exists(LP_REDIRECT));
    for (p = LP_REDIRECT + 1; p < LP_OUTCOMES; p++) {
        assert_true(lp_problem_exists(p));
        assert_string_equal(lp_problem_name((lp_problem_t) p),
                            lp_outcome_name((lp_outcome_t) p));
        assert_int_equal(lp_problem_status((lp_problem_t) p),
                         lp_outcome_status((lp_outcome_t) p));
    }
    for (p = LP_OUTCOMES; p < LP_PROBLEM_NO_COOKIES; p++) {
        assert_false(lp_problem_exists(p));
    }
    for (p = LP_PROBLEM_NO_COOKIES; p < LP_PROBLEMS; p++) {
        assert_true(lp_problem_exists(p));
    }
    assert_false(lp_problem_exists(LP_PROBLEMS));
    assert_false(lp_problem_exists(~0u));
}

static void
test_names_differ(void **state)
{
    unsigned p, q;

    (void) state;
    for (p = 1; p < LP_PROBLEMS; p++) {
        for (q = 1; q < p; q++) {
            if (lp_problem_exists(p) && lp_problem_exists(q)) {
                assert_string_not_equal(lp_problem_name((lp_problem_t) p),
                                        lp_problem_name((lp_problem_t) q));
            }
        }
    }
}

/* 503 is what is tried again, and the other way round. */
static void
test_what_passes_says_so(void **state)
{
    unsigned p;

    (void) state;
    for (p = 0; p < LP_PROBLEMS; p++) {
        if (lp_problem_exists(p)) {
            assert_int_equal(lp_problem_passes((lp_problem_t) p),
                             lp_problem_status((lp_problem_t) p) == 503);
        }
    }
}

static void
test_what_is_no_problem_is_treated_as_our_fault(void **state)
{
    (void) state;
    assert_int_equal(lp_problem_status((lp_problem_t) 20), 503);
    assert_string_equal(lp_problem_name((lp_problem_t) 63), "unavailable");
    assert_non_null(lp_problem_text((lp_problem_t) 20, LP_DUTCH)->title);
}

static void
test_machines_get_json(void **state)
{
    char      bytes[1024];
    lp_text_t json;
    unsigned  p;

    (void) state;
    for (p = 0; p < LP_PROBLEMS; p++) {
        if (lp_problem_exists(p)) {
            json = lp_text_in(bytes, sizeof(bytes));
            lp_page_json(&json, (lp_problem_t) p);
            assert_int_equal(json.full, 0);
            assert_memory_equal(bytes, "{\"status\":", 10);
            assert_memory_equal(bytes + json.len - 3, "\"}\n", 3);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_problem_has_all_its_words),
        cmocka_unit_test(test_languages_have_the_same_parts),
        cmocka_unit_test(test_every_outcome_but_a_redirect_is_a_problem),
        cmocka_unit_test(test_names_differ),
        cmocka_unit_test(test_what_passes_says_so),
        cmocka_unit_test(test_what_is_no_problem_is_treated_as_our_fault),
        cmocka_unit_test(test_machines_get_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
