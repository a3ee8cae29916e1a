/*
 * Jansson writes to memory, new_file.h to the disk: so an object that is too
 * large for either leaves no half of a file.
 */

#include "json_file.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "../workers/input.h"
#include "../workers/say.h"
#include "new_file.h"

#define AS_TYPED JSON_REAL_PRECISION(15) /* 0.7, not 0.69999999999999996 */

json_t *
lp_json_file_read(const char *path, size_t max)
{
    const char *odd = lp_file_odd(path);
    lp_input_t  text;
    json_t     *object;

    if (odd != NULL) {
        lp_say("%s %s", path, odd);
        return NULL;
    }
    if (lp_input_file(&text, path, max) != 0) {
        return NULL;
    }

    object = json_loadb(text.bytes, text.len, JSON_REJECT_DUPLICATES, NULL);
    lp_input_free(&text);
    if (!json_is_object(object)) {
        lp_say("%s is not one JSON object", path);
        json_decref(object);
        return NULL;
    }

    return object;
}

/* Jansson's words will do, but where they advise its callers. */
const char *
lp_json_fault(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "a text holds the character NUL, which none may";
    case json_error_out_of_memory:
        return "there is not enough memory";
    default:
        return error->text;
    }
}

int
lp_json_file_write(const char *folder, const char *name, unsigned mode,
                   const json_t *object, size_t flags)
{
    char  *text = object == NULL ? NULL : json_dumps(object, flags);
    size_t len;
    int    rc;

    if (text == NULL) {
        lp_say("%s/%s: no memory left to write it", folder, name);
        return -1;
    }

    len = strlen(text);
    text[len] = '\n'; /* in the place of its NUL */
    rc = lp_new_file(folder, name, mode, text, len + 1);
    OPENSSL_cleanse(text, len + 1);
    free(text);

    return rc;
}

int
lp_json_print(json_t *object, int indent)
{
    int rc = object == NULL
                 ? -1
                 : json_dumpf(object, stdout, JSON_INDENT((size_t) indent)
                                              | AS_TYPED);

    json_decref(object);
    if (rc != 0) {
        lp_say("the JSON cannot be written");
        return -1;
    }
    putchar('\n');

    return 0;
}
