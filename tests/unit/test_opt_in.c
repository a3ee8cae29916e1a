/*
 * The consent of a target elsewhere: only the exact words, for the holder of
 * the token, until its day.
 */

#include "../../loadtest/opt_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* SHA-256 of "abc" (FIPS 180-2, appendix B.1). */
#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define GOOD "leerpoort-load sha256:" HEX " until:20260831"
#define TODAY 20260815

static lp_opt_in_t
judge(const char *text)
{
    return lp_opt_in_judge(lp_span_of(text), HEX, TODAY);
}

static void
test_the_hash_is_sha256_in_hex(void **state)
{
    char hex[LP_OPT_IN_HEX];

    (void) state;
    assert_int_equal(lp_opt_in_hash(hex, lp_span("abc")), 0);
    assert_string_equal(hex, HEX);
}

static void
test_the_exact_words_are_consent(void **state)
{
    (void) state;
    assert_int_equal(judge(GOOD), LP_OPT_IN_GIVEN);
    assert_int_equal(judge(" \r\n leerpoort-load\t sha256:" HEX
                           "\n until:20260831 \n"), LP_OPT_IN_GIVEN);
    assert_int_equal(judge("leerpoort-load sha256:" HEX " until:20260815"),
                     LP_OPT_IN_GIVEN); /* the last day counts */
}

static void
test_upper_case_hex_is_the_same(void **state)
{
    char   text[] = GOOD;
    size_t i;

    (void) state;
    for (i = 22; i < 22 + 64; i++) {
        text[i] = (char) (text[i] >= 'a' ? text[i] - 32 : text[i]);
    }
    assert_int_equal(judge(text), LP_OPT_IN_GIVEN);
}

static void
test_anything_else_is_none(void **state)
{
    static const char *const texts[] = {
        "", " ", "leerpoort-load", "ok", "<html>" GOOD "</html>",
        GOOD " more", "x " GOOD, "leerpoort-load until:20260831 sha256:" HEX,
        "leerpoort-load sha256: until:20260831",
        "leerpoort-load sha256:" HEX "0 until:20260831",
        "leerpoort-load sha256:" HEX " until:2026083",
        "leerpoort-load sha256:" HEX " until:20260832",
        "leerpoort-load sha256:" HEX " until:2026-8-1",
        "leerpoort-load sha512:" HEX " until:20260831",
        "Leerpoort-load sha256:" HEX " until:20260831",
        "leerpoort-load sha256:zz7816bf8f01cfea414140de5dae2223b00361a396177a9"
        "cb410ff61f20015ad until:20260831",
        "leerpoort-loadsha256:" HEX "until:20260831",
    };
    unsigned i;

    (void) state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(judge(texts[i]), LP_OPT_IN_NONE);
    }
    assert_int_equal(lp_opt_in_judge((lp_span_t) {"leerpoort-load\0", 15},
                                     HEX, TODAY), LP_OPT_IN_NONE);
}

static void
test_a_text_beyond_the_bound_is_none(void **state)
{
    char text[LP_OPT_IN_MAX + 2];

    (void) state;
    memset(text, ' ', sizeof(text));
    memcpy(text, GOOD, sizeof(GOOD) - 1);
    assert_int_equal(lp_opt_in_judge((lp_span_t) {text, LP_OPT_IN_MAX}, HEX,
                                     TODAY), LP_OPT_IN_GIVEN);
    assert_int_equal(lp_opt_in_judge((lp_span_t) {text, LP_OPT_IN_MAX + 1},
                                     HEX, TODAY), LP_OPT_IN_NONE);
}

static void
test_another_token_and_another_day_are_told_apart(void **state)
{
    char other[] = HEX;

    (void) state;
    other[63] = 'e';
    assert_int_equal(lp_opt_in_judge(lp_span(GOOD), other, TODAY),
                     LP_OPT_IN_OTHER);
    assert_int_equal(judge("leerpoort-load sha256:" HEX " until:20260814"),
                     LP_OPT_IN_PAST);
}

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(chmod(path, 0600), 0);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void
test_a_token_s_file_loses_one_newline(void **state)
{
    char path[] = "/tmp/leerpoort-opt-in-XXXXXX", hex[LP_OPT_IN_HEX];
    char expected[LP_OPT_IN_HEX];
    int  fd = mkstemp(path);

    (void) state;
    assert_true(fd != -1);
    close(fd);
    lp_opt_in_hash(expected, lp_span("0123456789abcdef"));
    write_file(path, "0123456789abcdef\n");
    assert_int_equal(lp_opt_in_file(hex, path), 0);
    assert_string_equal(hex, expected);
    write_file(path, "0123456789abcdef");
    assert_int_equal(lp_opt_in_file(hex, path), 0);
    assert_string_equal(hex, expected);
    write_file(path, "0123456789abcde\n"); /* 15 bytes */
    assert_int_equal(lp_opt_in_file(hex, path), -1);
    write_file(path, "");
    assert_int_equal(lp_opt_in_file(hex, path), -1);
    unlink(path);
    assert_int_equal(lp_opt_in_file(hex, path), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_hash_is_sha256_in_hex),
        cmocka_unit_test(test_the_exact_words_are_consent),
        cmocka_unit_test(test_upper_case_hex_is_the_same),
        cmocka_unit_test(test_anything_else_is_none),
        cmocka_unit_test(test_a_text_beyond_the_bound_is_none),
        cmocka_unit_test(test_another_token_and_another_day_are_told_apart),
        cmocka_unit_test(test_a_token_s_file_loses_one_newline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
