/*
 * The platforms as their file has them now: lti.json is looked at once a second
 * at most, when somebody asks; a new file counts only when all of it is right.
 * The file that it replaced is kept until the next one comes: whoever has a
 * platform in hand while somebody else asks must not lose it.
 */

#include "platforms_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "../workers/input.h"
#include "../workers/say.h"
#include "../workers/watched_file.h"

struct lp_platforms_s {
    char               *path; /* NULL: there are no platforms */
    lp_watched_t        watched;
    int64_t             looked_at;
    lp_platforms_file_t file, before;
};

static char reason_text[LP_CONF_REASON_MAX + 512];

static int load(lp_platforms_t *platforms);

lp_platforms_t *
lp_platforms_open(const char *path, const char **reason)
{
    lp_platforms_t *platforms = calloc(1, sizeof(lp_platforms_t));

    *reason = "out of memory";
    if (platforms == NULL || path == NULL) {
        return platforms;
    }
    platforms->path = strdup(path);
    if (platforms->path == NULL) {
        lp_platforms_close(platforms);
        return NULL;
    }
    lp_watched_changed(&platforms->watched, path);
    platforms->looked_at = lp_watched_clock();
    if (load(platforms) != 0) {
        *reason = reason_text;
        lp_platforms_close(platforms);
        return NULL;
    }
    return platforms;
}

static int
load(lp_platforms_t *platforms)
{
    lp_platforms_file_t file;
    lp_input_t          input;
    char                why[LP_CONF_REASON_MAX];
    int                 rc;

    if (lp_input_file(&input, platforms->path, LP_PLATFORMS_FILE_MAX) != 0) {
        snprintf(reason_text, sizeof(reason_text), "lti.json is not there");
        return -1;
    }
    rc = lp_platforms_file_read(&file, lp_input_span(&input), why);
    lp_input_free(&input);
    if (rc != 0) {
        snprintf(reason_text, sizeof(reason_text), "%s: %s", platforms->path,
                 why);
        return -1;
    }
    lp_platforms_file_free(&platforms->before);
    platforms->before = platforms->file;
    platforms->file = file;
    return 0;
}

void
lp_platforms_close(lp_platforms_t *platforms)
{
    if (platforms != NULL) {
        lp_platforms_file_free(&platforms->before);
        lp_platforms_file_free(&platforms->file);
        free(platforms->path);
        free(platforms);
    }
}

const lp_platform_list_t *
lp_platform_list(lp_platforms_t *platforms)
{
    int64_t now = lp_watched_clock();

    if (platforms->path != NULL && platforms->looked_at != now) {
        platforms->looked_at = now;
        if (lp_watched_changed(&platforms->watched, platforms->path)
            && load(platforms) != 0) {
            lp_say("%s; the platforms stay as they were", reason_text);
        }
    }
    return &platforms->file.list;
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
