/*
 * Protects the writing of pages: what somebody sent never becomes markup, and
 * what does not fit is never half there.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/text.h"

static char buffer[64];

static lp_text_t
room(size_t size)
{
    memset(buffer, '#', sizeof(buffer));

    return lp_text_in(buffer, size);
}

static void
assert_text(const lp_text_t *text, const char *expected)
{
    assert_int_equal(text->full, 0);
    assert_int_equal(text->len, strlen(expected));
    assert_memory_equal(text->data, expected, text->len);
}

static void
test_html_holds_no_markup(void **state)
{
    lp_text_t text = room(sizeof(buffer));

    (void) state;
    lp_text_html(&text, lp_span("<b a=\"x\" b='y'>&"));
    assert_text(&text, "&lt;b a=&quot;x&quot; b=&#39;y&#39;&gt;&amp;");
}

static void
test_html_holds_no_control_characters(void **state)
{
    lp_text_t text = room(sizeof(buffer));

    (void) state;
    lp_text_html(&text, lp_span("a\0b\x1b\x7f\r\n\xc3\xa9"));
    assert_text(&text, "a b    \xc3\xa9");
}

static void
test_query_encodes_all_but_the_unreserved(void **state)
{
    char      encoded[3 * 256 + 1], expected[8];
    lp_text_t text;
    unsigned  c;
    char      byte;

    (void) state;
    for (c = 0; c < 256; c++) {
        text = lp_text_in(encoded, sizeof(encoded));
        byte = (char) c;
        lp_text_query(&text, (lp_span_t) {&byte, 1});
        if (c != 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                             "uvwxyz0123456789-._~", (int) c) != NULL) {
            assert_int_equal(text.len, 1);
            assert_int_equal(encoded[0], byte);
        } else {
            snprintf(expected, sizeof(expected), "%%%02X", c);
            assert_text(&text, expected);
        }
    }
}

static void
test_number(void **state)
{
    lp_text_t text = room(sizeof(buffer));

    (void) state;
    lp_text_number(&text, 0);
    lp_text_number(&text, -12);
    lp_text_number(&text, INT64_MIN);
    assert_text(&text, "0-12-9223372036854775808");
}

static void
test_what_does_not_fit_is_left_out(void **state)
{
    lp_text_t text = room(8);

    (void) state;
    lp_text_add(&text, lp_span("12345678"));
    assert_text(&text, "12345678");
    lp_text_add(&text, lp_span(""));
    assert_text(&text, "12345678");
    lp_text_add(&text, lp_span("9"));
    assert_int_equal(text.full, 1);
    assert_int_equal(text.len, 8);
    assert_int_equal(buffer[8], '#');
}

static void
test_nothing_follows_what_was_left_out(void **state)
{
    lp_text_t text = room(4);

    (void) state;
    lp_text_add(&text, lp_span("12"));
    lp_text_html(&text, lp_span("&"));
    lp_text_add(&text, lp_span("3"));
    assert_int_equal(text.full, 1);
    assert_int_equal(text.len, 2);
    assert_memory_equal(buffer, "12###", 5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_html_holds_no_markup),
        cmocka_unit_test(test_html_holds_no_control_characters),
        cmocka_unit_test(test_query_encodes_all_but_the_unreserved),
        cmocka_unit_test(test_number),
        cmocka_unit_test(test_what_does_not_fit_is_left_out),
        cmocka_unit_test(test_nothing_follows_what_was_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
