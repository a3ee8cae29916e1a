/*
 * Protects the names of Redis keys: a name that changes loses every right
 * stored under it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/keys.h"

#define USER "AbCdEfGhIjKlMnOpQrStUv"

/* CRC16/XMODEM bit by bit, as its definition says. */
static unsigned
slow_crc(const char *text, size_t len)
{
    size_t   i;
    int      bit;
    unsigned crc;

    crc = 0;

    for (i = 0; i < len; i++) {
        crc ^= (unsigned) (unsigned char) text[i] << 8;

        for (bit = 0; bit < 8; bit++) {
            crc = crc & 0x8000 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1;
        }
    }

    return crc;
}

static void
assert_key(const char *dst, size_t len, const char *type, const char *tagged,
           const char *rest)
{
    char expected[LP_KEY_MAX + 1];
    int  n;

    n = snprintf(expected, sizeof(expected), "%s:{%02u}:%s", type,
                 slow_crc(tagged, strlen(tagged)) % 64, rest);

    assert_int_equal(len, n);
    assert_memory_equal(dst, expected, len);
}

static void
test_shard_is_crc16_xmodem_modulo_64(void **state)
{
    char   text[3];
    size_t i;

    (void) state;

    assert_int_equal(slow_crc("123456789", 9), 0x31c3);
    assert_int_equal(lp_shard(lp_span("123456789")), 0x31c3 % 64);
    assert_int_equal(lp_shard((lp_span_t) {NULL, 0}), 0);

    for (i = 0; i < 1 << 16; i++) {
        text[0] = 'x';
        text[1] = (char) (i >> 8);
        text[2] = (char) i;

        assert_int_equal(lp_shard((lp_span_t) {text, 3}),
                         slow_crc(text, 3) % 64);
    }
}

static void
test_keys_have_the_names_of_the_data_model(void **state)
{
    char   dst[LP_KEY_MAX];
    size_t len;

    (void) state;

    len = lp_key_user(dst, lp_span("school-1"), lp_span(USER));
    assert_key(dst, len, "u", "school-1", "school-1/" USER);

    len = lp_key_user(dst, lp_span(""), lp_span(USER));
    assert_key(dst, len, "u", USER, "/" USER);

    len = lp_key_school(dst, lp_span("school-1"));
    assert_key(dst, len, "s", "school-1", "school-1");

    len = lp_key_alias(dst, lp_span("OIE_CODE"), lp_span("100A200"));
    assert_key(dst, len, "a", "OIE_CODE:100A200", "OIE_CODE:100A200");

    len = lp_key_product(dst, lp_span("9789034506818"));
    assert_key(dst, len, "p", "9789034506818", "9789034506818");

    len = lp_key_of(dst, "session", lp_span(USER));
    assert_key(dst, len, "session", USER, USER);
}

static void
test_a_known_key_byte_for_byte(void **state)
{
    char   dst[LP_KEY_MAX];
    size_t len;

    (void) state;

    /* 0x31c3 % 64 = 3 */
    len = lp_key_product(dst, lp_span("123456789"));
    assert_int_equal(len, strlen("p:{03}:123456789"));
    assert_memory_equal(dst, "p:{03}:123456789", len);
}

static void
test_a_key_that_does_not_fit_is_none(void **state)
{
    char      dst[LP_KEY_MAX + 1], text[LP_KEY_MAX + 1];
    lp_span_t fits, second;

    (void) state;

    memset(text, 'x', sizeof(text));
    dst[LP_KEY_MAX] = '!';

    fits = (lp_span_t) {text, LP_KEY_MAX - 7};
    assert_int_equal(lp_key_school(dst, fits), LP_KEY_MAX);
    assert_int_equal(lp_key_product(dst, fits), LP_KEY_MAX);
    assert_int_equal(lp_key_of(dst, "p", fits), LP_KEY_MAX);

    fits.len++;
    assert_int_equal(lp_key_school(dst, fits), 0);
    assert_int_equal(lp_key_product(dst, fits), 0);
    assert_int_equal(lp_key_of(dst, "p", fits), 0);

    fits.len = LP_KEY_MAX - 7 - 1 - 22;
    second = (lp_span_t) {text, 22};
    assert_int_equal(lp_key_user(dst, fits, second), LP_KEY_MAX);
    assert_int_equal(lp_key_alias(dst, fits, second), LP_KEY_MAX);

    fits.len++;
    assert_int_equal(lp_key_user(dst, fits, second), 0);
    assert_int_equal(lp_key_alias(dst, fits, second), 0);

    /* lengths whose sum overflows */
    fits.len = SIZE_MAX;
    second.len = 16;
    assert_int_equal(lp_key_alias(dst, second, fits), 0);
    assert_int_equal(lp_key_of(dst, "p", fits), 0);
    assert_int_equal(dst[LP_KEY_MAX], '!');
}

static void
test_what_follows_the_longest_product_has_a_field(void **state)
{
    char   dst[LP_FOLLOWS_MAX + 1], text[LP_FOLLOWS_MAX];
    size_t len;

    (void) state;

    len = lp_field_follows(dst, lp_span("book"));
    assert_int_equal(len, 5);
    assert_memory_equal(dst, "book+", len);
    assert_false(lp_product_valid((lp_span_t) {dst, len}));

    memset(text, 'x', sizeof(text));
    dst[LP_FOLLOWS_MAX] = '!';
    assert_int_equal(lp_field_follows(dst, (lp_span_t) {text, 64}), 65);
    assert_int_equal(dst[64], '+');
    assert_int_equal(lp_field_follows(dst, (lp_span_t) {text, 65}), 0);
    assert_int_equal(dst[LP_FOLLOWS_MAX], '!');
}

static void
test_names_of_schools_and_products(void **state)
{
    char     text[65];
    unsigned c;
    int      name, alnum;

    (void) state;

    for (c = 0; c < 256; c++) {
        text[0] = 'a';
        text[1] = (char) c;

        alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
                || (c >= 'a' && c <= 'z');
        name = alnum || c == '.' || c == '_' || c == '-';

        assert_int_equal(lp_school_valid((lp_span_t) {text + 1, 1}), name);
        assert_int_equal(lp_product_valid((lp_span_t) {text + 1, 1}), alnum);
        assert_int_equal(lp_school_valid((lp_span_t) {text, 2}), name);
        assert_int_equal(lp_product_valid((lp_span_t) {text, 2}), name);
    }

    memset(text, 'a', sizeof(text));

    assert_false(lp_school_valid((lp_span_t) {NULL, 0}));
    assert_false(lp_product_valid((lp_span_t) {NULL, 0}));
    assert_true(lp_school_valid((lp_span_t) {text, 64}));
    assert_true(lp_product_valid((lp_span_t) {text, 64}));
    assert_false(lp_school_valid((lp_span_t) {text, 65}));
    assert_false(lp_product_valid((lp_span_t) {text, 65}));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shard_is_crc16_xmodem_modulo_64),
        cmocka_unit_test(test_keys_have_the_names_of_the_data_model),
        cmocka_unit_test(test_a_known_key_byte_for_byte),
        cmocka_unit_test(test_a_key_that_does_not_fit_is_none),
        cmocka_unit_test(test_what_follows_the_longest_product_has_a_field),
        cmocka_unit_test(test_names_of_schools_and_products),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
