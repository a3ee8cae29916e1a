/*
 * leerpoort key rotate, key list: the signing keys of our own tokens.
 *
 * A rotation must leave no moment in which a token is signed by a key that is
 * not published, wherever it is killed. So the order is: the new public key
 * into jwks.json, then the private key into its file; a worker can only sign
 * with what has a file. Killed between the two, a public key is published that
 * nobody has, and the next rotation drops it. Each file is written beside its
 * place, brought to the disk and renamed. Rotations at the same time wait for
 * each other, and the later one finds that a new key is waiting already.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/private_jwk.h"
#include "commands.h"
#include "key_file.h"
#include "say.h"
#include "service.h"

#define OVERLAP     600   /* seconds: the edge looks at its JWKS far oftener */
#define OVERLAP_MAX 86400
#define PATH_SIZE   4096
#define BESIDE      ".new-" /* what names of unfinished files begin with */

typedef struct {
    const char     *folder;
    int             fd;  /* of the folder */
    lp_key_folder_t ring;
    int64_t         now;
    uid_t           owner; /* of the folder, and so of what is written there */
    gid_t           group;
} rotation_t;

/* Writing files. */

static int
write_all(int fd, const char *text, size_t len)
{
    ssize_t n;

    while (len > 0) {
        n = write(fd, text, len);
        if (n == -1 && errno == EINTR) {
            continue;
        }
        if (n == -1) {
            return -1;
        }
        text += n;
        len -= (size_t) n;
    }
    return 0;
}

/* The file as it will be, under a name that nobody reads. */
static int
write_beside(const rotation_t *rotation, const char *name, mode_t mode,
             const char *text)
{
    int fd, rc;

    unlinkat(rotation->fd, name, 0);
    fd = openat(rotation->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                0600);
    if (fd == -1) {
        return -1;
    }
    rc = write_all(fd, text, strlen(text));
    if (rc == 0 && geteuid() == 0) {
        rc = fchown(fd, rotation->owner, rotation->group);
    }
    if (rc == 0) {
        rc = fchmod(fd, mode);
    }
    if (rc == 0) {
        rc = fsync(fd);
    }
    close(fd);
    return rc;
}

static int
write_file(const rotation_t *rotation, const char *name, mode_t mode,
           json_t *content)
{
    char *text, beside[PATH_SIZE];
    int   n, rc = -1;

    text = json_dumps(content, JSON_INDENT(2));
    n = snprintf(beside, sizeof(beside), BESIDE "%s", name);
    if (text != NULL && n > 0 && (size_t) n < sizeof(beside)
        && write_beside(rotation, beside, mode, text) == 0
        && renameat(rotation->fd, beside, rotation->fd, name) == 0) {
        rc = fsync(rotation->fd);
    }
    if (text != NULL) {
        OPENSSL_cleanse(text, strlen(text));
    }
    free(text);
    if (rc != 0) {
        lp_say("%s/%s cannot be written: %s", rotation->folder, name,
               strerror(errno));
    }
    return rc;
}

/* What is published. */

/* Appends the public half, which must be there. */
static int
publish(json_t *keys, const lp_private_key_t *key)
{
    return json_array_append_new(keys, lp_jwk_write(key, 0));
}

/* All that is still needed, and fresh, unless NULL. */
static int
write_jwks(const rotation_t *rotation, const lp_private_key_t *fresh)
{
    const lp_key_folder_t *ring = &rotation->ring;
    json_t                *keys = json_array(), *jwks;
    unsigned               i;
    int                    rc = 0;

    for (i = 0; rc == 0 && i < ring->n; i++) {
        if (lp_key_folder_published_until(ring, i) > rotation->now) {
            rc = publish(keys, &ring->keys[i].key);
        }
    }
    if (rc == 0 && fresh != NULL) {
        rc = publish(keys, fresh);
    }
    jwks = json_pack("{s:o}", "keys", keys);
    if (rc != 0 || jwks == NULL) {
        lp_say("out of memory");
        rc = -1;
    } else {
        rc = write_file(rotation, "jwks.json", 0644, jwks);
    }
    json_decref(jwks);
    return rc;
}

