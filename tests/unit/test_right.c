/*
 * Protects the right record: what is written is what is read, and a damaged
 * record is no right.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../core/right.h"

#define UUID "JOOUVFNgS6SBnwPlm43WeQ"

static const char sample[] = "L 20260901 20270731 " UUID;

static int
parses(const char *text)
{
    lp_right_t right;

    return lp_right_parse(&right, lp_span_of(text)) == 0;
}

/* Refused, or the only spelling of what it says. */
static int
refused_or_same(lp_span_t text)
{
    lp_right_t right;
    char       again[LP_RIGHT_MAX];
    size_t     len;

    if (lp_right_parse(&right, text) != 0) {
        return 1;
    }

    len = lp_right_format(again, &right);

    return lp_span_equal(text, (lp_span_t) {again, len});
}

static void
test_the_sample_of_the_design(void **state)
{
    lp_right_t right;

    (void) state;

    assert_int_equal(lp_right_parse(&right, lp_span_of(sample)), 0);
    assert_int_equal(right.state, LP_LICENSED);
    assert_int_equal(right.from, 20260901);
    assert_int_equal(right.until, 20270731);
    assert_memory_equal(right.entitlement, UUID, LP_ENTITLEMENT_LEN);
}

static void
test_every_state_and_every_kind_of_day_come_back(void **state)
{
    static const lp_state_t states[] = {LP_ENTITLED, LP_LICENSED, LP_BLOCKED,
                                        LP_OPEN};
    static const uint32_t   days[] = {0,        19000101, 20240229, 20260731,
                                      20260801, 99991231};
    lp_right_t              right, again;
    char                    text[LP_RIGHT_MAX];
    size_t                  s, f, u, len;
    int                     result;

    (void) state;

    for (s = 0; s < 4; s++) {
        for (f = 0; f < 6; f++) {
            for (u = 0; u < 6; u++) {
                right.state = states[s];
                right.from = days[f];
                right.until = days[u];
                memcpy(right.entitlement, UUID, LP_ENTITLEMENT_LEN);

                len = lp_right_format(text, &right);
                assert_true(len <= LP_RIGHT_MAX);

                result = lp_right_parse(&again, (lp_span_t) {text, len});

                if (right.from != 0 && right.until != 0
                    && right.from > right.until) {
                    assert_int_equal(result, -1);
                    continue;
                }

                assert_int_equal(result, 0);
                assert_int_equal(again.state, right.state);
                assert_int_equal(again.from, right.from);
                assert_int_equal(again.until, right.until);
                assert_memory_equal(again.entitlement, UUID,
                                    LP_ENTITLEMENT_LEN);
            }
        }
    }
}

static void
test_every_last_character_of_the_entitlement(void **state)
{
    char     text[sizeof(sample)];
    unsigned c, accepted;

    (void) state;

    memcpy(text, sample, sizeof(sample));
    accepted = 0;

    for (c = 1; c < 256; c++) {
        text[sizeof(sample) - 2] = (char) c;
        accepted += (unsigned) parses(text);
    }

    /* 128 bits leave four unused: A, Q, g, w */
    assert_int_equal(accepted, 4);
}

static void
test_every_corrupted_byte_is_refused_or_means_what_it_says(void **state)
{
    static const char *records[] = {
        "L 20260901 20270731 " UUID, "E 20260901 - " UUID,
        "B - 20270731 " UUID,        "O - - " UUID,
    };
    char     text[LP_RIGHT_MAX];
    size_t   r, i, len;
    unsigned c;

    (void) state;

    for (r = 0; r < 4; r++) {
        len = strlen(records[r]);

        for (i = 0; i < len; i++) {
            for (c = 0; c < 256; c++) {
                memcpy(text, records[r], len);
                text[i] = (char) c;
                assert_true(refused_or_same((lp_span_t) {text, len}));

                /* one more byte, before byte i */
                memmove(text + i + 1, text + i, len - i);
                text[i] = (char) c;
                assert_true(refused_or_same((lp_span_t) {text, len + 1}));
            }

            /* one byte less, and the end cut off */
            memcpy(text, records[r], len);
            memmove(text + i, text + i + 1, len - i - 1);
            assert_true(refused_or_same((lp_span_t) {text, len - 1}));
            assert_int_equal(
                lp_right_parse(&(lp_right_t) {0},
                               (lp_span_t) {records[r], i}),
                -1);
        }
    }
}

static void
test_what_is_no_record_is_refused(void **state)
{
    (void) state;

    assert_true(parses(sample));
    assert_false(parses(""));
    assert_false(parses("L"));
    assert_false(parses("l 20260901 20270731 " UUID));
    assert_false(parses("X 20260901 20270731 " UUID));
    assert_false(parses(" L 20260901 20270731 " UUID));
    assert_false(parses("L 20260901 20270731 " UUID " "));
    assert_false(parses("L 20260901 20270731 " UUID "\n"));
    assert_false(parses("L  20260901 20270731 " UUID));
    assert_false(parses("L\t20260901 20270731 " UUID));
    assert_false(parses("L 20260229 20270731 " UUID));
    assert_false(parses("L 20260901 20271301 " UUID));
    assert_false(parses("L 00000000 20270731 " UUID));
    assert_false(parses("L -20260901 20270731 " UUID));
    assert_false(parses("L 2026901 20270731 " UUID));
    assert_false(parses("L 20260901 20260831 " UUID));
    assert_true(parses("L 20260901 20260901 " UUID));
    assert_false(parses("L 20260901 20270731 -"));
    assert_false(parses("L 20260901 20270731 " UUID "=="));
    assert_false(parses("L 20260901 20270731 JOOUVFNgS6SBnwPlm43We"));
    assert_false(parses("L 20260901 20270731 JOOUVFNgS6SBnwPlm4+WeQ"));
}

static void
test_a_refused_record_leaves_the_right_as_it_was(void **state)
{
    lp_right_t right, before;

    (void) state;

    memset(&right, 0x5a, sizeof(right));
    before = right;

    assert_int_equal(
        lp_right_parse(&right, lp_span("L 20260901 20260831 " UUID)), -1);
    assert_memory_equal(&right, &before, sizeof(right));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_sample_of_the_design),
        cmocka_unit_test(test_every_state_and_every_kind_of_day_come_back),
        cmocka_unit_test(test_every_last_character_of_the_entitlement),
        cmocka_unit_test(
            test_every_corrupted_byte_is_refused_or_means_what_it_says),
        cmocka_unit_test(test_what_is_no_record_is_refused),
        cmocka_unit_test(test_a_refused_record_leaves_the_right_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
