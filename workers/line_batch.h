/*
 * Up to 256 lines of NDJSON, each an EntitlementRequest or a reason why not:
 * what a bulk request and an import apply at a time.
 */

#ifndef LP_LINE_BATCH_H
#define LP_LINE_BATCH_H

#include "../core/json.h"
#include "entitlements.h"
#include "ndjson.h"

#define LP_LINES_MAX 256

typedef struct {
    lp_message_t     messages[LP_LINES_MAX]; /* of a line that was refused: as
                                                far as it was read */
    lp_verdict_t     verdicts[LP_LINES_MAX];
    uint64_t         lines[LP_LINES_MAX];    /* their numbers, from 1 */
    unsigned         n;
    lp_ndjson_next_t next; /* LP_NDJSON_END or _CUT: none follow */
    uint64_t         last; /* line: the last of them, or where it was cut */
} lp_line_batch_t;

/*
 * Reads a batch: until it is full, or where the rest is still on its way
 * (eager), or at the end. Lines before from are passed over. Verdicts of lines
 * that can't be applied are set, all others are zero.
 */
void lp_line_batch_read(lp_line_batch_t *batch, lp_ndjson_t *lines,
                        lp_service_t *service, uint64_t from, int eager);

/* "the line is longer than 65536 bytes" ... of a line that is no JSON object;
   NULL where it is one, which *json then is, until lp_json_release(). */
const char *lp_line_wrong(lp_ndjson_next_t next, lp_span_t line,
                          json_t **json, lp_json_memory_t **memory);

#endif
