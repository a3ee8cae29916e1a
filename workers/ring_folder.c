/*
 * A key's file is its private JWK with one member more, "nbf": from when it
 * signs. All else follows from the order of the keys. A key signs until the
 * next one begins, and is published until the last token that it can have
 * signed has ended. So there is one truth, a rotation adds one file, and
 * nothing has to agree with it.
 */

#include "ring_folder.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "input.h"
#include "private_jwk.h"
#include "say.h"

#define SUFFIX       ".jwk"
#define KEY_FILE_MAX (64 * 1024)

/* "<kid>.jwk", a whole file and not one that is being written. */
static int
is_key_name(const char *name)
{
    size_t len = strlen(name);

    return name[0] != '.' && len > sizeof(SUFFIX) - 1
           && strcmp(name + len - (sizeof(SUFFIX) - 1), SUFFIX) == 0;
}

/* The member nbf; 0: absent, it signs since ever; -1: it is none. */
static int64_t
read_from(const char *path)
{
    lp_input_t    text;
    json_t       *jwk;
    const json_t *nbf;
    int64_t       from;

    if (lp_input_file(&text, path, KEY_FILE_MAX) != 0) {
        return -1;
    }
    jwk = json_loadb(text.bytes, text.len, JSON_REJECT_DUPLICATES, NULL);
    lp_input_free(&text);
    nbf = json_object_get(jwk, "nbf");
    from = nbf == NULL ? 0 : json_integer_value(nbf);
    if (nbf != NULL && (!json_is_integer(nbf) || from < 0)) {
        lp_say("%s: nbf is not a Unix time", path);
        from = -1;
    }
    json_decref(jwk);
    return from;
}

/* What nobody could verify, or everybody could forge, does not sign. */
static int
check_key(const lp_private_key_t *key, const char *path, const char *name)
{
    size_t len = strlen(name) - (sizeof(SUFFIX) - 1);

    if (!key->is_private || !lp_algs_has(&lp_algs_token, key->alg)) {
        lp_say("%s is not a private key of RS*, PS*, ES256, ES384 or EdDSA",
               path);
        return -1;
    }
    if (strlen(key->kid) != len || memcmp(key->kid, name, len) != 0) {
        lp_say("%s: the file is not named after the key's kid", path);
        return -1;
    }
    lp_input_warn_open(path, "key");
    return 0;
}

static void
add_key(lp_ring_t *ring, const char *folder, const char *name)
{
    lp_ring_key_t *key = &ring->keys[ring->n];
    char           path[4096];
    int            n;

    n = snprintf(path, sizeof(path), "%s/%s", folder, name);
    ring->left_out++;
    if (n < 0 || (size_t) n >= sizeof(path)) {
        return;
    }
    key->from = read_from(path);
    if (key->from < 0) {
        return;
    }
    if (lp_private_key_load(&key->key, path, LP_ALG_UNKNOWN, NULL) == 0
        && check_key(&key->key, path, name) == 0) {
        ring->n++;
        ring->left_out--;
        return;
    }
    lp_private_key_free(&key->key);
}

static int
compare(const void *a, const void *b)
{
    const lp_ring_key_t *one = a, *other = b;

    if (one->from != other->from) {
        return one->from < other->from ? -1 : 1;
    }
    return strcmp(one->key.kid, other->key.kid);
}

int
lp_ring_read(lp_ring_t *ring, const char *folder)
{
    struct dirent *entry;
    DIR           *dir;

    memset(ring, 0, sizeof(*ring));
    ring->keys = calloc(LP_RING_KEYS_MAX, sizeof(lp_ring_key_t));
    dir = opendir(folder);
    if (ring->keys == NULL || dir == NULL) {
        if (dir != NULL) {
            closedir(dir);
        }
        return -1;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (!is_key_name(entry->d_name)) {
            continue;
        }
        if (ring->n == LP_RING_KEYS_MAX) {
            lp_say("%s holds more than %d keys", folder, LP_RING_KEYS_MAX);
            ring->left_out++;
        } else {
            add_key(ring, folder, entry->d_name);
        }
    }
    closedir(dir);
    qsort(ring->keys, ring->n, sizeof(lp_ring_key_t), compare);
    return 0;
}

void
lp_ring_free(lp_ring_t *ring)
{
    unsigned i;

    for (i = 0; i < ring->n; i++) {
        lp_private_key_free(&ring->keys[i].key);
    }
    free(ring->keys);
    ring->keys = NULL;
    ring->n = 0;
}

int
lp_ring_signer(const lp_ring_t *ring, int64_t now)
{
    int i = (int) ring->n - 1;

    while (i >= 0 && ring->keys[i].from > now) {
        i--;
    }
    return i;
}

int64_t
lp_ring_published_until(const lp_ring_t *ring, unsigned i)
{
    return i + 1 == ring->n ? INT64_MAX
                            : ring->keys[i + 1].from + LP_RING_AFTERLIFE;
}
