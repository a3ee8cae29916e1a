/*
 * status.json: {"at": ..., "sources": [{"name", "issuer", "fetchedAt",
 * "changedAt", "nextAt", "keys", "leftOut", "failures", "error"}]}, a row for
 * each name. Times are Unix times, 0 is never. Whoever watches a machine may
 * read it; the command does, so that nobody has to.
 */

#include "fetch_status.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../core/json.h"
#include "../workers/input.h"
#include "../workers/say.h"

#define STATUS_MAX (4 * 1024 * 1024) /* bytes of status.json */
#define OLD_S      86400
#define NAME       "status"
#define SUFFIX     ".json"

static json_t *
row_of(const lp_fetch_t *fetch, const char *name, int64_t next_at)
{
    const lp_fetch_state_t *state = &fetch->state;

    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:i, s:i, s:I, s:s}", "name",
                     name, "issuer", fetch->source.issuer, "fetchedAt",
                     (json_int_t) state->fetched_at, "changedAt",
                     (json_int_t) state->changed_at, "nextAt",
                     (json_int_t) next_at, "keys", (int) state->keys,
                     "leftOut", (int) state->left_out, "failures",
                     (json_int_t) fetch->turn.failures, "error",
                     state->error);
}

static int
add_rows(json_t *rows, const lp_fetch_t *fetch, int64_t now)
{
    int64_t  wait = (fetch->turn.due - lp_fetcher_clock()) / 1000;
    unsigned i;

    for (i = 0; i < fetch->source.n_names; i++) {
        if (json_array_append_new(rows, row_of(fetch, fetch->source.names[i],
                                               now + (wait > 0 ? wait : 0)))
            != 0) {
            return -1;
        }
    }
    return 0;
}

static json_t *
status_of(const lp_fetcher_t *fetcher)
{
    const lp_fetch_t *fetch;
    int64_t           now = time(NULL);
    json_t           *rows = json_array();

    for (fetch = fetcher->first; fetch != NULL; fetch = fetch->next) {
        if (add_rows(rows, fetch, now) != 0) {
            json_decref(rows);
            return NULL;
        }
    }
    return json_pack("{s:I, s:o}", "at", (json_int_t) now, "sources", rows);
}

int
lp_status_write(lp_fetcher_t *fetcher)
{
    json_t *status = status_of(fetcher);
    char   *text = status == NULL ? NULL : json_dumps(status, JSON_INDENT(1));
    int     rc;

    json_decref(status);
    if (text == NULL) {
        errno = ENOMEM;
        return -1;
    }
    rc = lp_folder_put(fetcher->folder, NAME, SUFFIX, lp_span_of(text));
    free(text);
    fetcher->changed = 0;
    return rc == -1 ? -1 : 0;
}

static int64_t
number_of(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}

/* "" where it is no text. */
static const char *
text_of(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));

    return text == NULL ? "" : text;
}

static void
recall_row(lp_fetcher_t *fetcher, const json_t *row)
{
    lp_fetch_t *fetch;

    for (fetch = fetcher->first; fetch != NULL; fetch = fetch->next) {
        if (strcmp(fetch->source.names[0], text_of(row, "name")) == 0
            && strcmp(fetch->source.issuer, text_of(row, "issuer")) == 0) {
            fetch->state.fetched_at = number_of(row, "fetchedAt");
            fetch->state.changed_at = number_of(row, "changedAt");
            fetch->state.keys = (unsigned) number_of(row, "keys");
            fetch->state.left_out = (unsigned) number_of(row, "leftOut");
            return;
        }
    }
}

void
lp_status_recall(lp_fetcher_t *fetcher)
{
    lp_json_memory_t *memory;
    lp_json_error_t   error;
    const json_t     *status, *rows;
    char             *text;
    size_t            i;

    text = lp_folder_get(fetcher->folder, NAME, SUFFIX, STATUS_MAX);
    if (text == NULL) {
        return;
    }
    status = lp_json_read(lp_span_of(text), &memory, &error);
    free(text);
    if (status == NULL) {
        return;
    }
    rows = json_object_get(status, "sources");
    for (i = 0; i < json_array_size(rows); i++) {
        recall_row(fetcher, json_array_get(rows, i));
    }
    lp_json_release(memory);
}

/* "3 minutes ago" out of what lp_when() says. */
static const char *
distance(char *dst, int64_t at, int64_t now)
{
    char *open, *close;

    if (at == 0) {
        return "never";
    }
    lp_when(dst, at, now);
    open = strchr(dst, '(');
    close = strchr(dst, ')');
    if (open == NULL || close == NULL) {
        return dst;
    }
    *close = '\0';
    return open + 1;
}

/* A sentence of ours, out of a file that anybody may have changed since. */
static const char *
harmless(const char *sentence)
{
    const char *p;

    for (p = sentence; *p != '\0'; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            return "(not printable)";
        }
    }
    return sentence;
}

/* 1 where it is as it should be. */
static int
print_row(const json_t *row, int64_t now)
{
    char        fetched[LP_WHEN_MAX], next[LP_WHEN_MAX];
    char        name[LP_ESCAPED_MAX];
    const char *error = text_of(row, "error");
    int64_t     at = number_of(row, "fetchedAt"), n = number_of(row, "keys");
    int64_t     next_at = number_of(row, "nextAt");

    printf("%s: %" PRId64 " %s, fetched %s, next %s\n",
           lp_escape(name, lp_span_of(text_of(row, "name")), 64), n,
           n == 1 ? "key" : "keys", distance(fetched, at, now),
           next_at <= now ? "now" : distance(next, next_at, now));
    if (number_of(row, "leftOut") > 0) {
        printf("    %" PRId64 " keys were left out\n",
               number_of(row, "leftOut"));
    }
    if (*error != '\0') {
        printf("    failed %" PRId64 " times: %s\n", number_of(row, "failures"),
               harmless(error));
    }
    return at > now - OLD_S;
}

static int
print_all(const json_t *status, int running)
{
    const json_t *rows = json_object_get(status, "sources");
    int64_t       now = time(NULL);
    size_t        i;
    int           rc = LP_YES;

    for (i = 0; i < json_array_size(rows); i++) {
        if (!print_row(json_array_get(rows, i), now)) {
            rc = LP_NO;
        }
    }
    if (json_array_size(rows) == 0) {
        printf("there are no sources\n");
    }
    if (!running) {
        printf("no leerpoort-keys works in this folder\n");
    }
    return rc;
}

int
lp_status_print(const char *folder)
{
    lp_json_memory_t *memory;
    lp_json_error_t   error;
    const json_t     *status;
    lp_input_t        input;
    char              path[4096];
    int               rc;

    rc = snprintf(path, sizeof(path), "%s/" NAME SUFFIX, folder);
    if (rc >= (int) sizeof(path)
        || lp_input_file(&input, path, STATUS_MAX) != 0) {
        return LP_NO;
    }
    status = lp_json_read(lp_input_span(&input), &memory, &error);
    lp_input_free(&input);
    if (status == NULL) {
        lp_say("%s is no status", path);
        return LP_NO;
    }
    rc = print_all(status, lp_folder_locked(folder) == 1);
    lp_json_release(memory);
    return rc;
}
