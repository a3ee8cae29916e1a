/*
 * run.json and latency.hgrm: from memory to a folder and back. What is read may
 * come from another machine: its size is bounded before a byte is parsed.
 */

#include "result.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include "../workers/say.h"
#include "json_file.h"
#include "new_file.h"
#include "result_members.h"

static int read_file(const char *path, char **text, size_t *len);
static FILE *open_file(const char *path);
static int parse(const char *path, const char *text, size_t len,
                 lp_result_t *result);


int
lp_result_write(const lp_result_t *result, const char *folder)
{
    json_t *object = lp_result_json(result);
    int     rc = lp_json_file_write(folder, "run.json", 0644, object,
                                    JSON_INDENT(1) | JSON_REAL_PRECISION(17));

    json_decref(object);

    return rc;
}


int
lp_result_hgrm(const lp_result_t *result, const char *folder)
{
    char  *text = NULL;
    size_t len = 0;
    FILE  *stream = open_memstream(&text, &len);
    int    rc = -1;

    if (stream != NULL) {
        rc = lp_histogram_hgrm(&result->schedule.h, stream);
        rc = fclose(stream) == 0 ? rc : -1;
    }
    if (rc != 0) {
        lp_say("%s/latency.hgrm: no memory left to write it", folder);
    } else {
        rc = lp_new_file(folder, "latency.hgrm", 0644, text, len);
    }
    free(text);

    return rc;
}


int
lp_result_read(lp_result_t *result, const char *path)
{
    struct stat st;
    char        file[PATH_MAX];
    char       *text;
    size_t      len;
    int         rc;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        rc = snprintf(file, sizeof(file), "%s/run.json", path);
    } else {
        rc = snprintf(file, sizeof(file), "%s", path);
    }
    if (rc >= (int) sizeof(file)) {
        lp_say("%s: %s", path, strerror(ENAMETOOLONG));
        return -1;
    }

    if (read_file(file, &text, &len) != 0) {
        return -1;
    }

    rc = parse(file, text, len, result);
    free(text);

    return rc;
}


static int
read_file(const char *path, char **text, size_t *len)
{
    FILE *stream = open_file(path);

    if (stream == NULL) {
        return -1;
    }

    *text = malloc(LP_RUN_JSON_MAX + 1);
    if (*text == NULL) {
        lp_say("%s: no memory left to read it", path);
        fclose(stream);
        return -1;
    }

    *len = fread(*text, 1, LP_RUN_JSON_MAX + 1, stream);
    if (ferror(stream)) {
        lp_say("%s: cannot be read: %s", path, strerror(errno));
    } else if (*len > LP_RUN_JSON_MAX) {
        lp_say("%s: is longer than a result can be (%d MB)", path,
               LP_RUN_JSON_MAX >> 20);
    } else {
        fclose(stream);
        return 0;
    }

    fclose(stream);
    free(*text);

    return -1;
}


static FILE *
open_file(const char *path)
{
    const char *odd = lp_file_odd(path);
    FILE       *stream;

    if (odd != NULL) {
        lp_say("%s: %s", path, odd);
        return NULL;
    }

    stream = fopen(path, "re");
    if (stream == NULL) {
        lp_say("%s: %s%s", path, strerror(errno),
               errno == ENOENT ? " (a run that ended has one)" : "");
    }

    return stream;
}


static int
parse(const char *path, const char *text, size_t len, lp_result_t *result)
{
    lp_result_source_t source = {path, 0};
    json_error_t       error;
    json_t            *object;
    char               reason[LP_ESCAPED_MAX];
    int                rc;

    lp_result_reset(result);

    object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(object)) {
        if (object == NULL) {
            lp_say("%s: is no JSON: line %d: %s", path, error.line,
                   lp_escape(reason, lp_span_of(lp_json_fault(&error)), 64));
        } else {
            lp_say("%s: holds no JSON object", path);
        }
        json_decref(object);
        return -1;
    }

    rc = lp_result_take_json(&source, object, result);
    json_decref(object);

    return rc;
}
