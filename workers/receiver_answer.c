/*
 * Answers part into arrived, refused and the rest; see receiver.c. What a party
 * says in words is never kept: it may repeat what was sent.
 */

#include "receiver_answer.h"

#include <stdio.h>

#include <jansson.h>

#include "../core/json.h"

#define DENIED_MAX 2 /* 401 with two tokens: the token is not the matter */
#define TAIL_MAX   32

void
lp_receiver_fail(lp_receiver_t *receiver, const char *what, const char *why)
{
    receiver->failed = 1;
    snprintf(receiver->reason, sizeof(receiver->reason), "%s%s", what, why);
}

static void
fail_status(lp_receiver_t *receiver, const char *what, int status)
{
    receiver->failed = 1;
    snprintf(receiver->reason, sizeof(receiver->reason), "%sstatus %d", what,
             status);
}

void
lp_parcel_refuse(lp_parcel_t *parcel, const char *reason)
{
    parcel->state = LP_PARCEL_REFUSED;
    snprintf(parcel->reason, sizeof(parcel->reason), "%s", reason);
}

/* Counts the 5xx of the message that all others wait behind. */
static void
note_stuck(lp_receiver_t *receiver, const lp_parcel_t *parcel)
{
    if (receiver->window[0] != parcel) {
        return;
    }
    if (strcmp(receiver->stuck, parcel->id) != 0) {
        memcpy(receiver->stuck, parcel->id, sizeof(receiver->stuck));
        receiver->stuck_n = 0;
    }
    receiver->stuck_n++;
}

void
lp_receiver_on_token(void *owner, const lp_http_reply_t *reply)
{
    lp_receiver_t *receiver = owner;

    receiver->asking = 0;
    if (reply->result != LP_HTTP_ANSWERED) {
        lp_receiver_fail(receiver, "token endpoint ",
                         lp_http_text(reply->result));
        return;
    }
    if (reply->status != 200) {
        receiver->retry_after = reply->retry_after;
        fail_status(receiver, "token endpoint: ", reply->status);
        return;
    }
    if (lp_access_token_read(&receiver->token, reply->body,
                             receiver->asked_at) != 0) {
        lp_receiver_fail(receiver, "token endpoint ", "answered with garbage");
        return;
    }
    receiver->token_no++;
}

/* The party's own code, the number "status" of Edu-V's form; never its words,
   which may repeat what was sent. */
static void
refuse_by(lp_parcel_t *parcel, const lp_http_reply_t *reply)
{
    lp_json_memory_t *memory;
    lp_json_error_t   error;
    json_t           *answer = lp_json_read(reply->body, &memory, &error);
    json_t           *code;
    char              text[LP_OUTBOX_REASON_MAX], tail[TAIL_MAX] = "";

    code = answer == NULL ? NULL : json_object_get(answer, "status");
    if (json_is_integer(code) && json_integer_value(code) >= 0
        && json_integer_value(code) < 100000) {
        snprintf(tail, sizeof(tail), ", code %d",
                 (int) json_integer_value(code));
    }
    if (answer != NULL) {
        lp_json_release(memory);
    }
    snprintf(text, sizeof(text), "refused: status %d%s", reply->status, tail);
    lp_parcel_refuse(parcel, text);
    parcel->answered = 1;
}

/* 401: the token may have ended early; with a second one the party means it. */
static void
deny(lp_parcel_t *parcel)
{
    lp_receiver_t *receiver = parcel->receiver;

    if (receiver->token.value != NULL
        && parcel->token_no == receiver->token_no) {
        lp_access_token_drop(&receiver->token);
    }
    if (receiver->token_no == 0 || ++parcel->denied >= DENIED_MAX) {
        fail_status(receiver, "", 401);
    }
}

static int
is_refusal(int status)
{
    return status >= 400 && status < 500 && status != 408 && status != 425
           && status != 429;
}

void
lp_receiver_on_answer(void *owner, const lp_http_reply_t *reply)
{
    lp_parcel_t   *parcel = owner;
    lp_receiver_t *receiver = parcel->receiver;

    receiver->flying--;
    parcel->state = LP_PARCEL_WAITS;
    if (reply->result != LP_HTTP_ANSWERED) {
        lp_receiver_fail(receiver, "it ", lp_http_text(reply->result));
    } else if (reply->status >= 200 && reply->status <= 204) {
        parcel->state = LP_PARCEL_ARRIVED;
    } else if (reply->status == 401) {
        deny(parcel);
    } else if (is_refusal(reply->status)) {
        refuse_by(parcel, reply);
    } else {
        if (reply->retry_after > receiver->retry_after) {
            receiver->retry_after = reply->retry_after;
        }
        if (reply->status >= 500) {
            note_stuck(receiver, parcel);
        }
        fail_status(receiver, "", reply->status);
    }
}
