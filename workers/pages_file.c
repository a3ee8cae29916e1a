/*
 * The house styles as their file has them now.
 */

#include "pages_file.h"

#include <stdlib.h>

#include "conf_file.h"

struct lp_pages_file_s {
    lp_conf_file_t *file;
};

static void *read_file(lp_span_t text, const char *folder, char *reason);
static void free_file(void *reading);

static const lp_conf_reader_t reader = {"the pages", LP_HOUSES_FILE_MAX,
                                        read_file, free_file};

lp_pages_file_t *
lp_pages_file_open(const char *path, const char **reason)
{
    lp_pages_file_t *pages = malloc(sizeof(lp_pages_file_t));

    *reason = "out of memory";
    if (pages == NULL) {
        return NULL;
    }
    pages->file = lp_conf_file_open(&reader, path, reason);
    if (pages->file == NULL) {
        free(pages);
        return NULL;
    }
    return pages;
}

static void *
read_file(lp_span_t text, const char *folder, char *reason)
{
    _Static_assert(LP_HOUSE_REASON_MAX <= LP_CONF_REASON_MAX, "no room");

    (void) folder; /* it names no files */
    return lp_houses_read(text, reason);
}

static void
free_file(void *reading)
{
    lp_houses_free(reading);
}

void
lp_pages_file_close(lp_pages_file_t *pages)
{
    if (pages != NULL) {
        lp_conf_file_close(pages->file);
        free(pages);
    }
}

const lp_houses_t *
lp_pages_file_houses(lp_pages_file_t *pages)
{
    return lp_conf_file_now(pages->file);
}
