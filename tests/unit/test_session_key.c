/*
 * Protects the key that signs sessions: which one it is, that nobody else may
 * read it, and that a broken file changes nothing.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../sso/session_key.h"
#include "watched_file.h"

#define A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" /* 32 bytes of 0 */
#define B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBE"

static char folder[] = "/tmp/leerpoort-test-XXXXXX";
static char path[64], fresh[64];

/* In one step, as an operator should; then until the next look is due. */
static void
write_set(const char *text, mode_t mode)
{
    int64_t now;
    FILE   *file = fopen(fresh, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(fresh, mode), 0);
    assert_int_equal(rename(fresh, path), 0);
    for (now = lp_watched_clock(); now == lp_watched_clock();) {
        usleep(10000);
    }
}

static int
make_folder(void **state)
{
    (void) state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/session.jwks", folder);
    snprintf(fresh, sizeof(fresh), "%s/fresh", folder);
    return 0;
}

static int
remove_folder(void **state)
{
    (void) state;
    (void) unlink(path);
    return rmdir(folder);
}

static void
assert_signs(lp_session_key_t *key, const char *kid)
{
    const lp_private_key_t *signer = lp_session_key_signer(key, path);
    unsigned char           signature[LP_SIGNATURE_MAX];

    assert_non_null(signer);
    assert_string_equal(signer->kid, kid);
    assert_int_equal(signer->alg, LP_ALG_HS256);
    assert_int_equal(lp_private_key_sign(signer, signature, lp_span("x")), 32);
}

static void
test_the_first_key_signs_and_a_new_file_counts(void **state)
{
    lp_session_key_t *key = lp_session_key_create();

    (void) state;
    write_set("{\"keys\":[{\"kty\":\"oct\",\"kid\":\"one\",\"k\":\"" A
              "\"},{\"kty\":\"oct\",\"kid\":\"two\",\"k\":\"" B "\"}]}", 0600);
    assert_signs(key, "one");
    write_set("{\"keys\":[{\"kty\":\"oct\",\"kid\":\"two\",\"alg\":\"HS256\","
              "\"k\":\"" B "\"},{\"kty\":\"oct\",\"kid\":\"one\",\"k\":\"" A
              "\"}]}", 0400);
    assert_signs(key, "two");
    lp_session_key_destroy(key);
}

static void
test_what_cannot_be_used_leaves_the_key_before(void **state)
{
    static const struct {
        const char *text;
        mode_t      mode;
    } bad[] = {
        {"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"new\",\"k\":\"" B "\"}]}",
         0640},
        {"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"new\",\"k\":\"" B "\"}]}",
         0604},
        {"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"new\",\"k\":\"QUJD\"}]}",
         0600},
        /* an edge would take the second of these and not the first */
        {"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"new\",\"k\":\"QUJD\"},"
         "{\"kty\":\"oct\",\"kid\":\"old\",\"k\":\"" B "\"}]}", 0600},
        {"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"new\",\"use\":\"enc\","
         "\"k\":\"" B "\"},{\"kty\":\"oct\",\"kid\":\"old\",\"k\":\"" A
         "\"}]}", 0600},
        {"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"two\",\"k\":\"" B "\"},"
         "{\"kty\":\"oct\",\"kid\":\"two\",\"k\":\"" A "\"}]}", 0600},
        {"{\"keys\":[]}", 0600},
        {"{\"keys\":", 0600},
        {"", 0600},
    };
    lp_session_key_t *key = lp_session_key_create();
    size_t            i;

    (void) state;
    write_set("{\"keys\":[{\"kty\":\"oct\",\"k\":\"" A "\"}]}", 0600);
    assert_signs(key, "");
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_set(bad[i].text, bad[i].mode);
        assert_signs(key, "");
    }
    lp_session_key_destroy(key);
}

static void
test_without_a_file_nobody_signs(void **state)
{
    lp_session_key_t *key = lp_session_key_create();

    (void) state;
    (void) unlink(path);
    assert_null(lp_session_key_signer(key, NULL));
    assert_null(lp_session_key_signer(key, path));
    lp_session_key_destroy(key);
    lp_session_key_destroy(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_key_signs_and_a_new_file_counts),
        cmocka_unit_test(test_what_cannot_be_used_leaves_the_key_before),
        cmocka_unit_test(test_without_a_file_nobody_signs),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
