/*
 * The file is read whole, and takes the old one's place once it is right.
 */

#include "pages_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "input.h"
#include "say.h"
#include "watched_file.h"

struct lp_pages_file_s {
    char        *path; /* NULL: the built-in style */
    lp_houses_t *houses;
    lp_watched_t watched;
    int64_t      looked_at;
};

static char reason_text[LP_HOUSE_REASON_MAX + 256];

static lp_houses_t *load(const char *path);

lp_pages_file_t *
lp_pages_file_open(const char *path, const char **reason)
{
    lp_pages_file_t *file = calloc(1, sizeof(lp_pages_file_t));

    *reason = "out of memory";
    if (file == NULL || path == NULL) {
        return file;
    }
    file->path = strdup(path);
    file->looked_at = lp_watched_clock();
    (void) lp_watched_changed(&file->watched, path);
    file->houses = file->path == NULL ? NULL : load(path);
    if (file->houses == NULL) {
        *reason = file->path == NULL ? "out of memory" : reason_text;
        lp_pages_file_close(file);
        return NULL;
    }
    return file;
}

/* NULL, and reason_text. */
static lp_houses_t *
load(const char *path)
{
    lp_input_t   input;
    lp_houses_t *houses;
    char         reason[LP_HOUSE_REASON_MAX] = "";

    if (lp_input_file(&input, path, LP_HOUSES_FILE_MAX) != 0) {
        snprintf(reason_text, sizeof(reason_text), "%s can't be used", path);
        return NULL;
    }
    houses = lp_houses_read(lp_input_span(&input), reason);
    lp_input_free(&input);
    if (houses == NULL) {
        snprintf(reason_text, sizeof(reason_text), "%s: %s", path, reason);
    }
    return houses;
}

void
lp_pages_file_close(lp_pages_file_t *file)
{
    if (file != NULL) {
        lp_houses_free(file->houses);
        free(file->path);
        free(file);
    }
}

const lp_houses_t *
lp_pages_file_houses(lp_pages_file_t *file)
{
    lp_houses_t *houses;

    if (file->path == NULL || file->looked_at == lp_watched_clock()) {
        return file->houses;
    }
    file->looked_at = lp_watched_clock();
    if (!lp_watched_changed(&file->watched, file->path)) {
        return file->houses;
    }
    houses = load(file->path);
    if (houses == NULL) {
        lp_say("%s; the former one stays in force", reason_text);
        return file->houses;
    }
    lp_houses_free(file->houses);
    file->houses = houses;
    return houses;
}
