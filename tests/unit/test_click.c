/*
 * Protects the reading of a click: which requests name which product and
 * path, and which paths never get into a Location.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/click.h"

static int
parses(const char *below)
{
    lp_click_t click;

    return lp_click_parse(&click, lp_span_of(below)) == 0;
}

static void
assert_click(const char *below, const char *product, const char *path)
{
    lp_click_t click;

    assert_int_equal(lp_click_parse(&click, lp_span_of(below)), 0);
    assert_true(lp_span_equal(click.product, lp_span_of(product)));
    assert_true(lp_span_equal(click.path, lp_span_of(path)));
}

static void
test_product_and_path(void **state)
{
    (void) state;

    assert_click("book", "book", "");
    assert_click("book/", "book", "");
    assert_click("book/h1", "book", "h1");
    assert_click("book/h1/", "book", "h1/");
    assert_click("book/h1/s2.html", "book", "h1/s2.html");
    assert_click("book//", "book", "/");
    assert_click("book//h1", "book", "/h1");
    assert_click("A.b_c-9/x:@!$&'()*+,;=~", "A.b_c-9",
                 "x:@!$&'()*+,;=~");
    assert_click("book/caf%C3%A9%20%F0%9F%93%96", "book",
                 "caf%C3%A9%20%F0%9F%93%96");
    assert_click("book/h1?utm=1&x", "book", "h1");
    assert_click("book?utm=1", "book", "");
    assert_click("book/?", "book", "");
}

static void
test_product_in_the_query(void **state)
{
    (void) state;

    assert_click("?product=book", "book", "");
    assert_click("?a=b&product=book&c=d", "book", "");
    assert_click("?product=book&product=book", "book", "");
    assert_click("?product=book&", "book", "");
    assert_click("?&&product=book", "book", "");
    assert_click("?xproduct=pen&product=book", "book", "");
    assert_click("?Product=pen&product=book&product", "book", "");

    assert_false(parses(""));
    assert_false(parses("?"));
    assert_false(parses("?a=b"));
    assert_false(parses("?product"));
    assert_false(parses("?product="));
    assert_false(parses("?Product=book"));
    assert_false(parses("?product=book&product=pen"));
    assert_false(parses("?product=book&product="));
    assert_false(parses("?product=&product=book"));
    assert_false(parses("?product=b%6fok"));
    assert_false(parses("?product=-book"));
    assert_false(parses("?product=book?"));
    assert_false(parses("?product=book/h1"));
    assert_false(parses("/h1?product=book"));
}

static void
test_the_path_wins_over_the_query(void **state)
{
    (void) state;

    assert_click("book?product=pen", "book", "");
    assert_click("book/h1?product=pen", "book", "h1");
    assert_click("book?product=pen&product=ink", "book", "");
    assert_click("book?product=%zz", "book", "");
}

static void
test_a_hash_is_refused_everywhere(void **state)
{
    (void) state;

    assert_false(parses("#"));
    assert_false(parses("bo#ok"));
    assert_false(parses("book/h#1"));
    assert_false(parses("book?x=#1"));
    assert_true(parses("book/h%231"));
}

static void
test_product_ids_stand_as_they_are(void **state)
{
    char below[128];

    (void) state;

    assert_false(parses(".book"));
    assert_false(parses(".."));
    assert_false(parses("../book"));
    assert_false(parses("/book"));
    assert_false(parses("b%6fok"));
    assert_false(parses("bo ok"));
    assert_false(parses("book;v=1"));
    assert_false(parses("b\xc3\xb6k"));

    memset(below, 'a', sizeof(below));
    below[64] = '\0';
    assert_true(parses(below));
    below[64] = 'a';
    below[65] = '\0';
    assert_false(parses(below));
}

static void
test_raw_bytes_of_a_path(void **state)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz"
                                  "0123456789-._~!$&'()*+,;=:@/";
    char              below[] = "b/x?y";
    unsigned          c;

    (void) state;

    for (c = 0; c < 256; c++) {
        below[3] = (char) c;

        assert_int_equal(
            lp_click_parse(&(lp_click_t) {0}, (lp_span_t) {below, 5}) == 0,
            c == '?' || (c != 0 && strchr(allowed, (int) c) != NULL));
    }
}

static void
test_escapes_of_one_byte(void **state)
{
    char     below[16];
    unsigned c;

    (void) state;

    /* "x" around them, so that no dot segment is the reason */
    for (c = 0; c < 256; c++) {
        snprintf(below, sizeof(below), "b/x%%%02xx", c);
        assert_int_equal(parses(below), c >= 0x20 && c < 0x7f);

        snprintf(below, sizeof(below), "b/x%%%02Xx", c);
        assert_int_equal(parses(below), c >= 0x20 && c < 0x7f);
    }
}

