/*
 * Protects activation codes: that a code is known however it is typed, that no
 * two parties or requests get the same ones, and that a wait can't be outlived.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../workers/code_tries.h"
#include "../../workers/codes.h"

#define CANONICAL "ABCDEFGHJKLMNPQRSTUVWXYZ2"
#define SHOWN     "ABCDE-FGHJK-LMNPQ-RSTUV-WXYZ2"
#define OIN       "00000004003214345001"

static void
assert_canonical(const char *text, const char *expected)
{
    char   dst[LP_CODE_TEXT_MAX];
    size_t len = lp_code_canonical(dst, lp_span_of(text));

    assert_int_equal(len, strlen(expected));
    assert_memory_equal(dst, expected, len);
}

static void
test_a_code_is_known_however_it_is_typed(void **state)
{
    (void) state;

    assert_canonical(CANONICAL, CANONICAL);
    assert_canonical(SHOWN, CANONICAL);
    assert_canonical("abcde-fghjk-lmnpq-rstuv-wxyz2", CANONICAL);
    assert_canonical(" AbCdE fghjk\tLMNPQ--rstuv wxyz2 \r\n", CANONICAL);
    assert_canonical("0o1i-0O1I", "0O1I0O1I");
}

static void
test_what_is_no_code_is_none(void **state)
{
    char   text[LP_CODE_TEXT_MAX + 2];
    size_t i;

    (void) state;

    memset(text, 'A', sizeof(text));
    for (i = 0; i < sizeof(text); i++) {
        char dst[LP_CODE_TEXT_MAX];

        assert_int_equal(lp_code_canonical(dst, (lp_span_t) {text, i}),
                         i >= LP_CODE_TEXT_MIN && i <= LP_CODE_TEXT_MAX ? i
                                                                        : 0);
    }
    assert_canonical("", "");
    assert_canonical("--------------", "");
    assert_canonical("ABCDEFGH\xc3\xa9", "");
    assert_canonical("ABCDEFGH|", "");
    assert_canonical("ABCDEFGH*", "");
    assert_int_equal(lp_code_canonical(text, lp_span("ABCDEFGH\0")), 0);
}

static void
test_ours_are_shown_in_groups_and_others_as_they_are(void **state)
{
    char   dst[LP_CODE_SHOWN_MAX];
    size_t len;

    (void) state;

    len = lp_code_show(dst, lp_span(CANONICAL));
    assert_int_equal(len, sizeof(SHOWN) - 1);
    assert_memory_equal(dst, SHOWN, len);
    len = lp_code_show(dst, lp_span("ABCDEFGH12"));
    assert_int_equal(len, 10);
    assert_memory_equal(dst, "ABCDEFGH12", len);
}

static void
test_codes_differ_by_party_request_and_number(void **state)
{
    char   names[4][LP_CODE_NAME_MAX], codes[4][32];
    char   key[40];
    size_t len[4];
    int    i, j;

    lp_seal_t *seal;

    (void) state;

    memset(key, 'k', sizeof(key));
    seal = lp_seal_create((lp_span_t) {key, sizeof(key)});
    assert_non_null(seal);
    len[0] = lp_code_name(names[0], lp_span(OIN), lp_span("ref"), 0);
    len[1] = lp_code_name(names[1], lp_span(OIN), lp_span("ref"), 1);
    len[2] = lp_code_name(names[2], lp_span(OIN), lp_span("ref2"), 0);
    len[3] = lp_code_name(names[3], lp_span("1"), lp_span("ref"), 0);
    for (i = 0; i < 4; i++) {
        char canonical[LP_CODE_TEXT_MAX];

        assert_int_equal(lp_seal_code(seal, codes[i],
                                      (lp_span_t) {names[i], len[i]}), 0);
        assert_int_equal(lp_code_canonical(canonical,
                                           (lp_span_t) {codes[i], 29}),
                         LP_CODE_OURS);
        assert_int_equal(strspn(canonical, "ABCDEFGHJKLMNPQRSTUVWXYZ23456789")
                             >= LP_CODE_OURS, 1);
        for (j = 0; j < i; j++) {
            assert_memory_not_equal(codes[i], codes[j], 29);
        }
    }
    lp_seal_destroy(seal);
}

static void
test_the_longest_reference_has_a_name(void **state)
{
    char       name[LP_CODE_NAME_MAX], hash[LP_CODE_HASH_LEN];
    char       other[LP_CODE_HASH_LEN], ref[LP_CODE_NAME_MAX];
    lp_value_t field;
    size_t     len;

    (void) state;

    memset(ref, 'r', sizeof(ref));
    assert_int_equal(lp_field_set(&field, (lp_span_t) {ref, LP_FIELD_MAX}), 0);
    len = lp_code_name(name, lp_span(OIN), lp_field(&field), 9999);
    assert_int_equal(len, 20 + 1 + LP_FIELD_MAX + 5);
    assert_int_equal(lp_codes_request_hash(hash, lp_span(OIN),
                                           lp_field(&field)), 0);
    field.text[LP_FIELD_MAX - 1] = 's';
    assert_int_equal(lp_codes_request_hash(other, lp_span(OIN),
                                           lp_field(&field)), 0);
    assert_memory_not_equal(hash, other, sizeof(hash));
    /* one that is too long is refused, not cut */
    assert_int_equal(lp_code_name(name, lp_span(OIN),
                                  (lp_span_t) {ref, sizeof(ref)}, 0), 0);
    assert_int_equal(lp_codes_request_hash(hash, lp_span(OIN),
                                           (lp_span_t) {ref, sizeof(ref)}),
                     -1);
}

