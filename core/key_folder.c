/*
 * A key's file is its private JWK with one member more, "nbf": from when it
 * signs. All else follows from the order of the keys. A key signs until the
 * next one begins, and is published until the last token that it can have
 * signed has ended. So there is one truth, a rotation adds one file, and
 * nothing has to agree with it.
 */

#include "key_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private_jwk.h"

#define SUFFIX   ".jwk"
#define PATH_LEN 4096

#define TEXT(number)    TEXT_OF(number)
#define TEXT_OF(number) #number

typedef struct {
    lp_key_folder_t *folder;
    const char      *path;
    lp_key_folder_pt hear;
    void            *data;
} reading_t;

static void read_name(const reading_t *reading, const char *name);
static const char *read_key(lp_folder_key_t *key, const char *path,
                            const char *name, int *exposed);
static const char *read_file(char *text, size_t *len, const char *path,
                             int *exposed);
static const char *read_from(int64_t *from, lp_span_t text);
static const char *check_key(const lp_private_key_t *key, const char *name);

/* "<kid>.jwk", a whole file and not one that is being written. */
static int
is_key_name(const char *name)
{
    size_t len = strlen(name);

    return name[0] != '.' && len > sizeof(SUFFIX) - 1
           && strcmp(name + len - (sizeof(SUFFIX) - 1), SUFFIX) == 0;
}

static int
compare(const void *a, const void *b)
{
    const lp_folder_key_t *one = a, *other = b;

    if (one->from != other->from) {
        return one->from < other->from ? -1 : 1;
    }
    return strcmp(one->key.kid, other->key.kid);
}

static void
tell(const reading_t *reading, const char *path, const char *what,
     int left_out)
{
    if (reading->hear != NULL) {
        reading->hear(reading->data, path, what, left_out);
    }
}

int
lp_key_folder_read(lp_key_folder_t *folder, const char *path,
                   lp_key_folder_pt hear, void *data)
{
    reading_t      reading = {folder, path, hear, data};
    struct dirent *entry;
    DIR           *dir;

    memset(folder, 0, sizeof(*folder));
    folder->keys = calloc(LP_FOLDER_KEYS_MAX, sizeof(lp_folder_key_t));
    dir = opendir(path);
    if (folder->keys == NULL || dir == NULL) {
        if (dir != NULL) {
            closedir(dir);
        }
        return -1;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (is_key_name(entry->d_name)) {
            read_name(&reading, entry->d_name);
        }
    }
    closedir(dir);
    qsort(folder->keys, folder->n, sizeof(lp_folder_key_t), compare);
    return 0;
}

static void
read_name(const reading_t *reading, const char *name)
{
    lp_key_folder_t *folder = reading->folder;
    lp_folder_key_t *key = &folder->keys[folder->n];
    const char      *wrong;
    char             path[PATH_LEN];
    int              n, exposed = 0;

    if (folder->n == LP_FOLDER_KEYS_MAX) {
        folder->left_out++;
        tell(reading, reading->path,
             "holds more than " TEXT(LP_FOLDER_KEYS_MAX) " keys", 1);
        return;
    }
    n = snprintf(path, sizeof(path), "%s/%s", reading->path, name);
    if (n < 0 || (size_t) n >= sizeof(path)) {
        folder->left_out++;
        return;
    }
    wrong = read_key(key, path, name, &exposed);
    if (wrong != NULL) {
        lp_private_key_free(&key->key);
        folder->left_out++;
        tell(reading, path, wrong, 1);
        return;
    }
    folder->n++;
    if (exposed) {
        tell(reading, path, "may be read by others; chmod 600 it", 0);
    }
}

/* Returns NULL, or what is wrong, to stand behind the file's name. */
static const char *
read_key(lp_folder_key_t *key, const char *path, const char *name,
         int *exposed)
{
    const char *wrong;
    lp_span_t   text;
    char       *bytes = malloc(LP_KEY_TEXT_MAX + 1);

    memset(key, 0, sizeof(*key));
    if (bytes == NULL) {
        return "can't be read: memory ran out";
    }
    text.data = bytes;
    wrong = read_file(bytes, &text.len, path, exposed);
    if (wrong == NULL) {
        (void) lp_private_key_read(&key->key, text, LP_ALG_UNKNOWN, NULL,
                                   &wrong);
    }
    if (wrong == NULL) {
        wrong = read_from(&key->from, text);
    }
    OPENSSL_cleanse(bytes, LP_KEY_TEXT_MAX + 1);
    free(bytes);
    return wrong == NULL ? check_key(&key->key, name) : wrong;
}

/* text has room for one byte more than a key may have. */
static const char *
read_file(char *text, size_t *len, const char *path, int *exposed)
{
    struct stat st;
    ssize_t     n = 1;
    int         fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    *len = 0;
    if (fd == -1 && errno == EACCES) {
        return "may not be read by this user";
    }
    if (fd == -1 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        if (fd != -1) {
            close(fd);
        }
        return "can't be opened as a file";
    }
    while (n != 0 && *len <= LP_KEY_TEXT_MAX) {
        n = read(fd, text + *len, LP_KEY_TEXT_MAX + 1 - *len);
        if (n == -1 && errno != EINTR) {
            break;
        }
        *len += n > 0 ? (size_t) n : 0;
    }
    close(fd);
    *exposed = (st.st_mode & (S_IRGRP | S_IROTH)) != 0;
    return n == -1 ? "can't be read" : NULL;
}

/* The member nbf; absent: it signs since ever. */
static const char *
read_from(int64_t *from, lp_span_t text)
{
    json_t       *jwk;
    const json_t *nbf;
    const char   *wrong = NULL;

    jwk = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    nbf = json_object_get(jwk, "nbf");
    *from = nbf == NULL ? 0 : json_integer_value(nbf);
    if (nbf != NULL && (!json_is_integer(nbf) || *from < 0)) {
        wrong = "has an nbf that is not a Unix time";
    }
    json_decref(jwk);
    return wrong;
}

/* What nobody could verify, or everybody could forge, does not sign. */
static const char *
check_key(const lp_private_key_t *key, const char *name)
{
    size_t len = strlen(name) - (sizeof(SUFFIX) - 1);

    if (!key->is_private || !lp_algs_has(&lp_algs_token, key->alg)) {
        return "is not a private key of RS*, PS*, ES256, ES384 or EdDSA";
    }
    if (strlen(key->kid) != len || memcmp(key->kid, name, len) != 0) {
        return "is not named after the key's kid";
    }
    return NULL;
}

void
lp_key_folder_free(lp_key_folder_t *folder)
{
    unsigned i;

    for (i = 0; i < folder->n; i++) {
        lp_private_key_free(&folder->keys[i].key);
    }
    free(folder->keys);
    folder->keys = NULL;
    folder->n = 0;
}

int
lp_key_folder_signer(const lp_key_folder_t *folder, int64_t now)
{
    int i = (int) folder->n - 1;

    while (i >= 0 && folder->keys[i].from > now) {
        i--;
    }
    return i;
}

int64_t
lp_key_folder_published_until(const lp_key_folder_t *folder, unsigned i)
{
    return i + 1 == folder->n
               ? INT64_MAX
               : folder->keys[i + 1].from + LP_FOLDER_AFTERLIFE;
}
