/*
 * Protects the marks by which tokens at hand are known: they are what NH says,
 * and every byte of the text, its length and the key count.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../core/token_mark.h"

#define LONG 100

static lp_token_mark_key_t key;

/* Any words do, as long as they are not alike. */
static int
make_key(void **state)
{
    size_t   i;
    uint64_t word;

    (void) state;
    word = 1;

    for (i = 0; i < sizeof(key.words) / sizeof(key.words[0]); i++) {
        word = word * 6364136223846793005ULL + 1442695040888963407ULL;
        key.words[i] = word;
    }

    return 0;
}

static lp_token_mark_t
mark_of(const char *text, size_t len)
{
    lp_token_mark_t mark;

    lp_token_mark(&mark, &key, (lp_span_t) {text, len});

    return mark;
}

/* (0 + 3) (1 + 4) + 16, and with the key's next pair (0 + 5) (1 + 6) + 16. */
static void
test_a_mark_is_the_sum_of_products(void **state)
{
    uint64_t            text[2] = {0, 1};
    lp_token_mark_t     mark;
    lp_token_mark_key_t small = {{3, 4, 5, 6}};

    (void) state;

    lp_token_mark(&mark, &small, (lp_span_t) {(char *) text, sizeof(text)});
    assert_int_equal(mark.words[0], 31);
    assert_int_equal(mark.words[1], 0);
    assert_int_equal(mark.words[2], 51);
    assert_int_equal(mark.words[3], 0);
}

/* 2^63 * 2^63 = 2^126 takes both words of a sum. */
static void
test_a_product_may_be_long(void **state)
{
    uint64_t            text[2] = {(uint64_t) 1 << 63, (uint64_t) 1 << 63};
    lp_token_mark_t     mark;
    lp_token_mark_key_t zero = {{0}};

    (void) state;

    lp_token_mark(&mark, &zero, (lp_span_t) {(char *) text, sizeof(text)});
    assert_int_equal(mark.words[0], 16);
    assert_int_equal(mark.words[1], (uint64_t) 1 << 62);
}

static void
test_every_byte_counts(void **state)
{
    char           *text;
    size_t          len, i;
    lp_token_mark_t mark, other;

    (void) state;

    for (len = 1; len <= LONG; len++) {
        text = calloc(1, len); /* of this length: no byte more is read */
        assert_non_null(text);
        mark = mark_of(text, len);

        for (i = 0; i < len; i++) {
            text[i] = 1;
            other = mark_of(text, len);
            assert_false(lp_token_mark_equal(&mark, &other));
            text[i] = 0;
        }

        other = mark_of(text, len);
        assert_true(lp_token_mark_equal(&mark, &other));
        free(text);
    }
}

/* Zeros fill up what is no whole pair. */
static void
test_the_length_counts(void **state)
{
    char            zeros[LONG] = {0};
    size_t          a, b;
    lp_token_mark_t one, other;

    (void) state;

    for (a = 0; a < LONG; a++) {
        for (b = a + 1; b < LONG; b++) {
            one = mark_of(zeros, a);
            other = mark_of(zeros, b);
            assert_false(lp_token_mark_equal(&one, &other));
        }
    }
}

/* Sums would let pairs change places, if each had not words of its own. */
static void
test_the_order_counts(void **state)
{
    char            text[32], turned[32];
    lp_token_mark_t one, other;

    (void) state;

    memset(text, 'a', sizeof(text));
    memset(text + 16, 'b', 16);
    memset(turned, 'b', sizeof(turned));
    memset(turned + 16, 'a', 16);

    one = mark_of(text, sizeof(text));
    other = mark_of(turned, sizeof(turned));
    assert_false(lp_token_mark_equal(&one, &other));
}

static void
test_the_longest_text_has_key_enough(void **state)
{
    char           *text;
    size_t          len;
    lp_token_mark_t mark, other;

    (void) state;

    for (len = LP_TOKEN_MARK_TEXT - 17; len <= LP_TOKEN_MARK_TEXT; len++) {
        text = calloc(1, len);
        assert_non_null(text);
        mark = mark_of(text, len);
        text[len - 1] = 'x';
        other = mark_of(text, len);
        assert_false(lp_token_mark_equal(&mark, &other));
        free(text);
    }
}

static void
test_the_key_counts(void **state)
{
    size_t              i;
    lp_token_mark_t     mark, other;
    lp_token_mark_key_t changed;

    (void) state;

    mark = mark_of("of two pairs, all of them bytes", 32);

    for (i = 0; i < 6; i++) {
        changed = key;
        changed.words[i] ^= 1;
        lp_token_mark(&other, &changed,
                      (lp_span_t) {"of two pairs, all of them bytes", 32});
        assert_false(lp_token_mark_equal(&mark, &other));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mark_is_the_sum_of_products),
        cmocka_unit_test(test_a_product_may_be_long),
        cmocka_unit_test(test_every_byte_counts),
        cmocka_unit_test(test_the_length_counts),
        cmocka_unit_test(test_the_order_counts),
        cmocka_unit_test(test_the_longest_text_has_key_enough),
        cmocka_unit_test(test_the_key_counts),
    };

    return cmocka_run_group_tests(tests, make_key, NULL);
}
