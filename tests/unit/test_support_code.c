/*
 * Protects support codes: what goes in comes out, and what a pupil misreads or
 * an operator mistypes is noticed.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/jose_error.h"
#include "../../core/launch_fault.h"
#include "../../core/support_code.h"

#define ALPHABET "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#define LEN      LP_SUPPORT_CODE_LEN

static const int64_t times[] = {
    INT64_C(1767225600), /* 2026-01-01, the first */
    INT64_C(1767225660), INT64_C(1788249611), INT64_C(1795388940),
    INT64_C(2270542079), /* 2041, the last */
};

static int
reads(const char *text, size_t len)
{
    lp_support_code_t code;

    return lp_support_code_read(&code, (lp_span_t) {text, len}) == 0;
}

static void
write_code(char *text, unsigned problem, unsigned reason, int64_t at,
           unsigned salt)
{
    lp_support_code_t code = {(lp_problem_t) problem, reason, at, salt};

    lp_support_code_write(text, &code);
}

static void
test_everything_comes_back(void **state)
{
    lp_support_code_t code;
    char              text[LEN];
    unsigned          problem, reason, salt;
    size_t            t;

    (void) state;
    for (problem = 0; problem < LP_PROBLEMS; problem++) {
        if (!lp_problem_exists(problem)) {
            continue;
        }
        for (reason = 0; reason < LP_JOSE_ERRORS; reason++) {
            for (t = 0; t < sizeof(times) / sizeof(times[0]); t++) {
                salt = (problem * 7 + reason * 31 + (unsigned) t) & 0xff;
                write_code(text, problem, reason, times[t], salt);
                assert_int_equal(text[5], '-');
                assert_int_equal(
                    lp_support_code_read(&code, (lp_span_t) {text, LEN}), 0);
                assert_int_equal(code.problem, problem);
                assert_int_equal(code.reason, reason);
                assert_int_equal(code.at, times[t] - times[t] % 60);
                assert_int_equal(code.salt, salt);
            }
        }
    }
}

/* Of some codes every character is replaced by every other one. */
static void
test_a_wrong_character_is_noticed(void **state)
{
    char     text[LEN], wrong[LEN];
    unsigned salt;
    size_t   i, c;

    (void) state;
    for (salt = 0; salt < 256; salt++) {
        write_code(text, LP_NO_RIGHT, salt % LP_JOSE_ERRORS,
                   times[2] + salt * 60, salt);
        for (i = 0; i < LEN; i++) {
            for (c = 0; i != 5 && c < 32; c++) {
                memcpy(wrong, text, LEN);
                wrong[i] = ALPHABET[c];
                assert_int_equal(reads(wrong, LEN), text[i] == wrong[i]);
            }
        }
    }
}

static void
test_two_that_changed_places_are_noticed(void **state)
{
    char     text[LEN], wrong[LEN];
    unsigned salt;
    size_t   i, j;

    (void) state;
    for (salt = 0; salt < 256; salt++) {
        write_code(text, LP_UNAVAILABLE, 0, times[3] + salt * 60, salt);
        for (i = 0; i < LEN; i++) {
            for (j = i + 1; j < LEN; j++) {
                if (i == 5 || j == 5) {
                    continue;
                }
                memcpy(wrong, text, LEN);
                wrong[i] = text[j];
                wrong[j] = text[i];
                assert_int_equal(reads(wrong, LEN), text[i] == text[j]);
            }
        }
    }
}

static void
test_a_missing_or_further_character_is_noticed(void **state)
{
    char text[LEN + 1];

    (void) state;
    write_code(text, LP_ENDED, 0, times[2], 77);
    text[LEN] = '0';
    assert_true(reads(text, LEN));
    assert_false(reads(text, LEN - 1));
    assert_false(reads(text + 1, LEN - 1));
    assert_false(reads(text, LEN + 1));
    assert_false(reads("", 0));
}

