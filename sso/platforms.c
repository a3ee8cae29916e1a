/*
 * The platforms as their file has them now.
 */

#include "platforms_file.h"

#include <stdlib.h>

#include "../workers/conf_file.h"

struct lp_platforms_s {
    lp_conf_file_t *file;
};

static void *read_file(lp_span_t text, const char *folder, char *reason);
static void free_file(void *reading);

static const lp_conf_reader_t reader = {"the platforms", LP_PLATFORMS_FILE_MAX,
                                        read_file, free_file};

lp_platforms_t *
lp_platforms_open(const char *path, const char **reason)
{
    lp_platforms_t *platforms = malloc(sizeof(lp_platforms_t));

    *reason = "out of memory";
    if (platforms == NULL) {
        return NULL;
    }
    platforms->file = lp_conf_file_open(&reader, path, reason);
    if (platforms->file == NULL) {
        free(platforms);
        return NULL;
    }
    return platforms;
}

static void *
read_file(lp_span_t text, const char *folder, char *reason)
{
    lp_platforms_file_t *file = malloc(sizeof(lp_platforms_file_t));

    (void) folder; /* it names no files */
    if (file == NULL || lp_platforms_file_read(file, text, reason) != 0) {
        free(file);
        return NULL;
    }
    return file;
}

static void
free_file(void *reading)
{
    lp_platforms_file_free(reading);
    free(reading);
}

void
lp_platforms_close(lp_platforms_t *platforms)
{
    if (platforms != NULL) {
        lp_conf_file_close(platforms->file);
        free(platforms);
    }
}

const lp_platform_list_t *
lp_platform_list(lp_platforms_t *platforms)
{
    static const lp_platform_list_t none;
    const lp_platforms_file_t      *file = lp_conf_file_now(platforms->file);

    return file == NULL ? &none : &file->list;
}

const lp_platform_t *
lp_platform_find(const lp_platform_list_t *list, lp_span_t issuer,
                 lp_span_t client_id)
{
    const lp_platform_t *found = NULL;
    unsigned             i;

    for (i = 0; i < list->n; i++) {
        if (!lp_span_equal(list->list[i].issuer, issuer)) {
            continue;
        }
        if (client_id.len > 0) {
            if (lp_span_equal(list->list[i].client_id, client_id)) {
                return &list->list[i];
            }
        } else if (found != NULL) {
            return NULL; /* which of them is meant, nobody says */
        } else {
            found = &list->list[i];
        }
    }
    return client_id.len > 0 ? NULL : found;
}

const lp_platform_t *
lp_platform_by_name(const lp_platform_list_t *list, lp_span_t name)
{
    unsigned i;

    for (i = 0; i < list->n; i++) {
        if (lp_span_equal(list->list[i].name, name)) {
            return &list->list[i];
        }
    }
    return NULL;
}
