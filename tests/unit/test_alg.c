/*
 * Protects the list of algorithms, "none" above all, and the words for errors.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alg.h"
#include "jose_error.h"

static void
test_names_are_exact(void **state)
{
    int                      alg;
    size_t                   i;
    static const char *const strange[] = {
        "",       "none",  "None", "nOnE",   "NONE",   "rs256", "RS256 ",
        " RS256", "RS25",  "RS2566", "HS384", "HS512", "ES256K", "EdDSA\n",
        "eddsa",  "Ed25519", "RSA1_5", "dir", "unknown",
    };

    (void) state;

    for (alg = LP_ALG_UNKNOWN + 1; alg < LP_ALGS; alg++) {
        assert_int_equal(lp_alg_find(lp_span_of(lp_alg_name(alg))), alg);
    }

    for (i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
        assert_int_equal(lp_alg_find(lp_span_of(strange[i])), LP_ALG_UNKNOWN);
    }

    assert_int_equal(lp_alg_find((lp_span_t) {"RS256\0", 6}), LP_ALG_UNKNOWN);
    assert_int_equal(lp_alg_find((lp_span_t) {NULL, 0}), LP_ALG_UNKNOWN);
    assert_string_equal(lp_alg_name(LP_ALG_UNKNOWN), "unknown");
    assert_string_equal(lp_alg_name(LP_ALGS), "unknown");
    assert_string_equal(lp_alg_name(LP_ALG_EDDSA), "EdDSA");
}


static void
test_lists_hold_what_they_promise(void **state)
{
    int alg;

    (void) state;

    for (alg = LP_ALG_UNKNOWN; alg < LP_ALGS; alg++) {
        assert_int_equal(lp_algs_has(&lp_algs_jws, alg),
                         alg != LP_ALG_UNKNOWN && alg != LP_ALG_HS256);
        assert_int_equal(lp_algs_has(&lp_algs_token, alg),
                         alg != LP_ALG_UNKNOWN && alg != LP_ALG_HS256
                             && alg != LP_ALG_ES512);
    }
}


static void
test_a_list_takes_each_algorithm_once(void **state)
{
    int       alg;
    lp_algs_t algs;

    (void) state;

    algs.n = 0;
    assert_int_equal(lp_algs_add(&algs, LP_ALG_UNKNOWN), -1);
    assert_int_equal(lp_algs_add(&algs, LP_ALGS), -1);

    for (alg = LP_ALGS - 1; alg > LP_ALG_UNKNOWN; alg--) {
        assert_int_equal(lp_algs_add(&algs, alg), 0);
        assert_int_equal(lp_algs_add(&algs, alg), -1);
    }

    assert_int_equal(algs.n, LP_ALGS - 1);
    assert_int_equal(algs.list[0], LP_ALGS - 1);
}


static void
test_each_error_has_its_own_name_and_a_sentence(void **state)
{
    int         a, b;
    size_t      len;
    const char *text;

    (void) state;

    for (a = 0; a <= LP_JOSE_ERRORS; a++) {
        assert_non_null(lp_jose_error_name(a));
        text = lp_jose_error_text(a);
        assert_non_null(text);

        len = strlen(text);
        assert_true(len > 20);
        assert_int_equal(text[len - 1], '.');
        assert_true(text[0] >= 'A' && text[0] <= 'Z');
        assert_int_equal(strspn(lp_jose_error_name(a),
                                "abcdefghijklmnopqrstuvwxyz0123456789-"),
                         strlen(lp_jose_error_name(a)));

        for (b = 0; b < a; b++) {
            assert_string_not_equal(lp_jose_error_name(a),
                                    lp_jose_error_name(b));
            assert_string_not_equal(text, lp_jose_error_text(b));
        }
    }

    assert_string_equal(lp_jose_error_name(LP_JOSE_EXP_MISSING),
                        "exp-missing");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_exact),
        cmocka_unit_test(test_lists_hold_what_they_promise),
        cmocka_unit_test(test_a_list_takes_each_algorithm_once),
        cmocka_unit_test(test_each_error_has_its_own_name_and_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
