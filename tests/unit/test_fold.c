/*
 * Protects folding: people find "Één" by "een", and no byte goes astray.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fold.h"

static void
folds(const char *text, const char *expected)
{
    char   dst[LP_FOLDED_MAX];
    size_t len = lp_fold(dst, lp_span_of(text));

    assert_string_equal(dst, expected);
    assert_int_equal(len, strlen(expected));
}

static void
test_letters_become_those_of_a_to_z(void **state)
{
    (void) state;
    folds("\303\211\303\251n Zo\303\266 \303\207A", "een zoo ca");
    folds("\304\262sland \304\263s", "ijsland ijs");
    folds("Stra\303\237e \303\206on \305\222uvre", "strasse aeon oeuvre");
    folds("\305\201\303\263d\305\272 \304\220or\304\221e", "lodz dorde");
    folds("\303\200\305\277", "as"); /* the first and last of the table */
    folds("AZaz09._-", "azaz09._-");
    folds("Foto\342\200\231s \342\200\230s", "foto's 's");
}

static void
test_combining_accents_vanish(void **state)
{
    (void) state;
    folds("e\314\201e\315\257n", "een");
}

static void
test_what_is_no_letter_stays(void **state)
{
    (void) state;
    folds("2\303\2273 \303\267", "2\303\2273 \303\267"); /* times, divide */
    folds("\346\225\260\345\255\246", "\346\225\260\345\255\246");
    folds("\316\221", "\316\221"); /* Greek has no letters of the table */
    folds("a\tb\x01" "c\x7f", "a b c ");
    folds("", "");
}

static void
test_what_is_no_utf8_stays_and_is_not_read_beyond(void **state)
{
    char  dst[LP_FOLDED_MAX];
    char *exact = malloc(1);

    (void) state;
    folds("\303", "\303");
    folds("\303(", "\303(");
    folds("\200\377", "\200\377");
    folds("\342\200", "\342\200");
    assert_non_null(exact);
    exact[0] = '\303';
    assert_int_equal(lp_fold(dst, (lp_span_t) {exact, 1}), 1);
    free(exact);
}

static void
test_a_long_text_is_cut_between_characters(void **state)
{
    char   text[2 * LP_FOLDED_MAX], dst[LP_FOLDED_MAX];
    size_t i, len;

    (void) state;
    text[0] = 'a';
    for (i = 1; i + 1 < sizeof(text); i += 2) {
        memcpy(text + i, "\316\261", 2);
    }
    len = lp_fold(dst, (lp_span_t) {text, i});
    assert_int_equal(len, LP_FOLDED_MAX - 1);
    assert_int_equal(strlen(dst), len);
    assert_memory_equal(dst + len - 2, "\316\261", 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters_become_those_of_a_to_z),
        cmocka_unit_test(test_combining_accents_vanish),
        cmocka_unit_test(test_what_is_no_letter_stays),
        cmocka_unit_test(test_what_is_no_utf8_stays_and_is_not_read_beyond),
        cmocka_unit_test(test_a_long_text_is_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
