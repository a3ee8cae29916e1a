/*
 * What was read before is kept for some readings more: a request may hold a
 * pointer while somebody else asks. It would have to last for as many seconds
 * as there are readings here, with a new file in each of them, for the pointer
 * to be lost.
 */

#include "conf_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "input.h"
#include "say.h"
#include "watched_file.h"

#define READINGS 8

struct lp_conf_file_s {
    const lp_conf_reader_t *reader;
    char                   *path;   /* NULL: there is no file */
    char                   *folder; /* that path lies in */
    lp_watched_t            watched;
    int64_t                 looked_at;
    void                   *readings[READINGS];
    unsigned                now; /* index of the one in force */
};

static char reason_text[LP_CONF_REASON_MAX + 512];

static char *folder_of(const char *path);
static int load(lp_conf_file_t *file);

lp_conf_file_t *
lp_conf_file_open(const lp_conf_reader_t *reader, const char *path,
                  const char **reason)
{
    lp_conf_file_t *file = calloc(1, sizeof(lp_conf_file_t));

    *reason = "out of memory";
    if (file == NULL) {
        return NULL;
    }
    file->reader = reader;
    if (path == NULL) {
        return file;
    }
    file->path = strdup(path);
    file->folder = folder_of(path);
    if (file->path == NULL || file->folder == NULL) {
        lp_conf_file_close(file);
        return NULL;
    }
    lp_watched_changed(&file->watched, path);
    file->looked_at = lp_watched_clock();
    if (load(file) != 0) {
        *reason = reason_text;
        lp_conf_file_close(file);
        return NULL;
    }
    return file;
}

static char *
folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL) {
        return strdup(".");
    }
    return strndup(path, slash == path ? 1 : (size_t) (slash - path));
}

/* -1 and reason_text where the file can't be used. */
static int
load(lp_conf_file_t *file)
{
    lp_input_t input;
    void      *reading;
    char       why[LP_CONF_REASON_MAX] = "out of memory";

    if (lp_input_file(&input, file->path, file->reader->max) != 0) {
        snprintf(reason_text, sizeof(reason_text), "%s can't be used",
                 file->path);
        return -1;
    }
    reading = file->reader->read(lp_input_span(&input), file->folder, why);
    lp_input_free(&input);
    if (reading == NULL) {
        snprintf(reason_text, sizeof(reason_text), "%s: %s", file->path, why);
        return -1;
    }
    file->now = (file->now + 1) % READINGS;
    if (file->readings[file->now] != NULL) {
        file->reader->free(file->readings[file->now]);
    }
    file->readings[file->now] = reading;
    return 0;
}

void
lp_conf_file_close(lp_conf_file_t *file)
{
    unsigned i;

    if (file == NULL) {
        return;
    }
    for (i = 0; i < READINGS; i++) {
        if (file->readings[i] != NULL) {
            file->reader->free(file->readings[i]);
        }
    }
    free(file->folder);
    free(file->path);
    free(file);
}

void *
lp_conf_file_now(lp_conf_file_t *file)
{
    int64_t now = lp_watched_clock();

    if (file->path != NULL && file->looked_at != now) {
        file->looked_at = now;
        if (lp_watched_changed(&file->watched, file->path)
            && load(file) != 0) {
            lp_say("%s; %s stay as they were", reason_text,
                   file->reader->what);
        }
    }
    return file->readings[file->now];
}
