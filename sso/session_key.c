/*
 * A secret that anybody may read signs sessions for anybody: a file with a mode
 * beyond 0600 is refused, not warned of. What the edge would leave out of the
 * set (too short, a name that is there twice) must not sign either, or all
 * that is signed would be refused: so the set is read as the edge reads it.
 */

#include "session_key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../core/json.h"
#include "../core/jwks.h"
#include "../core/private_jwk.h"
#include "../workers/input.h"
#include "../workers/say.h"
#include "../workers/watched_file.h"

static const lp_algs_t hs256 = {1, {LP_ALG_HS256}};

struct lp_session_key_s {
    char            *path; /* of what was read; NULL: nothing yet */
    lp_watched_t     watched;
    int64_t          looked_at;
    lp_private_key_t key;
    int              usable;
};

static void look(lp_session_key_t *key, const char *path);
static int load(lp_private_key_t *fresh, const char *path);
static int is_private(const char *path);
static const char *read_set(lp_private_key_t *fresh, lp_span_t text);
static const char *read_first(lp_private_key_t *fresh, const json_t *jwk);

lp_session_key_t *
lp_session_key_create(void)
{
    return calloc(1, sizeof(lp_session_key_t));
}

void
lp_session_key_destroy(lp_session_key_t *key)
{
    if (key == NULL) {
        return;
    }
    lp_private_key_free(&key->key);
    free(key->path);
    free(key);
}

const lp_private_key_t *
lp_session_key_signer(lp_session_key_t *key, const char *path)
{
    int64_t now = lp_watched_clock();
    int     other;

    if (path == NULL) {
        return NULL;
    }
    other = key->path == NULL || strcmp(key->path, path) != 0;
    if (other || key->looked_at != now) {
        key->looked_at = now;
        look(key, path);
    }
    return key->usable ? &key->key : NULL;
}

static void
look(lp_session_key_t *key, const char *path)
{
    lp_private_key_t fresh;
    char            *name;

    if (key->path == NULL || strcmp(key->path, path) != 0) {
        name = strdup(path);
        if (name == NULL) {
            return;
        }
        free(key->path);
        key->path = name;
        memset(&key->watched, 0, sizeof(key->watched));
        key->watched.size = -1; /* like no file, not even one that is absent */
    }
    if (!lp_watched_changed(&key->watched, path)) {
        return;
    }
    if (load(&fresh, path) == 0) {
        lp_private_key_free(&key->key);
        key->key = fresh;
        key->usable = 1;
    }
    OPENSSL_cleanse(&fresh, sizeof(fresh));
}

/* *fresh holds nothing that must be freed: a secret lies in it. */
static int
load(lp_private_key_t *fresh, const char *path)
{
    lp_input_t  file;
    const char *why;

    memset(fresh, 0, sizeof(*fresh));
    if (!is_private(path)
        || lp_input_file(&file, path, LP_JWKS_TEXT_MAX) != 0) {
        return -1;
    }
    why = read_set(fresh, lp_input_span(&file));
    lp_input_free(&file);
    if (why != NULL) {
        lp_say("no session is signed with %s: %s", path, why);
        return -1;
    }
    return 0;
}

static int
is_private(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0) {
        lp_say("cannot read %s: %s", path, strerror(errno));
        return 0;
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        lp_say("no session is signed with %s: others than its owner may read "
               "it; chmod 600", path);
        return 0;
    }
    return 1;
}

/* NULL, or what is wrong. */
static const char *
read_set(lp_private_key_t *fresh, lp_span_t text)
{
    lp_json_memory_t *memory;
    lp_json_error_t   error;
    const lp_key_t   *found;
    lp_span_t         kid;
    lp_jwks_t        *keys;
    json_t           *set;
    const char       *why;

    keys = lp_jwks_parse(text, &hs256, NULL, NULL, &why);
    if (keys == NULL) {
        return why;
    }
    set = lp_json_read(text, &memory, &error);
    why = set == NULL
              ? "it can't be read"
              : read_first(fresh,
                           json_array_get(json_object_get(set, "keys"), 0));
    kid = lp_span_of(fresh->kid);
    if (kid.len == 0) {
        kid.data = NULL;
    }
    if (why == NULL
        && lp_jwks_find(keys, kid, LP_ALG_HS256, &found) != LP_JOSE_OK) {
        why = "its first key is none by which an edge verifies";
    }
    if (set != NULL) {
        lp_json_release(memory);
    }
    lp_jwks_free(keys);
    return why;
}

static const char *
read_first(lp_private_key_t *fresh, const json_t *jwk)
{
    const json_t *kid = json_object_get(jwk, "kid");
    const char   *kty = json_string_value(json_object_get(jwk, "kty"));

    if (kty == NULL || strcmp(kty, "oct") != 0
        || lp_jwk_read(fresh, jwk) != 0) {
        return "its first key is no shared secret (oct)";
    }
    if (json_string_length(kid) > LP_KID_MAX) {
        return "the kid of its first key is too long";
    }
    if (json_is_string(kid)) {
        memcpy(fresh->kid, json_string_value(kid), json_string_length(kid));
    }
    fresh->alg = LP_ALG_HS256;
    return NULL;
}
