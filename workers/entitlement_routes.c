/*
 * Entitlements over HTTP: PUT /v1/entitlements, one at a time as Edu-V has it,
 * and POST /v1/entitlements/bulk, a line each.
 *
 * Edu-V receives at once and processes later. Here it is processed first: the
 * 202 means that the entitlement is stored, and what follows is only the
 * confirmation, by way of the journal and the relay.
 *
 * A bulk request is applied while it is read. Its answer, a line for each line,
 * is held back in a file without a name until the request has ended: as soon as
 * an answer begins, nginx sends a worker nothing more of the request. A sender
 * whose connection broke may send all of it again.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "line_batch.h"

#define REMEMBER_S  5   /* products and schools, within one bulk request */
#define ANSWER_MAX  768 /* bytes of an answer line */
#define HELD_READ   16384
#define SILENCE_S   60  /* of a sender that makes its lines as it goes; as long
                           as nginx waits for it (lua-free-conf/nginx.conf) */
#define REFUSED_MAX 1000000 /* lines: their answers fill the disk */
#define NDJSON_TYPE "application/x-ndjson"

/* A bulk request on its way. */
typedef struct {
    lp_service_t    *service;
    lp_request_t    *request;
    lp_ndjson_t     *lines;
    lp_applier_t    *applier;
    lp_line_batch_t *batch;
    char            *answer; /* of one batch */
    size_t           len;
    FILE            *held;   /* the answers so far ... */
    uint64_t         held_len; /* ... in so many bytes */
    uint64_t         refused; /* lines */
    int              ended;  /* before its end: answer holds the last line */
} bulk_t;

static const lp_party_t *sender(lp_service_t *service, lp_request_t *request);
static void answer_one(lp_request_t *request, const lp_message_t *message,
                       const lp_verdict_t *verdict);
static const char *accepted(const lp_verdict_t *verdict);
static int open_bulk(bulk_t *bulk, lp_span_t party);
static void close_bulk(bulk_t *bulk);
static void run_bulk(bulk_t *bulk);
static int apply_batches(bulk_t *bulk);
static int hold_batch(bulk_t *bulk);
static int hold(bulk_t *bulk);
static void give_held(bulk_t *bulk);
static void add_line(bulk_t *bulk, json_t *line);
static json_t *line_result(const lp_line_batch_t *batch, unsigned i,
                           uint64_t *refused_lines);
static void end_bulk(bulk_t *bulk, const char *why, uint64_t line);
static int read_body(void *from, char *dst, size_t max);

void
lp_route_entitlement(lp_service_t *service, lp_request_t *request)
{
    const lp_party_t *party = sender(service, request);
    lp_message_t      message;
    lp_verdict_t      verdict;
    json_t           *body;
    int               rc;

    if (party == NULL) {
        return;
    }
    body = lp_request_json(request, LP_BODY_MAX);
    if (body == NULL) {
        return;
    }
    rc = lp_message_read(service, body, &message, &verdict);
    json_decref(body);
    if (rc == 0) {
        lp_entitlements_apply(service, party->oin, &message, &verdict, 1, 1);
    }
    answer_one(request, &message, &verdict);
}

/* NULL after refusing. */
static const lp_party_t *
sender(lp_service_t *service, lp_request_t *request)
{
    const lp_party_t  *party;
    const lp_client_t *client;

    party = lp_party_by_client(lp_parties(service->parties), request->client,
                               &client);
    if (party == NULL) {
        lp_answer_refuse(request, 403, LP_CODE_SCOPE,
                         "this client belongs to no party");
    }
    return party;
}

static void
answer_one(lp_request_t *request, const lp_message_t *message,
           const lp_verdict_t *verdict)
{
    if (verdict->result == LP_FAILED) {
        lp_answer_unavailable(request);
        return;
    }
    if (verdict->result == LP_REFUSED_FIELD
        || verdict->result == LP_REFUSED_STATE) {
        lp_answer_refuse(request, 400, verdict->code, "%s", verdict->reason);
        return;
    }
    lp_answer_json(request, 202,
                   json_pack("{s:i, s:s, s:s%, s:s}", "status",
                             LP_CODE_ACCEPTED, "statusMessage",
                             accepted(verdict), "entitlementReferenceId",
                             message->reference, message->reference_len,
                             "newEntitlementStatus",
                             lp_status_name(verdict->status)));
}

static const char *
accepted(const lp_verdict_t *verdict)
{
    switch (verdict->result) {
    case LP_REPEATED:
        return "Accepted: this message was applied before";
    case LP_STALE:
        return "Accepted: older than what is stored, nothing changed";
    default:
        return "Accepted";
    }
}

void
lp_route_entitlements_bulk(lp_service_t *service, lp_request_t *request)
{
    const lp_party_t *party = sender(service, request);
    bulk_t            bulk = {service, request, NULL, NULL, NULL, NULL, 0,
                              NULL, 0, 0, 0};

    if (party == NULL) {
        return;
    }
    if (open_bulk(&bulk, party->oin) != 0) {
        lp_answer_unavailable(request);
    } else {
        lp_request_patience(request, SILENCE_S);
        run_bulk(&bulk);
    }
    close_bulk(&bulk);
}

