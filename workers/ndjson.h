/*
 * Lines of JSON (NDJSON) from anything that can be read: a request's body, a
 * file, standard input. Memory is bounded whatever arrives.
 */

#ifndef LP_NDJSON_H
#define LP_NDJSON_H

#include <stdint.h>

#include "../core/span.h"

#define LP_NDJSON_LINE_MAX 65536 /* bytes, without what ends the line */

typedef enum {
    LP_NDJSON_END = 0, /* no line is left */
    LP_NDJSON_LINE,
    LP_NDJSON_LONG,    /* longer than LP_NDJSON_LINE_MAX; it was passed over */
    LP_NDJSON_CUT      /* reading failed: what came after the last line end
                          is not a line */
} lp_ndjson_next_t;

/* Up to max bytes into dst: how many; 0 at the end; -1 where it failed. */
typedef int (*lp_ndjson_read_t)(void *from, char *dst, size_t max);

typedef struct lp_ndjson_s lp_ndjson_t;

/* NULL: out of memory. */
lp_ndjson_t *lp_ndjson_create(lp_ndjson_read_t read, void *from);

/* NULL is none. */
void lp_ndjson_destroy(lp_ndjson_t *lines);

/*
 * The next line that is not blank. *line (LP_NDJSON_LINE alone) lives until the
 * next call; it ends before LF or CR LF. *number counts all lines from 1, blank
 * ones too. The last line needs no line end.
 */
lp_ndjson_next_t lp_ndjson_next(lp_ndjson_t *lines, lp_span_t *line,
                                uint64_t *number);

/* Bytes that were taken so far: of all lines that were given out. */
uint64_t lp_ndjson_taken(const lp_ndjson_t *lines);

/* 1 where the next call may have to wait for bytes. */
int lp_ndjson_waits(const lp_ndjson_t *lines);

#endif
