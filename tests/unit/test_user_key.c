/*
 * Protects the user key: it is written into Redis and must never change.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "user_key.h"

static void
assert_user_key(lp_pepper_t *pepper, const char *id_type, const char *id,
                const char *expected)
{
    char key[LP_USER_KEY_LEN + 1];

    key[LP_USER_KEY_LEN] = '#';
    assert_int_equal(lp_user_key(key, pepper, lp_span_of(id_type),
                                 lp_span_of(id)), 0);
    assert_int_equal(key[LP_USER_KEY_LEN], '#');
    assert_memory_equal(key, expected, LP_USER_KEY_LEN);
}


/* The expected keys were computed with Python's hmac. */
static void
test_known_keys(void **state)
{
    int          i;
    char         longest[4096];
    lp_pepper_t *pepper;

    (void) state;

    pepper = lp_pepper_create(lp_span("pepper"));
    assert_non_null(pepper);

    /* more than once: a MAC must not remember the one before */
    for (i = 0; i < 3; i++) {
        assert_user_key(pepper, "ECK", "https://ketenid.nl/201703/1b2c",
                        "_KHWguunMJUUjnQez4vhkw");
    }
    lp_pepper_destroy(pepper);

    /* the file as it stands, with its NUL and its line break */
    pepper = lp_pepper_create((lp_span_t) {"\0\1pepper\n", 9});
    assert_non_null(pepper);
    assert_user_key(pepper, "SUB", "a|b", "bfkFpRWdDuQzwVCvDftyUQ");
    lp_pepper_destroy(pepper);

    memset(longest, 'x', sizeof(longest));
    pepper = lp_pepper_create((lp_span_t) {longest, sizeof(longest)});
    assert_non_null(pepper);
    assert_user_key(pepper, "ECK", "", "KqYJ8FCpM08Op3R0JhD-ZQ");
    lp_pepper_destroy(pepper);
}


static void
test_type_id_and_pepper_all_count(void **state)
{
    int          i, j;
    char         keys[4][LP_USER_KEY_LEN];
    lp_pepper_t *one, *other;

    (void) state;

    one = lp_pepper_create(lp_span("pepper"));
    other = lp_pepper_create(lp_span("pepper\n"));
    assert_non_null(one);
    assert_non_null(other);

    lp_user_key(keys[0], one, lp_span("ECK"), lp_span("1"));
    lp_user_key(keys[1], one, lp_span("ECK"), lp_span("2"));
    lp_user_key(keys[2], one, lp_span("SUB"), lp_span("1"));
    lp_user_key(keys[3], other, lp_span("ECK"), lp_span("1"));

    for (i = 0; i < 4; i++) {
        for (j = 0; j < i; j++) {
            assert_memory_not_equal(keys[i], keys[j], LP_USER_KEY_LEN);
        }
    }

    lp_pepper_destroy(other);
    lp_pepper_destroy(one);
}


static void
test_empty_and_endless_peppers_are_refused(void **state)
{
    char endless[4097];

    (void) state;

    memset(endless, 'x', sizeof(endless));

    assert_null(lp_pepper_create(lp_span("")));
    assert_null(lp_pepper_create((lp_span_t) {NULL, 0}));
    assert_null(lp_pepper_create((lp_span_t) {endless, sizeof(endless)}));
    lp_pepper_destroy(NULL);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_keys),
        cmocka_unit_test(test_type_id_and_pepper_all_count),
        cmocka_unit_test(test_empty_and_endless_peppers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
