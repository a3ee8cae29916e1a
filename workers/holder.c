/*
 * From a person's id to a Redis key. The id comes on standard input, lives in
 * one buffer until it is hashed, and is wiped; no message repeats it.
 */

#include "holder.h"

#include <openssl/crypto.h>

#include "../core/base64url.h"
#include "../core/text.h"
#include "input.h"
#include "say.h"

#define PEPPER_MAX  4096
#define PEPPER_GOOD 16 /* bytes: as many as the user key keeps */

static int
type_valid(const char *type)
{
    size_t n = strspn(type, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "abcdefghijklmnopqrstuvwxyz0123456789_-");

    return n > 0 && n <= LP_ID_TYPE_MAX && type[n] == '\0';
}

lp_pepper_t *
lp_holder_pepper(const char *path)
{
    lp_input_t   file;
    lp_pepper_t *pepper;

    if (lp_input_file(&file, path, PEPPER_MAX) != 0) {
        return NULL;
    }
    lp_input_warn_open(path, "pepper");
    if (file.len > 0 && file.len < PEPPER_GOOD) {
        lp_say("warning: the pepper %s has less than %d bytes and can be "
               "guessed", path, PEPPER_GOOD);
    }
    pepper = lp_pepper_create(lp_input_span(&file));
    if (pepper == NULL) {
        lp_say("the pepper %s is empty", path);
    }
    lp_input_free(&file);
    return pepper;
}

static int
read_id(lp_input_t *id)
{
    if (lp_input_stdin(id, LP_USER_ID_MAX) != 0) {
        return LP_NO;
    }
    if (id->len == 0) {
        lp_say("standard input holds no id");
    } else if (id->len > LP_USER_ID_MAX) {
        lp_say("the id is longer than %d bytes", LP_USER_ID_MAX);
    } else {
        if (lp_has_control(lp_input_span(id))) {
            lp_say("warning: the id holds a control character, such as a "
                   "carriage return; no token's id can be equal to it");
        }
        return LP_YES;
    }
    lp_input_free(id);
    return LP_NO;
}

int
lp_holder_hash(char *user, const lp_args_t *args, lp_pepper_t *pepper,
               const char *id_type)
{
    lp_input_t id;
    int        rc;

    if (!type_valid(id_type)) {
        return lp_args_refuse(args, "--type is a name such as ECK, of at most "
                                    "%d letters and digits", LP_ID_TYPE_MAX);
    }
    rc = read_id(&id);
    if (rc != LP_YES) {
        return rc;
    }
    if (lp_user_key(user, pepper, lp_span_of(id_type), lp_input_span(&id))
        != 0) {
        lp_say("OpenSSL could not hash the id");
        rc = LP_NO;
    }
    lp_input_free(&id);
    return rc;
}

int
lp_holder_user(char *user, const lp_args_t *args, const char *path,
               const char *id_type)
{
    lp_pepper_t *pepper;
    int          rc;

    if (!type_valid(id_type)) {
        return lp_args_refuse(args, "--type is a name such as ECK, of at most "
                                    "%d letters and digits", LP_ID_TYPE_MAX);
    }
    pepper = lp_holder_pepper(path);
    if (pepper == NULL) {
        return LP_NO;
    }
    rc = lp_holder_hash(user, args, pepper, id_type);
    lp_pepper_destroy(pepper);
    return rc;
}

/* --type KEY: standard input holds the user key itself. */
static int
read_user_key(char *user)
{
    unsigned char bytes[16];
    lp_input_t    text;
    size_t        len;
    int           rc = LP_NO;

    if (lp_input_stdin(&text, LP_USER_KEY_LEN) != 0) {
        return LP_NO;
    }
    if (text.len == LP_USER_KEY_LEN
        && lp_base64url_decode(bytes, sizeof(bytes), &len,
                               lp_input_span(&text)) == 0) {
        memcpy(user, text.bytes, LP_USER_KEY_LEN);
        rc = LP_YES;
    } else {
        lp_say("standard input is no user key: %d characters of base64url",
               LP_USER_KEY_LEN);
    }
    lp_input_free(&text);
    return rc;
}

static int
read_user(char *user, const lp_args_t *args)
{
    const char *type = args->value[LP_OPT_HOLDER_TYPE];
    const char *pepper = args->value[LP_OPT_HOLDER_PEPPER];

    if (type == NULL) {
        return lp_args_refuse(args, "whose? --type with --pepper, --type KEY "
                                    "or, where it is taken, --open");
    }
    if (strcmp(type, "KEY") == 0) {
        return pepper == NULL
                   ? read_user_key(user)
                   : lp_args_refuse(args, "--type KEY needs no --pepper");
    }
    if (pepper == NULL) {
        return lp_args_refuse(args, "--type %s needs --pepper",
                              type_valid(type) ? type : "TYPE");
    }
    return lp_holder_user(user, args, pepper, type);
}

int
lp_holder_key(char *key, size_t *len, const lp_args_t *args)
{
    const char *name = args->value[LP_OPT_SCHOOL];
    lp_span_t   school = lp_span("");
    char        user[LP_USER_KEY_LEN];
    int         rc;

    if (name != NULL) {
        school = lp_span_of(name);
        if (!lp_school_valid(school)) {
            return lp_args_refuse(args, "--school is 1 to 64 of A-Z a-z 0-9 "
                                        "_ . -");
        }
    }
    if (args->value[LP_OPT_OPEN] != NULL) {
        if (name == NULL || args->value[LP_OPT_HOLDER_TYPE] != NULL
            || args->value[LP_OPT_HOLDER_PEPPER] != NULL) {
            return lp_args_refuse(args, "--open needs --school and no person");
        }
        *len = lp_key_school(key, school);
        return LP_YES;
    }
    rc = read_user(user, args);
    if (rc == LP_YES) {
        *len = lp_key_user(key, school,
                           (lp_span_t) {user, LP_USER_KEY_LEN});
    }
    return rc;
}
