/*
 * A line that is wrong costs itself: it gets its verdict here, and those after
 * it are read all the same.
 */

#include "line_batch.h"

#include <stdio.h>

#include "../core/json.h"

#define TEXT(number)    TEXT_OF(number)
#define TEXT_OF(number) #number

static void read_one(lp_line_batch_t *batch, lp_ndjson_next_t next,
                     lp_span_t line, lp_service_t *service);

void
lp_line_batch_read(lp_line_batch_t *batch, lp_ndjson_t *lines,
                   lp_service_t *service, uint64_t from, int eager)
{
    lp_span_t line;

    batch->n = 0;
    do {
        batch->next = lp_ndjson_next(lines, &line, &batch->last);
        if (batch->next == LP_NDJSON_END || batch->next == LP_NDJSON_CUT) {
            return;
        }
        if (batch->last < from) {
            continue;
        }
        batch->lines[batch->n] = batch->last;
        read_one(batch, batch->next, line, service);
        batch->n++;
    } while (batch->n < LP_LINES_MAX
             && !(eager && batch->n > 0 && lp_ndjson_waits(lines)));
}

const char *
lp_line_wrong(lp_ndjson_next_t next, lp_span_t line, json_t **json,
              lp_json_memory_t **memory)
{
    lp_json_error_t error;

    if (next == LP_NDJSON_LONG) {
        return "the line is longer than " TEXT(LP_NDJSON_LINE_MAX) " bytes";
    }
    *json = lp_json_read(line, memory, &error);
    if (*json != NULL) {
        return NULL;
    }
    switch (error) {
    case LP_JSON_TWICE:
        return "the line holds a member twice";
    case LP_JSON_MEMORY:
        return "out of memory";
    default:
        return "the line is no JSON object";
    }
}

static void
read_one(lp_line_batch_t *batch, lp_ndjson_next_t next, lp_span_t line,
         lp_service_t *service)
{
    lp_message_t     *message = &batch->messages[batch->n];
    lp_verdict_t     *verdict = &batch->verdicts[batch->n];
    lp_json_memory_t *memory = NULL;
    json_t           *json;
    const char       *wrong = lp_line_wrong(next, line, &json, &memory);

    if (wrong != NULL) {
        memset(verdict, 0, sizeof(*verdict));
        message->reference_len = 0;
        verdict->result = LP_REFUSED_FIELD;
        verdict->code = LP_CODE_SCHEMA;
        snprintf(verdict->reason, sizeof(verdict->reason), "%s", wrong);
        return;
    }
    (void) lp_message_read(service, json, message, verdict);
    lp_json_release(memory);
}
