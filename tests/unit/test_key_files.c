/*
 * Protects the reader of fetched keys: what it takes, what it keeps, and whom
 * it asks.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../sso/key_files.h"
#include "private_jwk.h"

#define ISSUER "https://op.example"

static char folder[] = "/tmp/leerpoort-test-XXXXXX";

static void
path_of(char *dst, size_t size, const char *name)
{
    snprintf(dst, size, "%s/%s", folder, name);
}

/* Replaces a file as leerpoort-keys does. */
static void
put(const char *name, const char *text)
{
    char  path[128], fresh[128];
    FILE *file;

    path_of(path, sizeof(path), name);
    path_of(fresh, sizeof(fresh), "fresh");
    file = fopen(fresh, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(fresh, path), 0);
}

static void
drop(const char *name)
{
    char path[128];

    path_of(path, sizeof(path), name);
    assert_int_equal(unlink(path), 0);
}

static void
put_key(const char *name, const char *kid)
{
    lp_private_key_t key;
    json_t          *set;
    char            *text;

    assert_int_equal(lp_private_key_new(&key, LP_ALG_ES256, kid), 0);
    set = json_pack("{s:[o]}", "keys", lp_jwk_write(&key, 0));
    assert_non_null(set);
    text = json_dumps(set, 0);
    assert_non_null(text);
    put(name, text);
    free(text);
    json_decref(set);
    lp_private_key_free(&key);
}

