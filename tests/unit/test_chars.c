/*
 * Protects the table of character classes: each class is held here as the list
 * of its characters, written out from its source.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/chars.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

typedef struct {
    unsigned    class;
    const char *members;
} class_t;

static const class_t classes[] = {
    {LP_CHAR_ALNUM, LETTERS DIGITS},
    {LP_CHAR_DIGIT, DIGITS},
    {LP_CHAR_HEX, DIGITS "abcdefABCDEF"},
    {LP_CHAR_NAME, LETTERS DIGITS "._-"},
    /* unreserved, sub-delims, ":" and "@" */
    {LP_CHAR_PCHAR, LETTERS DIGITS "-._~!$&'()*+,;=:@"},
    /* RFC 3986 without "'" and "%" */
    {LP_CHAR_TARGET, LETTERS DIGITS "-._~:/?#[]@!$&()*+,;="},
    {LP_CHAR_PAIRS, "&+;=#"},
};

static void
test_every_byte_is_in_the_classes_that_list_it(void **state)
{
    size_t   i;
    unsigned c;

    (void) state;

    for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        assert_false(lp_char_is(0, classes[i].class));

        for (c = 1; c < 256; c++) {
            assert_int_equal(lp_char_is((unsigned char) c, classes[i].class),
                             strchr(classes[i].members, (int) c) != NULL);
        }
    }
}

static void
test_hex_digits_have_their_values(void **state)
{
    static const char lower[] = "0123456789abcdef";
    static const char upper[] = "0123456789ABCDEF";
    unsigned          i;

    (void) state;

    for (i = 0; i < 16; i++) {
        assert_int_equal(lp_char_hex((unsigned char) lower[i]), i);
        assert_int_equal(lp_char_hex((unsigned char) upper[i]), i);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_is_in_the_classes_that_list_it),
        cmocka_unit_test(test_hex_digits_have_their_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
