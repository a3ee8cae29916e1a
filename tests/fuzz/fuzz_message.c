/*
 * A seller's message as it comes in over HTTP: the first byte chooses the
 * pieces in which the rest arrives and how activationUntilDate is meant. What
 * is accepted is within its bounds and is the same record when it has been in
 * Redis; what is refused is so with a reason that repeats nobody's id.
 */

#include "../../core/day.h"
#include "../../core/entitlement.h"
#include "../../workers/entitlements.h"
#include "../../workers/school_type.h"
#include "connection.h"
#include "echo.h"
#include "must.h"

static json_t *read_body(const uint8_t *bytes, size_t len);
static void check_refused(const lp_verdict_t *verdict);
static void check_taken(const lp_message_t *message);
static void check_record(const lp_record_t *wanted);
static void check_id(const json_t *body, const lp_message_t *message);


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static lp_service_t service;
    lp_message_t        message;
    lp_verdict_t        verdict;
    json_t             *body;

    if (service.pepper == NULL) {
        service.pepper = lp_pepper_create(lp_span("0123456789abcdef"));
        must(service.pepper != NULL);
    }

    body = read_body(bytes, len);
    if (body == NULL) {
        return 0;
    }

    service.until_excluded = bytes[0] % 2;

    if (lp_message_read(&service, body, &message, &verdict) != 0) {
        check_refused(&verdict);

    } else {
        check_taken(&message);
        check_id(body, &message);
        message.wanted.status = message.status;
        message.wanted.shard = lp_record_home(&message.wanted);
        echo_check(&message.wanted);
    }

    json_decref(body);

    return 0;
}


/* NULL: there is none, and it was refused as the route would. */
static json_t *
read_body(const uint8_t *bytes, size_t len)
{
    int                 status;
    json_t             *body;
    const char         *answer;
    lp_request_t        request;
    static connection_t connection;

    if (len == 0) {
        return NULL;
    }

    connection_open(&connection, &request,
                    (lp_span_t) {(const char *) bytes + 1, len - 1}, bytes[0],
                    bytes[0] == 255);
    body = lp_request_json(&request, LP_BODY_MAX);
    must(request.answered == (body == NULL));

    if (body == NULL) {
        status = connection_answer(&connection, &answer);
        must(status == 400 || status == 413);
        must_be_reason(answer, CONNECTION_ANSWER);
        must(strstr(answer, "\"statusMessage\"") != NULL);
    }

    return body;
}


static void
check_refused(const lp_verdict_t *verdict)
{
    must(verdict->result == LP_REFUSED_FIELD);
    must(verdict->code == LP_CODE_SCHEMA);
    must_be_reason(verdict->reason, sizeof(verdict->reason));
}


static void
check_taken(const lp_message_t *message)
{
    size_t i;

    must(message->reference_len > 0
         && message->reference_len <= LP_REFERENCE_MAX);
    for (i = 0; i < message->reference_len; i++) {
        must(message->reference[i] >= 0x20 && message->reference[i] < 0x7f);
    }

    must(message->status > LP_STATUS_NONE && message->status < LP_STATUSES);
    must(message->end == 0 || lp_day_valid(message->end));
    must(message->n_aliases <= LP_ALIASES_MAX);
    for (i = 0; i < message->n_aliases; i++) {
        must(lp_school_id_valid(lp_field(&message->aliases[i].id)));
    }

    must(!message->has_code || is_id(message->code));
    check_record(&message->wanted);
}


static void
check_record(const lp_record_t *wanted)
{
    unsigned i, j;

    must(wanted->type > LP_TYPE_NONE && wanted->type < LP_TYPES);
    must(lp_product_valid(lp_field(&wanted->product)));
    must(wanted->school.len == 0 || lp_school_valid(lp_field(&wanted->school)));
    must(lp_day_valid(wanted->from) && lp_day_valid(wanted->until));
    must(wanted->from <= wanted->until);
    must(wanted->minimum == 0 || lp_day_valid(wanted->minimum));
    must(wanted->created >= 0 && wanted->quantity <= 1000000000);

    must(wanted->n_users <= LP_TOKEN_USERS);
    for (i = 0; i < wanted->n_users; i++) {
        must(is_id(wanted->users[i]));
        for (j = 0; j < i; j++) {
            must(memcmp(wanted->users[i], wanted->users[j], LP_USER_KEY_LEN)
                 != 0);
        }
    }
}


/* The uuid that was sent is the one that will be told back. */
static void
check_id(const json_t *body, const lp_message_t *message)
{
    char          uuid[LP_UUID_LEN + 1];
    const json_t *sent;

    sent = json_object_get(json_object_get(body, "entitlement"),
                           "entitlementId");
    lp_entitlement_uuid(uuid, message->wanted.entitlement);
    must(strcasecmp(uuid, json_string_value(sent)) == 0);
}
