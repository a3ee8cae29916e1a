/*
 * One buffer holds what was read and not given out. It is a little larger than
 * the longest line that counts, so that a line always lies in one piece; of a
 * longer one nothing is kept but that it is one, until its end goes by.
 */

#include "ndjson.h"

#include <stdlib.h>

/* The longest line, its end, and room to read more at a time. */
#define BUFFER_SIZE (2 * LP_NDJSON_LINE_MAX)

struct lp_ndjson_s {
    lp_ndjson_read_t read;
    void            *from;
    uint64_t         number;  /* of the last line */
    uint64_t         taken;
    size_t           start;   /* of what is not given out */
    size_t           looked;  /* up to here there is no line end */
    size_t           end;
    int              ended;   /* the source has no more */
    int              failed;
    int              too_long; /* the line that lies at start */
    char             buffer[BUFFER_SIZE];
};

static int find_line(lp_ndjson_t *lines, size_t *len, size_t *with_end);
static int last_line(lp_ndjson_t *lines, size_t *len, size_t *with_end);
static int fill(lp_ndjson_t *lines);
static int is_blank(const char *line, size_t len);

lp_ndjson_t *
lp_ndjson_create(lp_ndjson_read_t read, void *from)
{
    lp_ndjson_t *lines = malloc(sizeof(lp_ndjson_t));

    if (lines == NULL) {
        return NULL;
    }
    memset(lines, 0, offsetof(lp_ndjson_t, buffer));
    lines->read = read;
    lines->from = from;
    return lines;
}

void
lp_ndjson_destroy(lp_ndjson_t *lines)
{
    free(lines);
}

lp_ndjson_next_t
lp_ndjson_next(lp_ndjson_t *lines, lp_span_t *line, uint64_t *number)
{
    size_t len, with_end;
    int    too_long;

    for (;;) {
        if (!find_line(lines, &len, &with_end)) {
            *number = lines->number + 1;
            return lines->failed ? LP_NDJSON_CUT : LP_NDJSON_END;
        }
        line->data = lines->buffer + lines->start;
        line->len = len;
        too_long = lines->too_long || len > LP_NDJSON_LINE_MAX;
        lines->too_long = 0;
        lines->start += with_end;
        lines->looked = lines->start;
        lines->taken += with_end;
        *number = ++lines->number;
        if (too_long) {
            return LP_NDJSON_LONG;
        }
        if (!is_blank(line->data, line->len)) {
            return LP_NDJSON_LINE;
        }
    }
}

/* 1 with the line at start; 0: there is none any more. */
static int
find_line(lp_ndjson_t *lines, size_t *len, size_t *with_end)
{
    const char *at, *stop;

    for (;;) {
        at = lines->buffer + lines->looked;
        stop = memchr(at, '\n', lines->end - lines->looked);
        if (stop != NULL) {
            *len = (size_t) (stop - lines->buffer) - lines->start;
            *with_end = *len + 1;
            if (*len > 0 && stop[-1] == '\r') {
                (*len)--;
            }
            return 1;
        }
        lines->looked = lines->end;
        if (lines->ended || lines->failed) {
            return last_line(lines, len, with_end);
        }
        if (fill(lines) != 0) {
            lines->failed = 1;
        }
    }
}

/* What stands behind the last line end, where nothing was cut off. */
static int
last_line(lp_ndjson_t *lines, size_t *len, size_t *with_end)
{
    *len = *with_end = lines->end - lines->start;
    return !lines->failed && (*len > 0 || lines->too_long);
}

static int
fill(lp_ndjson_t *lines)
{
    size_t held = lines->end - lines->start;
    int    n;

    if (held > LP_NDJSON_LINE_MAX + 1) {
        lines->too_long = 1;
        lines->taken += held;
        lines->start = lines->end;
        held = 0;
    }
    if (lines->start > 0 && (held == 0 || lines->end == BUFFER_SIZE)) {
        memmove(lines->buffer, lines->buffer + lines->start, held);
        lines->start = 0;
        lines->end = lines->looked = held;
    }
    n = lines->read(lines->from, lines->buffer + lines->end,
                    BUFFER_SIZE - lines->end);
    if (n < 0) {
        return -1;
    }
    lines->ended = n == 0;
    lines->end += (size_t) n;
    return 0;
}

static int
is_blank(const char *line, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (line[i] != ' ' && line[i] != '\t') {
            return 0;
        }
    }
    return 1;
}

uint64_t
lp_ndjson_taken(const lp_ndjson_t *lines)
{
    return lines->taken;
}

int
lp_ndjson_waits(const lp_ndjson_t *lines)
{
    return !lines->ended && !lines->failed
           && memchr(lines->buffer + lines->start, '\n',
                     lines->end - lines->start)
                  == NULL;
}