static void
test_redis_knows_codes_and_people_apart(void **state)
{
    char         hash[LP_CODE_HASH_LEN], again[LP_CODE_HASH_LEN];
    char         key[LP_KEY_MAX];
    lp_pepper_t *pepper = lp_pepper_create(lp_span("0123456789abcdef"));
    size_t       len;
    char         expected[LP_KEY_MAX + 1];

    (void) state;

    assert_non_null(pepper);
    assert_int_equal(lp_code_hash(hash, pepper, lp_span(CANONICAL)), 0);
    assert_int_equal(lp_user_key(again, pepper, lp_span("CODE"),
                                 lp_span(CANONICAL)), 0);
    assert_memory_equal(hash, again, sizeof(hash));
    assert_int_equal(lp_user_key(again, pepper, lp_span("ECK"),
                                 lp_span(CANONICAL)), 0);
    assert_memory_not_equal(hash, again, sizeof(hash));
    len = lp_key_code(key, hash);
    snprintf(expected, sizeof(expected), "code:{%02u}:%.22s",
             lp_shard((lp_span_t) {hash, sizeof(hash)}), hash);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(key, expected, len);
    lp_pepper_destroy(pepper);
}

static void
test_keys_of_tries_fit_the_longest_school(void **state)
{
    char   school[64], key[LP_KEY_MAX];
    size_t len;

    (void) state;

    memset(school, 's', sizeof(school));
    len = lp_key_tries_school(key, (lp_span_t) {school, sizeof(school)});
    assert_int_equal(len, strlen("tries:{00}:school:") + 64);
    assert_true(len + strlen(":level") <= LP_KEY_MAX);
    assert_int_equal(lp_key_tries(key, lp_span("AbCdEfGhIjKlMnOpQrStUv")),
                     strlen("tries:{00}:") + 22);
}

static void
test_waits_double_and_end(void **state)
{
    (void) state;

    assert_int_equal(lp_tries_wait(1, LP_TRIES_LONGEST), 900);
    assert_int_equal(lp_tries_wait(2, LP_TRIES_LONGEST), 1800);
    assert_int_equal(lp_tries_wait(3, LP_TRIES_LONGEST), 3600);
    assert_int_equal(lp_tries_wait(7, LP_TRIES_LONGEST), 57600);
    assert_int_equal(lp_tries_wait(8, LP_TRIES_LONGEST), 86400);
    assert_int_equal(lp_tries_wait(4000000000u, LP_TRIES_LONGEST), 86400);
    assert_int_equal(lp_tries_wait(3, LP_TRIES_LONGEST_SCHOOL), 3600);
    assert_int_equal(lp_tries_wait(9, LP_TRIES_LONGEST_SCHOOL), 3600);
    /* an incomplete reply must not shorten it */
    assert_int_equal(lp_tries_wait(0, LP_TRIES_LONGEST), 900);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_code_is_known_however_it_is_typed),
        cmocka_unit_test(test_what_is_no_code_is_none),
        cmocka_unit_test(test_ours_are_shown_in_groups_and_others_as_they_are),
        cmocka_unit_test(test_codes_differ_by_party_request_and_number),
        cmocka_unit_test(test_the_longest_reference_has_a_name),
        cmocka_unit_test(test_redis_knows_codes_and_people_apart),
        cmocka_unit_test(test_keys_of_tries_fit_the_longest_school),
        cmocka_unit_test(test_waits_double_and_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
