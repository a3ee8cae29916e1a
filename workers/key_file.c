/*
 * The files of signing keys.
 */

#include "key_file.h"

#include "input.h"
#include "say.h"

int
lp_key_file_load(lp_private_key_t *key, const char *path, lp_alg_t alg,
                 const char *kid)
{
    const char *reason;
    lp_input_t  text;
    int         rc;

    memset(key, 0, sizeof(*key));
    if (lp_input_file(&text, path, LP_KEY_TEXT_MAX) != 0) {
        return -1;
    }
    rc = lp_private_key_read(key, lp_input_span(&text), alg, kid, &reason);
    lp_input_free(&text);
    if (rc != 0) {
        lp_say("%s %s", path, reason);
    }
    return rc;
}

static void
say_fault(void *data, const char *path, const char *what, int left_out)
{
    (void) data;
    lp_say("%s%s %s", left_out ? "" : "warning: ", path, what);
}

int
lp_key_file_folder(lp_key_folder_t *folder, const char *path)
{
    return lp_key_folder_read(folder, path, say_fault, NULL);
}
