/*
 * Protects ids that wait in Redis: without the key file nobody reads them, and
 * nothing changed is taken for ours.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../workers/seal.h"

#define ID "{\"userMasterIdentifier\":\"https://ketenid.nl/201703/aa\"}"

static const char file[] = "0123456789abcdef0123456789abcdef\n";

static int
open_seal(void **state)
{
    *state = lp_seal_create((lp_span_t) {file, sizeof(file) - 1});
    return *state == NULL;
}

static int
close_seal(void **state)
{
    lp_seal_destroy(*state);
    return 0;
}

static int
opens(lp_seal_t *seal, const char *what, const char *sealed, size_t len)
{
    char   text[LP_SEAL_TEXT_MAX];
    size_t n;

    return lp_seal_open(seal, text, &n, what, (lp_span_t) {sealed, len}) == 0;
}

static void
test_what_is_sealed_can_be_opened(void **state)
{
    static char full[LP_SEAL_TEXT_MAX];
    char        sealed[LP_SEAL_SEALED_MAX], text[LP_SEAL_TEXT_MAX];
    lp_span_t   texts[] = {lp_span(ID), lp_span(""), {full, sizeof(full)}};
    size_t      len, n;
    unsigned    i;

    memset(full, 0xff, sizeof(full));
    for (i = 0; i < 3; i++) {
        n = lp_seal_close(*state, sealed, "person", texts[i]);
        assert_true(n > 0 && n <= sizeof(sealed));
        assert_int_equal(lp_seal_open(*state, text, &len, "person",
                                      (lp_span_t) {sealed, n}), 0);
        assert_true(lp_span_equal(texts[i], (lp_span_t) {text, len}));
    }
    assert_int_equal(lp_seal_close(*state, sealed, "person",
                                   (lp_span_t) {full, sizeof(full) + 1}), 0);
}

/* Two of the same person can't be told to be. */
static void
test_each_sealing_differs(void **state)
{
    char   one[LP_SEAL_SEALED_MAX], two[LP_SEAL_SEALED_MAX];
    size_t n, m;

    n = lp_seal_close(*state, one, "person", lp_span(ID));
    m = lp_seal_close(*state, two, "person", lp_span(ID));
    assert_int_equal(n, m);
    assert_memory_not_equal(one, two, n);
    assert_null(memmem(one, n, "ketenid", 7));
}

/* Another character in every place, and every shorter text. */
static void
test_what_was_changed_is_refused(void **state)
{
    char   sealed[LP_SEAL_SEALED_MAX], kept;
    size_t n, i;

    n = lp_seal_close(*state, sealed, "person", lp_span(ID));
    for (i = 0; i < n; i++) {
        kept = sealed[i];
        sealed[i] = kept == 'A' ? 'B' : 'A';
        assert_false(opens(*state, "person", sealed, n));
        sealed[i] = kept;
        assert_false(opens(*state, "person", sealed, i));
    }
    assert_true(opens(*state, "person", sealed, n));
    assert_false(opens(*state, "code", sealed, n));
    assert_false(opens(*state, "", sealed, n));
    assert_false(opens(*state, "person", NULL, 0));
}

static void
test_another_key_file_opens_nothing(void **state)
{
    char       sealed[LP_SEAL_SEALED_MAX];
    lp_seal_t *other;
    size_t     n;

    n = lp_seal_close(*state, sealed, "person", lp_span(ID));
    other = lp_seal_create(lp_span("another file of thirty-two bytes"));
    assert_non_null(other);
    assert_false(opens(other, "person", sealed, n));
    lp_seal_destroy(other);

    other = lp_seal_create((lp_span_t) {file, sizeof(file) - 1});
    assert_true(opens(other, "person", sealed, n));
    lp_seal_destroy(other);
}

static void
test_short_and_endless_key_files_are_refused(void **state)
{
    static char big[4097];

    (void) state;
    assert_null(lp_seal_create((lp_span_t) {file, 31}));
    assert_null(lp_seal_create((lp_span_t) {NULL, 0}));
    assert_null(lp_seal_create((lp_span_t) {big, sizeof(big)}));
}

static void
test_codes_have_the_shape_of_edu_v_and_come_again(void **state)
{
    static const char allowed[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    char     code[29], again[29], other[29];
    unsigned i;

    assert_int_equal(lp_seal_code(*state, code, lp_span("p|r|1")), 0);
    assert_int_equal(lp_seal_code(*state, again, lp_span("p|r|1")), 0);
    assert_int_equal(lp_seal_code(*state, other, lp_span("p|r|2")), 0);
    assert_memory_equal(code, again, 29);
    assert_memory_not_equal(code, other, 29);

    for (i = 0; i < 29; i++) {
        if (i % 6 == 5) {
            assert_int_equal(code[i], '-');
        } else {
            assert_non_null(memchr(allowed, code[i], 32));
        }
    }
}

/* All characters in all places: no bit of the hash is lost on the way. */
static void
test_codes_use_all_their_room(void **state)
{
    unsigned char seen[29][256] = {{0}};
    char          code[29], name[2];
    unsigned      i, j, n;

    for (i = 0; i < 1000; i++) {
        name[0] = (char) (i / 100);
        name[1] = (char) (i % 100);
        assert_int_equal(lp_seal_code(*state, code, (lp_span_t) {name, 2}), 0);
        for (j = 0; j < 29; j++) {
            seen[j][(unsigned char) code[j]] = 1;
        }
    }
    for (j = 0; j < 29; j++) {
        n = 0;
        for (i = 0; i < 256; i++) {
            n += seen[j][i];
        }
        assert_int_equal(n, j % 6 == 5 ? 1 : 32);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_sealed_can_be_opened),
        cmocka_unit_test(test_each_sealing_differs),
        cmocka_unit_test(test_what_was_changed_is_refused),
        cmocka_unit_test(test_another_key_file_opens_nothing),
        cmocka_unit_test(test_short_and_endless_key_files_are_refused),
        cmocka_unit_test(test_codes_have_the_shape_of_edu_v_and_come_again),
        cmocka_unit_test(test_codes_use_all_their_room),
    };

    return cmocka_run_group_tests(tests, open_seal, close_seal);
}