static void
test_people_write_codes_as_they_like(void **state)
{
    lp_support_code_t code, same;
    char              text[LEN + 1], other[64];
    size_t            i, n;
    unsigned          salt;

    (void) state;
    for (salt = 0; salt < 256; salt++) {
        write_code(text, LP_NOT_YET, 0, times[2] + salt * 60, salt);
        n = 0;
        other[n++] = ' ';
        for (i = 0; i < LEN; i++) {
            if (text[i] == '-') {
                continue;
            }
            other[n] = text[i];
            if (text[i] == '0') {
                other[n] = i % 2 ? 'o' : 'O';
            } else if (text[i] == '1') {
                other[n] = "iIlL"[i % 4];
            } else if (text[i] > '9') {
                other[n] = (char) (text[i] | 0x20);
            }
            n++;
            other[n++] = i % 3 ? ' ' : '-';
        }
        assert_int_equal(
            lp_support_code_read(&code, (lp_span_t) {text, LEN}), 0);
        assert_int_equal(
            lp_support_code_read(&same, (lp_span_t) {other, n}), 0);
        assert_int_equal(code.problem, same.problem);
        assert_int_equal(code.at, same.at);
        assert_int_equal(code.salt, same.salt);
    }
}

static void
test_foreign_characters_make_no_code(void **state)
{
    static const char wrong[] = "uU.,/_'\"\\\xc3\n\t";
    char              text[LEN];
    size_t            i;

    (void) state;
    for (i = 0; i < sizeof(wrong); i++) { /* the NUL too */
        write_code(text, LP_NO_RIGHT, 0, times[2], 3);
        text[3] = wrong[i];
        assert_false(reads(text, LEN));
    }
}

/* A number without a problem, or a reason from nowhere, is no code of ours. */
static void
test_numbers_that_mean_nothing_make_no_code(void **state)
{
    char     text[LEN];
    unsigned n;

    (void) state;
    for (n = 0; n < 64; n++) {
        write_code(text, n, 0, times[2], n);
        assert_int_equal(reads(text, LEN), lp_problem_exists(n));
        write_code(text, LP_NO_RIGHT, n, times[2], n);
        assert_int_equal(reads(text, LEN),
                         n < LP_JOSE_ERRORS || lp_lti_fault_exists(n));
    }
    write_code(text, LP_NO_RIGHT, 64, times[2], 1); /* too large: none */
    assert_true(reads(text, LEN));
}

static void
test_times_outside_become_the_first_and_the_last(void **state)
{
    lp_support_code_t code;
    char              text[LEN];

    (void) state;
    write_code(text, LP_LOGIN, 0, -5, 0);
    assert_int_equal(lp_support_code_read(&code, (lp_span_t) {text, LEN}), 0);
    assert_int_equal(code.at, times[0]);
    write_code(text, LP_LOGIN, 0, INT64_C(99999999999), 0);
    assert_int_equal(lp_support_code_read(&code, (lp_span_t) {text, LEN}), 0);
    assert_int_equal(code.at, times[0] + INT64_C(0x7fffff) * 60);
}

/* One that somebody wrote down: the format must not change. */
static void
test_codes_of_before_are_still_read(void **state)
{
    lp_support_code_t code;

    (void) state;
    assert_int_equal(lp_support_code_read(&code, lp_span("0G03J-K3E6H")), 0);
    assert_int_equal(code.problem, LP_NO_RIGHT);
    assert_int_equal(code.reason, 0);
    assert_int_equal(code.at, INT64_C(1795388940));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_comes_back),
        cmocka_unit_test(test_a_wrong_character_is_noticed),
        cmocka_unit_test(test_two_that_changed_places_are_noticed),
        cmocka_unit_test(test_a_missing_or_further_character_is_noticed),
        cmocka_unit_test(test_people_write_codes_as_they_like),
        cmocka_unit_test(test_foreign_characters_make_no_code),
        cmocka_unit_test(test_numbers_that_mean_nothing_make_no_code),
        cmocka_unit_test(test_times_outside_become_the_first_and_the_last),
        cmocka_unit_test(test_codes_of_before_are_still_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
