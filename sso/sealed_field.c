/*
 * What a text is sealed as: "<key> <field>".
 */

#include "sealed_field.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "../core/keys.h"

#define WHAT_MAX (LP_KEY_MAX + 1 + 24 + 1)

static void
write_what(char *dst, lp_span_t key, const char *field)
{
    snprintf(dst, WHAT_MAX, "%.*s %s", (int) key.len, key.data, field);
}

size_t
lp_sealed_close(lp_seal_t *seal, char *dst, lp_span_t key, const char *field,
                lp_span_t text)
{
    char what[WHAT_MAX];

    write_what(what, key, field);
    return lp_seal_close(seal, dst, what, text);
}

int
lp_sealed_open(lp_seal_t *seal, char *dst, size_t *len, lp_span_t key,
               const char *field, lp_span_t sealed)
{
    char what[WHAT_MAX];

    write_what(what, key, field);
    return lp_seal_open(seal, dst, len, what, sealed);
}

size_t
lp_who_seal(lp_seal_t *seal, char *dst, lp_span_t key, const lp_who_t *who)
{
    json_t *json = lp_who_json(who);
    char   *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    size_t  len = 0;

    json_decref(json);
    if (text != NULL) {
        len = lp_sealed_close(seal, dst, key, "who", lp_span_of(text));
        OPENSSL_cleanse(text, strlen(text));
    }
    free(text);
    return len;
}

int
lp_who_open(lp_seal_t *seal, lp_who_t *who, lp_span_t key, lp_span_t sealed)
{
    char    text[LP_SEAL_TEXT_MAX];
    json_t *json;
    size_t  len;
    int     rc;

    if (lp_sealed_open(seal, text, &len, key, "who", sealed) != 0) {
        return -1;
    }
    json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    OPENSSL_cleanse(text, sizeof(text));
    rc = json == NULL ? -1 : lp_who_from_json(who, json);
    json_decref(json);
    return rc == 0 && who->n_users > 0 ? 0 : -1;
}