static int
open_bulk(bulk_t *bulk, lp_span_t party)
{
    bulk->lines = lp_ndjson_create(read_body, bulk->request);
    bulk->applier = lp_applier_create(bulk->service, party, 1, LP_LINES_MAX,
                                      REMEMBER_S);
    bulk->batch = malloc(sizeof(lp_line_batch_t));
    bulk->answer = malloc((size_t) LP_LINES_MAX * ANSWER_MAX);
    bulk->held = tmpfile();
    return bulk->lines == NULL || bulk->applier == NULL || bulk->batch == NULL
                   || bulk->answer == NULL || bulk->held == NULL
               ? -1
               : 0;
}

static void
close_bulk(bulk_t *bulk)
{
    if (bulk->held != NULL) {
        fclose(bulk->held);
    }
    free(bulk->answer);
    free(bulk->batch);
    lp_applier_destroy(bulk->applier);
    lp_ndjson_destroy(bulk->lines);
}

static int
read_body(void *from, char *dst, size_t max)
{
    return lp_request_read(from, dst, max);
}

static void
run_bulk(bulk_t *bulk)
{
    lp_line_batch_t *batch = bulk->batch;

    if (apply_batches(bulk) == 0 && batch->next == LP_NDJSON_CUT) {
        end_bulk(bulk, "the body was cut off", batch->last);
    }
    if (lp_answer_begin(bulk->request, 200, NDJSON_TYPE) == 0) {
        give_held(bulk);
    }
}

/* 0; -1: something failed, and nothing more is to be done. */
static int
apply_batches(bulk_t *bulk)
{
    lp_line_batch_t *batch = bulk->batch;

    do {
        lp_line_batch_read(batch, bulk->lines, bulk->service, 0, 0);
        lp_applier_run(bulk->applier, batch->messages, batch->verdicts,
                       batch->n);
        if (hold_batch(bulk) != 0) {
            return -1;
        }
    } while (batch->next != LP_NDJSON_END && batch->next != LP_NDJSON_CUT);
    return 0;
}

static int
hold_batch(bulk_t *bulk)
{
    lp_line_batch_t *batch = bulk->batch;
    unsigned         i;

    bulk->len = 0;
    for (i = 0; i < batch->n && batch->verdicts[i].result != LP_FAILED; i++) {
        add_line(bulk, line_result(batch, i, &bulk->refused));
    }
    if (hold(bulk) != 0) {
        i = 0; /* stored, but nobody would be told */
    }
    if (i < batch->n) {
        end_bulk(bulk, "not available for a moment", batch->lines[i]);
        return -1;
    }
    if (bulk->refused >= REFUSED_MAX) {
        end_bulk(bulk, "a million lines were refused: look at why first",
                 batch->last + 1);
        return -1;
    }
    return 0;
}

/* Whole batches alone count. */
static int
hold(bulk_t *bulk)
{
    if (fwrite(bulk->answer, 1, bulk->len, bulk->held) != bulk->len
        || fflush(bulk->held) != 0) {
        return -1;
    }
    bulk->held_len += bulk->len;
    return 0;
}

/* The answers that were held, and a last line that stands in the buffer. */
static void
give_held(bulk_t *bulk)
{
    lp_span_t last = {bulk->answer, bulk->ended ? bulk->len : 0};
    char      bytes[HELD_READ];
    uint64_t  left;
    size_t    n;

    rewind(bulk->held);
    for (left = bulk->held_len; left > 0; left -= n) {
        n = left < sizeof(bytes) ? (size_t) left : sizeof(bytes);
        n = fread(bytes, 1, n, bulk->held);
        if (n == 0
            || lp_answer_write(bulk->request, (lp_span_t) {bytes, n}) != 0) {
            break;
        }
    }
    if (left == 0) {
        (void) lp_answer_write(bulk->request, last);
    }
}

static json_t *
line_result(const lp_line_batch_t *batch, unsigned i, uint64_t *refused_lines)
{
    const lp_message_t *message = &batch->messages[i];
    const lp_verdict_t *verdict = &batch->verdicts[i];
    int                 refused;
    json_t             *line;

    refused = verdict->result == LP_REFUSED_FIELD
              || verdict->result == LP_REFUSED_STATE;
    *refused_lines += (uint64_t) refused;
    line = json_pack("{s:I}", "line", (json_int_t) batch->lines[i]);
    if (message->reference_len > 0) {
        json_object_set_new(line, "entitlementReferenceId",
                            json_stringn(message->reference,
                                         message->reference_len));
    }
    json_object_set_new(line, "status",
                        json_integer(refused ? verdict->code
                                             : LP_CODE_ACCEPTED));
    json_object_set_new(line, "statusMessage",
                        json_string(refused ? verdict->reason
                                            : accepted(verdict)));
    return line;
}

/* Takes line over. */
static void
add_line(bulk_t *bulk, json_t *line)
{
    size_t n = json_dumpb(line, bulk->answer + bulk->len, ANSWER_MAX - 1,
                          JSON_COMPACT);

    json_decref(line);
    if (n > 0 && n < ANSWER_MAX) {
        bulk->len += n;
        bulk->answer[bulk->len++] = '\n';
    }
}

/* The last line of an answer to a request that could not be done whole. */
static void
end_bulk(bulk_t *bulk, const char *why, uint64_t line)
{
    char text[160];

    snprintf(text, sizeof(text), "%s; what was answered is stored: resend "
                                 "from line %" PRIu64, why, line);
    bulk->len = 0;
    bulk->ended = 1;
    add_line(bulk, json_pack("{s:i, s:s}", "status", LP_CODE_OTHER,
                             "statusMessage", text));
}