static int
has_key(const lp_jwks_t *jwks, const char *kid)
{
    const lp_key_t *key;

    return jwks != NULL
           && lp_jwks_find(jwks, lp_span_of(kid), LP_ALG_ES256, &key)
                  == LP_JOSE_OK;
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
test_keys_follow_their_file(void **state)
{
    lp_key_files_t  *files = lp_key_files_open(folder, NULL);
    const lp_jwks_t *first;
    lp_span_t        name = lp_span("entree");

    (void) state;

    assert_non_null(files);
    assert_null(lp_key_files_jwks(files, name, &lp_algs_token));

    put_key("entree.jwks.json", "a");
    first = lp_key_files_jwks(files, name, &lp_algs_token);
    assert_true(has_key(first, "a"));

    /* who holds the old keys in this turn of the loop goes on with them */
    put_key("entree.jwks.json", "b");
    assert_true(has_key(lp_key_files_jwks(files, name, &lp_algs_token), "b"));
    assert_true(has_key(first, "a"));

    /* a broken file is not believed, one that is gone is gone */
    put("entree.jwks.json", "{\"keys\": [");
    assert_true(has_key(lp_key_files_jwks(files, name, &lp_algs_token), "b"));
    drop("entree.jwks.json");
    assert_null(lp_key_files_jwks(files, name, &lp_algs_token));
    lp_key_files_close(files);
}


static void
test_keys_are_for_the_algorithms_of_who_asks(void **state)
{
    lp_key_files_t *files = lp_key_files_open(folder, NULL);
    lp_algs_t       rsa = {1, {LP_ALG_RS256}};

    (void) state;

    put_key("entree.jwks.json", "a");
    assert_null(lp_key_files_jwks(files, lp_span("entree"), &rsa));
    assert_true(has_key(lp_key_files_jwks(files, lp_span("entree"),
                                          &lp_algs_token), "a"));
    assert_null(lp_key_files_jwks(files, lp_span("entree"), &rsa));
    drop("entree.jwks.json");
    lp_key_files_close(files);
}


static void
test_a_name_leads_nowhere_else(void **state)
{
    lp_key_files_t *files = lp_key_files_open(folder, NULL);
    char            name[66];

    (void) state;

    memset(name, 'a', sizeof(name));
    assert_null(lp_key_files_jwks(files, lp_span("../etc/x"), &lp_algs_token));
    assert_null(lp_key_files_jwks(files, lp_span(""), &lp_algs_token));
    assert_null(lp_key_files_jwks(files, (lp_span_t) {name, 65},
                                  &lp_algs_token));
    lp_key_files_close(files);
}


/* What is written to stderr from here to heard_since(). */
static int
listen_to_stderr(FILE **heard)
{
    int before = dup(2);

    *heard = tmpfile();
    assert_true(before != -1 && *heard != NULL);
    assert_int_equal(dup2(fileno(*heard), 2), 2);
    return before;
}

static const char *
heard_since(FILE *heard, int before)
{
    static char text[512];
    size_t      n;

    assert_int_equal(dup2(before, 2), 2);
    close(before);
    rewind(heard);
    n = fread(text, 1, sizeof(text) - 1, heard);
    text[n] = '\0';
    fclose(heard);
    return text;
}


static void
test_a_folder_that_is_not_there_is_said_and_looked_for(void **state)
{
    lp_key_files_t *files;
    char            path[128];
    FILE           *heard;
    int             before;

    (void) state;

    path_of(path, sizeof(path), "later");
    before = listen_to_stderr(&heard);
    files = lp_key_files_open(path, NULL);
    assert_non_null(files);
    assert_null(lp_key_files_jwks(files, lp_span("entree"), &lp_algs_token));
    assert_non_null(strstr(heard_since(heard, before),
                           "can't be looked for in /tmp/leerpoort-test-"));

    assert_int_equal(mkdir(path, 0755), 0);
    put_key("later/entree.jwks.json", "a");
    assert_true(has_key(lp_key_files_jwks(files, lp_span("entree"),
                                          &lp_algs_token), "a"));
    drop("later/entree.jwks.json");
    assert_int_equal(rmdir(path), 0);
    lp_key_files_close(files);
}


static void
test_metadata_is_of_the_issuer_that_was_meant(void **state)
{
    lp_key_files_t *files = lp_key_files_open(folder, NULL);
    lp_span_t       name = lp_span("entree"), issuer = lp_span(ISSUER);
    const json_t   *metadata;

    (void) state;

    put("entree.discovery.json", "{\"issuer\": \"" ISSUER "\", \"x\": \"y\"}");
    metadata = lp_key_files_discovery(files, name, issuer);
    assert_non_null(metadata);
    assert_string_equal(json_string_value(json_object_get(metadata, "x")),
                        "y");
    assert_null(lp_key_files_discovery(files, name, lp_span(ISSUER "/")));
    assert_null(lp_key_files_discovery(files, name, lp_span("")));

    put("entree.discovery.json", "[]");
    assert_non_null(lp_key_files_discovery(files, name, issuer));
    put("entree.discovery.json", "{\"issuer\": 1}");
    assert_null(lp_key_files_discovery(files, name, issuer));
    drop("entree.discovery.json");
    lp_key_files_close(files);
}


static void
test_asks_once_a_second_and_waits_for_nobody(void **state)
{
    struct sockaddr_un at;
    lp_key_files_t    *files;
    char               path[100], got[1024];
    int                fd, i;

    (void) state;

    path_of(path, sizeof(path), "keys.sock");
    files = lp_key_files_open(folder, path);
    assert_non_null(files);
    lp_key_files_ask(files, lp_span("https://nobody.example"));

    memset(&at, 0, sizeof(at));
    at.sun_family = AF_UNIX;
    memcpy(at.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &at, sizeof(at)), 0);

    lp_key_files_ask(files, lp_span(ISSUER));
    assert_int_equal(recv(fd, got, sizeof(got), 0), sizeof(ISSUER) - 1);
    assert_memory_equal(got, ISSUER, sizeof(ISSUER) - 1);
    for (i = 0; i < 3; i++) {
        lp_key_files_ask(files, lp_span("https://other.example"));
    }
    assert_true(recv(fd, got, sizeof(got), 0) > 0);

    /* a queue that nobody empties holds nobody up; an issuer that is too long
       is not cut */
    memset(got, 'x', sizeof(got));
    lp_key_files_ask(files, (lp_span_t) {got, 513});
    for (i = 1; i <= 512; i++) {
        lp_key_files_ask(files, (lp_span_t) {got, (size_t) i});
    }
    close(fd);
    assert_int_equal(unlink(path), 0);
    lp_key_files_close(files);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_follow_their_file),
        cmocka_unit_test(test_keys_are_for_the_algorithms_of_who_asks),
        cmocka_unit_test(test_a_name_leads_nowhere_else),
        cmocka_unit_test(
            test_a_folder_that_is_not_there_is_said_and_looked_for),
        cmocka_unit_test(test_metadata_is_of_the_issuer_that_was_meant),
        cmocka_unit_test(test_asks_once_a_second_and_waits_for_nobody),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