static int
write_key(const rotation_t *rotation, const lp_private_key_t *key,
          int64_t from)
{
    json_t *jwk = lp_jwk_write(key, 1);
    char    name[LP_KID_MAX + sizeof(".jwk")];
    int     rc = -1;

    snprintf(name, sizeof(name), "%s.jwk", key->kid);
    if (json_object_set_new(jwk, "nbf", json_integer(from)) == 0) {
        rc = write_file(rotation, name, 0600, jwk);
    }
    json_decref(jwk);
    return rc;
}

/* Files of keys that nothing can need any more; jwks.json is without them. */
static void
drop_old_keys(const rotation_t *rotation)
{
    const lp_key_folder_t *ring = &rotation->ring;
    char                   name[LP_KID_MAX + sizeof(".jwk")];
    unsigned               i;

    for (i = 0; i < ring->n; i++) {
        if (lp_key_folder_published_until(ring, i) <= rotation->now) {
            snprintf(name, sizeof(name), "%s.jwk", ring->keys[i].key.kid);
            if (unlinkat(rotation->fd, name, 0) != 0) {
                lp_say("%s/%s is not needed any more, but cannot be removed: "
                       "%s", rotation->folder, name, strerror(errno));
            }
        }
    }
}

/* The commands. */

/* What a rotation that was killed left half written. */
static void
clean_up(const rotation_t *rotation)
{
    struct dirent *entry;
    DIR           *dir = opendir(rotation->folder);

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, BESIDE, sizeof(BESIDE) - 1) == 0) {
            unlinkat(rotation->fd, entry->d_name, 0);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

/* Opens the folder, alone until it is closed, and reads it. */
static int
open_folder(rotation_t *rotation, const char *folder)
{
    struct stat st;

    rotation->folder = folder;
    rotation->now = lp_service_now();
    rotation->fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (rotation->fd == -1 || flock(rotation->fd, LOCK_EX) != 0
        || fstat(rotation->fd, &st) != 0
        || lp_key_file_folder(&rotation->ring, folder) != 0) {
        lp_say("%s cannot be used as a folder of keys: %s", folder,
               strerror(errno));
        return LP_NO;
    }
    rotation->owner = st.st_uid;
    rotation->group = st.st_gid;
    return LP_YES;
}

static void
close_folder(rotation_t *rotation)
{
    lp_key_folder_free(&rotation->ring);
    if (rotation->fd != -1) {
        close(rotation->fd);
    }
}

/* LP_ALG_UNKNOWN: not said. */
static int
read_alg(const lp_args_t *args, lp_alg_t *alg)
{
    const char *name = args->value[LP_OPT_RING_ALG];

    *alg = name == NULL ? LP_ALG_UNKNOWN : lp_alg_find(lp_span_of(name));
    if (name != NULL && !lp_algs_has(&lp_algs_token, *alg)) {
        return lp_args_refuse(args, "--alg takes one of RS256 RS384 RS512 "
                                    "PS256 PS384 PS512 ES256 ES384 EdDSA");
    }
    return LP_YES;
}

/* A rotation changes the key, and the algorithm only where it is told to:
   whoever verifies may have agreed on one. */
static lp_alg_t
usual_alg(const lp_key_folder_t *ring)
{
    return ring->n == 0 ? LP_ALG_RS256 : ring->keys[ring->n - 1].key.alg;
}

static int
add_key(const rotation_t *rotation, lp_alg_t alg, int64_t from)
{
    lp_private_key_t key;
    int              rc = LP_NO;

    if (rotation->ring.n == LP_FOLDER_KEYS_MAX) {
        lp_say("%s holds %d keys already", rotation->folder,
               LP_FOLDER_KEYS_MAX);
        return LP_NO;
    }
    if (alg == LP_ALG_UNKNOWN) {
        alg = usual_alg(&rotation->ring);
    }
    if (lp_private_key_new(&key, alg, NULL) != 0) {
        lp_say("OpenSSL could not make a key");
    } else if (write_jwks(rotation, &key) == 0
               && write_key(rotation, &key, from) == 0) {
        rc = LP_YES;
        printf("%s\n", key.kid);
    }
    lp_private_key_free(&key);
    return rc;
}

static int
rotate(rotation_t *rotation, lp_alg_t alg, int64_t overlap)
{
    const lp_key_folder_t *ring = &rotation->ring;
    const lp_folder_key_t *last;
    int64_t                from = rotation->now;
    char                   when[LP_WHEN_MAX];
    int                    rc;

    if (ring->left_out > 0) {
        /* tokens that such a key signed may still be about */
        lp_say("mend or remove what can't be used first: without it, "
               "jwks.json would lack a key");
        return LP_NO;
    }
    clean_up(rotation);
    if (ring->n > 0) {
        last = &ring->keys[ring->n - 1];
        from += overlap;
        if (overlap > 0 && last->from > rotation->now) {
            lp_say("no new key is needed: %s signs from %s", last->key.kid,
                   lp_when(when, last->from, rotation->now));
            return write_jwks(rotation, NULL) == 0 ? LP_YES : LP_NO;
        }
    }
    rc = add_key(rotation, alg, from);
    if (rc == LP_YES) {
        drop_old_keys(rotation);
    }
    return rc;
}

int
lp_command_key_rotate(const lp_args_t *args)
{
    rotation_t rotation = {.fd = -1};
    lp_alg_t   alg;
    int64_t    overlap = OVERLAP;
    int        rc;

    rc = read_alg(args, &alg);
    if (rc == LP_YES) {
        rc = lp_args_number(args, LP_OPT_OVERLAP, OVERLAP_MAX, &overlap);
    }
    if (rc != LP_YES) {
        return rc;
    }
    rc = open_folder(&rotation, args->value[LP_OPT_KEY_FOLDER]);
    if (rc == LP_YES) {
        rc = rotate(&rotation, alg, overlap);
    }
    close_folder(&rotation);
    return rc;
}

/* "waits", "signs", "published" or "old". */
static const char *
state_of(const rotation_t *rotation, unsigned i)
{
    if (rotation->ring.keys[i].from > rotation->now) {
        return "waits";
    }
    if ((int) i == lp_key_folder_signer(&rotation->ring, rotation->now)) {
        return "signs";
    }
    return lp_key_folder_published_until(&rotation->ring, i) > rotation->now
               ? "published"
               : "old";
}

static json_t *
describe(const rotation_t *rotation, unsigned i)
{
    const lp_folder_key_t *key = &rotation->ring.keys[i];
    json_t                *object;
    int64_t                until;

    until = lp_key_folder_published_until(&rotation->ring, i);
    object = json_pack("{s:s, s:s, s:s, s:I}", "kid", key->key.kid, "alg",
                       lp_alg_name(key->key.alg), "state",
                       state_of(rotation, i), "from",
                       (json_int_t) key->from);
    if (until != INT64_MAX) {
        json_object_set_new(object, "publishedUntil", json_integer(until));
    }
    return object;
}

static void
list_json(const rotation_t *rotation)
{
    json_t  *keys = json_array();
    unsigned i;

    for (i = 0; i < rotation->ring.n; i++) {
        json_array_append_new(keys, describe(rotation, i));
    }
    json_dumpf(keys, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
    json_decref(keys);
}

static void
list_text(const rotation_t *rotation)
{
    const lp_folder_key_t *key;
    char                   when[LP_WHEN_MAX];
    unsigned               i;

    for (i = 0; i < rotation->ring.n; i++) {
        key = &rotation->ring.keys[i];
        printf("%-9s  %-5s  %s  from %s\n", state_of(rotation, i),
               lp_alg_name(key->key.alg), key->key.kid,
               lp_when(when, key->from, rotation->now));
    }
}

int
lp_command_key_list(const lp_args_t *args)
{
    rotation_t rotation = {.fd = -1};
    int        rc;

    rc = open_folder(&rotation, args->value[LP_OPT_KEY_FOLDER]);
    if (rc == LP_YES) {
        if (args->value[LP_OPT_JSON] != NULL) {
            list_json(&rotation);
        } else {
            list_text(&rotation);
        }
    }
    close_folder(&rotation);
    return rc;
}