static void
test_malformed_escapes(void **state)
{
    static const char *const refused[] = {
        "%", "%4", "%g0", "%0g", "%%41", "%u0041", "%-1", "% 1", "a%", "a%4",
    };
    char   below[32];
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        snprintf(below, sizeof(below), "b/%s", refused[i]);
        assert_false(parses(below));

        snprintf(below, sizeof(below), "b/%s/z", refused[i]);
        assert_false(parses(below));
    }
}

/* In a buffer that ends there, so that the sanitizer sees a byte too many. */
static void
test_an_escape_is_not_read_beyond_the_end(void **state)
{
    static const char full[] = "b/%C3%A9";
    char             *below;
    size_t            len;

    (void) state;

    for (len = 1; len < sizeof(full); len++) {
        below = malloc(len);
        assert_non_null(below);
        memcpy(below, full, len);

        assert_int_equal(
            lp_click_parse(&(lp_click_t) {0}, (lp_span_t) {below, len}) == 0,
            len < 3 || len == sizeof(full) - 1);
        free(below);
    }
}

/* "%XX" for each byte of code in a form of n bytes, right or overlong. */
static void
write_escapes(char *dst, unsigned long code, unsigned n)
{
    static const unsigned char leads[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
    unsigned                   i, byte;

    for (i = 0; i < n; i++) {
        byte = code >> 6 * (n - 1 - i);
        byte = i == 0 ? leads[n] | byte : 0x80 | (byte & 0x3f);
        snprintf(dst + 3 * i, 4, "%%%02x", byte & 0xff);
    }
}

static void
test_utf8_of_every_code_point_in_every_length(void **state)
{
    char          below[32] = "b/";
    unsigned long code;
    unsigned      n, right;

    (void) state;

    for (code = 0x80; code < 0x200000; code += code < 0x3000 ? 1 : 31) {
        right = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

        for (n = right; n <= 4; n++) {
            write_escapes(below + 2, code, n);
            assert_int_equal(parses(below),
                             n == right && code <= 0x10ffff
                                 && (code < 0xd800 || code > 0xdfff));
        }
    }

    /* the edges that the steps may have passed over */
    assert_true(parses("b/%ED%9F%BF%EE%80%80%F4%8F%BF%BF%EF%BF%BF"));
    assert_false(parses("b/%ED%A0%80"));
    assert_false(parses("b/%ED%BF%BF"));
    assert_false(parses("b/%F4%90%80%80"));
    assert_false(parses("b/%F0%8F%BF%BF"));
}

static void
test_overlong_dots_and_slashes(void **state)
{
    (void) state;

    assert_false(parses("b/%c0%ae%c0%ae/x"));
    assert_false(parses("b/%e0%80%ae"));
    assert_false(parses("b/%c0%af"));
    assert_false(parses("b/%c1%9c"));
    assert_false(parses("b/%f8%80%80%80%ae"));
}

static void
test_broken_utf8(void **state)
{
    (void) state;

    assert_false(parses("b/%80"));
    assert_false(parses("b/%C3"));
    assert_false(parses("b/%C3x"));
    assert_false(parses("b/%C3/%A9"));
    assert_false(parses("b/%C3%C3%A9"));
    assert_false(parses("b/%E2%82"));
    assert_false(parses("b/%E2%82%2F"));
    assert_false(parses("b/%C3\xa9"));
    assert_false(parses("b/\xc3\xa9"));
    assert_false(parses("b/%C3%A9%A9"));
    assert_false(parses("b/%FF"));
}

static void
test_dot_segments_in_every_spelling(void **state)
{
    static const char *const dots[] = {".", "%2e", "%2E"};
    static const char *const ends[] = {"",    "/x",   "%2fx", "%2Fx", "%5cx",
                                       "%5C", ";p=1", ";",    "%3bx", "?q"};
    static const char *const starts[] = {"", "x/", "/", "x%2f", "%5C", "x//"};
    char                     below[64];
    size_t                   s, d, f, e;

    (void) state;

    for (s = 0; s < 6; s++) {
        for (e = 0; e < 10; e++) {
            for (d = 0; d < 3; d++) {
                snprintf(below, sizeof(below), "b/%s%s%s", starts[s], dots[d],
                         ends[e]);
                assert_false(parses(below));

                for (f = 0; f < 3; f++) {
                    snprintf(below, sizeof(below), "b/%s%s%s%s", starts[s],
                             dots[d], dots[f], ends[e]);
                    assert_false(parses(below));

                    /* a third dot, or a letter, makes a name of it */
                    snprintf(below, sizeof(below), "b/%s%s%s.%s", starts[s],
                             dots[d], dots[f], ends[e]);
                    assert_true(parses(below));

                    snprintf(below, sizeof(below), "b/%sx%s%s%s", starts[s],
                             dots[d], dots[f], ends[e]);
                    assert_true(parses(below));
                }
            }
        }
    }
}

static void
test_dots_that_are_names(void **state)
{
    (void) state;

    assert_true(parses("b/..."));
    assert_true(parses("b/.x"));
    assert_true(parses("b/..x"));
    assert_true(parses("b/x.."));
    assert_true(parses("b/x../y"));
    assert_true(parses("b/.well-known"));
    assert_true(parses("b/x;.."));
    assert_false(parses("b/x;/.."));

    /* encoded twice: data */
    assert_true(parses("b/%252e%252e/x"));
    assert_true(parses("b/%255c.."));
    assert_true(parses("b/%250d%250a"));
}

static void
test_the_longest_path(void **state)
{
    char below[2 + LP_PATH_MAX + 1];

    (void) state;

    memset(below, 'x', sizeof(below));
    below[1] = '/';

    assert_int_equal(lp_click_parse(&(lp_click_t) {0},
                                    (lp_span_t) {below, sizeof(below) - 1}),
                     0);
    assert_int_equal(lp_click_parse(&(lp_click_t) {0},
                                    (lp_span_t) {below, sizeof(below)}),
                     -1);

    /* the query does not count */
    below[sizeof(below) - 1] = '?';
    assert_int_equal(lp_click_parse(&(lp_click_t) {0},
                                    (lp_span_t) {below, sizeof(below)}),
                     0);
}

static void
test_a_refused_click_is_not_set(void **state)
{
    lp_click_t click, before;

    (void) state;

    memset(&click, 0x5a, sizeof(click));
    before = click;

    assert_int_equal(lp_click_parse(&click, lp_span("book/..")), -1);
    assert_memory_equal(&click, &before, sizeof(click));

    assert_int_equal(lp_click_parse(&click, (lp_span_t) {NULL, 0}), -1);
    assert_memory_equal(&click, &before, sizeof(click));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product_and_path),
        cmocka_unit_test(test_product_in_the_query),
        cmocka_unit_test(test_the_path_wins_over_the_query),
        cmocka_unit_test(test_a_hash_is_refused_everywhere),
        cmocka_unit_test(test_product_ids_stand_as_they_are),
        cmocka_unit_test(test_raw_bytes_of_a_path),
        cmocka_unit_test(test_escapes_of_one_byte),
        cmocka_unit_test(test_malformed_escapes),
        cmocka_unit_test(test_an_escape_is_not_read_beyond_the_end),
        cmocka_unit_test(test_utf8_of_every_code_point_in_every_length),
        cmocka_unit_test(test_overlong_dots_and_slashes),
        cmocka_unit_test(test_broken_utf8),
        cmocka_unit_test(test_dot_segments_in_every_spelling),
        cmocka_unit_test(test_dots_that_are_names),
        cmocka_unit_test(test_the_longest_path),
        cmocka_unit_test(test_a_refused_click_is_not_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
