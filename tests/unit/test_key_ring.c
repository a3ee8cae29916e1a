/*
 * Protects the key ring: which key signs when, and for how long one is
 * published.
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

#include "key_ring.h"
#include "private_jwk.h"
#include "key_file.h"

#define NOW 1800000000

static char folder[] = "/tmp/leerpoort-test-XXXXXX";

static void
path_of(char *dst, size_t size, const char *kid)
{
    snprintf(dst, size, "%s/%s.jwk", folder, kid);
}

/* A key file; from -1: without the member nbf. */
static void
add_key(const char *kid, lp_alg_t alg, int64_t from)
{
    lp_private_key_t key;
    char             path[128];
    json_t          *jwk;

    assert_int_equal(lp_private_key_new(&key, alg, kid), 0);
    jwk = lp_jwk_write(&key, 1);
    assert_non_null(jwk);
    if (from != -1) {
        json_object_set_new(jwk, "nbf", json_integer(from));
    }
    path_of(path, sizeof(path), kid);
    assert_int_equal(json_dump_file(jwk, path, 0), 0);
    assert_int_equal(chmod(path, 0600), 0);
    json_decref(jwk);
    lp_private_key_free(&key);
}

static void
drop_key(const char *kid)
{
    char path[128];

    path_of(path, sizeof(path), kid);
    assert_int_equal(unlink(path), 0);
}

static int
make_folder(void **state)
{
    (void) state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
remove_folder(void **state)
{
    (void) state;
    return rmdir(folder);
}


static void
test_the_last_key_that_has_begun_signs(void **state)
{
    lp_key_folder_t ring;

    (void) state;

    add_key("b", LP_ALG_ES256, NOW + 600);
    add_key("c", LP_ALG_ES256, -1);
    add_key("a", LP_ALG_ES256, NOW);

    assert_int_equal(lp_key_file_folder(&ring, folder), 0);
    assert_int_equal(ring.n, 3);
    assert_int_equal(ring.left_out, 0);
    assert_string_equal(ring.keys[0].key.kid, "c");
    assert_string_equal(ring.keys[1].key.kid, "a");
    assert_string_equal(ring.keys[2].key.kid, "b");

    assert_int_equal(lp_key_folder_signer(&ring, 0), 0);
    assert_int_equal(lp_key_folder_signer(&ring, NOW - 1), 0);
    assert_int_equal(lp_key_folder_signer(&ring, NOW), 1);
    assert_int_equal(lp_key_folder_signer(&ring, NOW + 599), 1);
    assert_int_equal(lp_key_folder_signer(&ring, NOW + 600), 2);
    assert_int_equal(lp_key_folder_signer(&ring, INT64_MAX), 2);

    /* six hours and ten minutes after it signed last */
    assert_int_equal(lp_key_folder_published_until(&ring, 0), NOW + 22200);
    assert_int_equal(lp_key_folder_published_until(&ring, 1),
                     NOW + 600 + 22200);
    assert_true(lp_key_folder_published_until(&ring, 2) == INT64_MAX);

    lp_key_folder_free(&ring);
    drop_key("a");
    drop_key("b");
    drop_key("c");
}


static void
test_none_has_begun(void **state)
{
    lp_key_ring_t *ring;
    const char    *reason;

    (void) state;

    add_key("later", LP_ALG_RS256, NOW + 1);
    ring = lp_key_ring_open(folder, &reason);
    assert_non_null(ring);
    assert_null(lp_key_ring_signer(ring, NOW));
    assert_non_null(lp_key_ring_signer(ring, NOW + 1));
    assert_string_equal(lp_key_ring_signer(ring, NOW + 1)->kid, "later");
    lp_key_ring_close(ring);
    drop_key("later");
}


static void
test_what_is_no_key_is_left_out(void **state)
{
    lp_key_folder_t ring;
    char      path[128], other[128];
    FILE     *file;

    (void) state;

    add_key("good", LP_ALG_ES256, NOW);
    add_key("secret", LP_ALG_HS256, NOW);
    add_key("negative", LP_ALG_ES256, -2);
    add_key("mine", LP_ALG_ES256, NOW);
    path_of(path, sizeof(path), "mine");
    path_of(other, sizeof(other), "yours");
    assert_int_equal(rename(path, other), 0);
    path_of(path, sizeof(path), "empty");
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);

    assert_int_equal(lp_key_file_folder(&ring, folder), 0);
    assert_int_equal(ring.n, 1);
    assert_int_equal(ring.left_out, 4);
    assert_string_equal(ring.keys[0].key.kid, "good");
    lp_key_folder_free(&ring);

    drop_key("good");
    drop_key("secret");
    drop_key("negative");
    drop_key("yours");
    drop_key("empty");
}


static void
test_files_in_the_making_do_not_count(void **state)
{
    lp_key_folder_t ring;
    char      path[128], hidden[128];

    (void) state;

    add_key("k", LP_ALG_ES256, NOW);
    path_of(path, sizeof(path), "k");
    path_of(hidden, sizeof(hidden), ".new-k");
    assert_int_equal(rename(path, hidden), 0);
    assert_int_equal(lp_key_file_folder(&ring, folder), 0);
    assert_int_equal(ring.n + ring.left_out, 0);
    lp_key_folder_free(&ring);
    drop_key(".new-k");
}


static void
test_a_folder_without_keys_is_no_ring(void **state)
{
    const char *reason = NULL;

    (void) state;

    assert_null(lp_key_ring_open(folder, &reason));
    assert_non_null(strstr(reason, "key rotate"));
    assert_null(lp_key_ring_open("/none/at/all", &reason));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_key_that_has_begun_signs),
        cmocka_unit_test(test_none_has_begun),
        cmocka_unit_test(test_what_is_no_key_is_left_out),
        cmocka_unit_test(test_files_in_the_making_do_not_count),
        cmocka_unit_test(test_a_folder_without_keys_is_no_ring),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
