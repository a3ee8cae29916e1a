/*
 * Protects strictness: one text for each value and one value for each text.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base64url.h"

#define ROOM 1024

/* RFC 4648 section 10, and bytes that need both special characters. */
static const struct {
    const char *value;
    const char *text;
} pairs[] = {
    {"", ""},
    {"f", "Zg"},
    {"fo", "Zm8"},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg"},
    {"fooba", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "-_-_"},
};

/* Decodes into memory of exactly the size it needs, for ASan to watch. */
static int
decodes(const char *text, size_t len)
{
    int            result;
    size_t         n;
    char          *copy;
    unsigned char *room;

    copy = malloc(len + 1);
    room = malloc(LP_BASE64URL_DECODED(len) + 1);
    assert_non_null(copy);
    assert_non_null(room);

    memcpy(copy + 1, text, len);
    result = lp_base64url_decode(room + 1, LP_BASE64URL_DECODED(len), &n,
                                 (lp_span_t) {copy + 1, len});
    free(room);
    free(copy);

    return result == 0;
}


static void
test_known_pairs_in_both_directions(void **state)
{
    char          text[ROOM];
    size_t        i, len;
    unsigned char value[ROOM];

    (void) state;

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        len = lp_base64url_encode(text,
                                  (const unsigned char *) pairs[i].value,
                                  strlen(pairs[i].value));
        assert_int_equal(len, strlen(pairs[i].text));
        assert_int_equal(len, LP_BASE64URL_ENCODED(strlen(pairs[i].value)));
        assert_memory_equal(text, pairs[i].text, len);

        assert_int_equal(lp_base64url_decode(value, ROOM, &len,
                                             lp_span_of(pairs[i].text)), 0);
        assert_int_equal(len, strlen(pairs[i].value));
        assert_memory_equal(value, pairs[i].value, len);
    }
}


static void
test_every_length_comes_back(void **state)
{
    char          text[ROOM];
    size_t        n, i, len;
    unsigned char value[256], back[256];

    (void) state;

    for (n = 0; n <= sizeof(value); n++) {
        for (i = 0; i < n; i++) {
            value[i] = (unsigned char) (i * 167 + n);
        }

        len = lp_base64url_encode(text, value, n);
        assert_int_equal(len, LP_BASE64URL_ENCODED(n));
        assert_int_equal(LP_BASE64URL_DECODED(len), n);

        assert_int_equal(lp_base64url_decode(back, n, &len,
                                             (lp_span_t) {text, len}), 0);
        assert_int_equal(len, n);
        assert_memory_equal(back, value, n);
    }
}


/* All 65,536 texts of two characters, all 2^24 would tell no more. */
static void
test_no_two_texts_have_one_value(void **state)
{
    int           a, b, found;
    char          text[2], again[4];
    size_t        len;
    unsigned char value[2];

    (void) state;

    found = 0;

    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b++) {
            text[0] = (char) a;
            text[1] = (char) b;

            if (lp_base64url_decode(value, 2, &len, (lp_span_t) {text, 2})
                != 0)
            {
                continue;
            }

            found++;
            assert_int_equal(len, 1);
            assert_int_equal(lp_base64url_encode(again, value, 1), 2);
            assert_memory_equal(again, text, 2);
        }
    }

    assert_int_equal(found, 256);
}


static void
test_what_is_not_strict_is_refused(void **state)
{
    size_t                   i;
    static const char *const bad[] = {
        "Z",        "Zm9vY",    "Zg==",     "Zm8=",     "Zm9v=",
        "Zm9vYg==", "Zm 9v",    " Zm9v",    "Zm9v ",    "Zm9v\n",
        "Zm9\r\n",  "Zm9+",     "Zm9/",     "Zm9v.g",   "Zh",
        "Zn",       "Z_",       "Zm9",      "Zm-",      "Zm9vYh",
        "Zm9vYmF",  "\x80m9v",  "Zm9\xff",  "Zm9v\xc3", "Zm%39",
        "Zm9,",     "Zm9v\tYm",
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (decodes(bad[i], strlen(bad[i]))) {
            fail_msg("accepted: '%s'", bad[i]);
        }
    }

    assert_false(decodes("Zm\0v", 4));
    assert_false(decodes("Zm9v\0", 5));
    assert_true(decodes("Zm9v", 4));
    assert_true(decodes("", 0));
}


/* Each of the 192 characters outside the alphabet, at each place. */
static void
test_one_bad_character_anywhere_is_refused(void **state)
{
    int    c, place;
    char   text[8];

    (void) state;

    for (c = 0; c < 256; c++) {
        for (place = 0; place < 7; place++) {
            memcpy(text, "AAAAAAA", 7);
            text[place] = (char) c;

            if (c != 0 && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                 "qrstuvwxyz0123456789-_", c) != NULL)
            {
                /* the last may have bits that must be zero */
                assert_true(place == 6 || decodes(text, 7));

            } else {
                assert_false(decodes(text, 7));
            }
        }
    }
}


static void
test_no_room_is_refused(void **state)
{
    size_t        n, len;
    unsigned char value[6];

    (void) state;

    for (n = 0; n <= sizeof(value); n++) {
        assert_int_equal(lp_base64url_decode(value, n, &len,
                                             lp_span("Zm9vYmFy")),
                         n < 6 ? -1 : 0);
        assert_int_equal(lp_base64url_decode(value, n, &len,
                                             lp_span("Zm9vYg")),
                         n < 4 ? -1 : 0);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_pairs_in_both_directions),
        cmocka_unit_test(test_every_length_comes_back),
        cmocka_unit_test(test_no_two_texts_have_one_value),
        cmocka_unit_test(test_what_is_not_strict_is_refused),
        cmocka_unit_test(test_one_bad_character_anywhere_is_refused),
        cmocka_unit_test(test_no_room_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
