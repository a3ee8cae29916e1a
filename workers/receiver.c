/*
 * How messages reach one party. They are read from its outbox into a window, in
 * their order; up to eight fly at once, but a message waits for every earlier
 * one of its subject (an entitlement), so that a party hears of "entitled"
 * before "blocked" however the network shuffles.
 *
 * Answers part into three. Arrived: the message is removed. Refused (4xx: this
 * message will never be taken): it goes to the dead letters, the others go on,
 * also later ones of its subject. Everything else says something about the
 * receiver, not the message: what flies is waited for, then the receiver is
 * left alone for a minute, five minutes, an hour, a day, and messages queue.
 * The first attempt after a pause is a single message. One that is answered
 * with 5xx for the fourth time while another arrives is itself the matter: it
 * goes to the dead letters, so that it does not hold up all others for ever.
 *
 * Killed at any moment, a relay leaves each message in the outbox until its
 * arrival is written down; at worst it is sent again, with the same ids.
 */

#include "receiver.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "receiver_answer.h"
#include "say.h"

#define URL_MAX   2560
#define STUCK_MAX 4    /* 5xx for one message: the first try and three more */

static lp_span_t
oin_of(const lp_receiver_t *receiver)
{
    return (lp_span_t) {receiver->oin, LP_OIN_LEN};
}

lp_receiver_t *
lp_receiver_create(lp_relay_tools_t *tools, lp_span_t oin)
{
    lp_receiver_t *receiver = calloc(1, sizeof(*receiver));

    if (receiver != NULL) {
        receiver->tools = tools;
        memcpy(receiver->oin, oin.data, LP_OIN_LEN);
    }
    return receiver;
}

static void
drop_parcel(lp_parcel_t *parcel)
{
    lp_letter_free(&parcel->letter);
    free(parcel);
}

void
lp_receiver_forget(lp_receiver_t *receiver)
{
    unsigned i;

    for (i = 0; i < receiver->n; i++) {
        drop_parcel(receiver->window[i]);
    }
    receiver->n = 0;
    receiver->last[0] = '\0';
    receiver->drained = 0;
    receiver->flying = 0;
    receiver->asking = 0;
    receiver->failed = 0;
    receiver->retry_after = 0;
    receiver->others = 0;
}

void
lp_receiver_destroy(lp_receiver_t *receiver)
{
    lp_receiver_forget(receiver);
    lp_access_token_drop(&receiver->token);
    free(receiver);
}

void
lp_receiver_tell(lp_receiver_t *receiver)
{
    if (receiver->sent > 0 || receiver->buried > 0) {
        lp_say("relay: receiver=%s sent=%u refused=%u", receiver->oin,
               receiver->sent, receiver->buried);
    }
    receiver->sent = 0;
    receiver->buried = 0;
}

static int
is_paused(const lp_receiver_t *receiver, int64_t now)
{
    return receiver->pause.failures > 0 && now < receiver->pause.next;
}

int
lp_receiver_busy(const lp_receiver_t *receiver, int64_t now)
{
    unsigned i;

    if (receiver->flying > 0 || receiver->asking || receiver->failed) {
        return 1;
    }
    for (i = 0; i < receiver->n; i++) {
        if (receiver->window[i]->state >= LP_PARCEL_ARRIVED) {
            return 1;
        }
    }
    return !is_paused(receiver, now) && (receiver->n > 0 || !receiver->drained);
}

/* Pauses. */

/* How long after so many failures; a receiver that says when is believed. */
static int64_t
pause_of(const lp_receiver_t *receiver)
{
    const lp_relay_tools_t *tools = receiver->tools;
    int64_t                 i = receiver->pause.failures - 1;

    if (receiver->retry_after > LP_RETRY_AFTER_S) {
        return (int64_t) LP_RETRY_AFTER_S * 1000;
    }
    if (receiver->retry_after > 0) {
        return receiver->retry_after * 1000;
    }
    return tools->pauses_ms[i < tools->n_pauses ? i : tools->n_pauses - 1];
}

/* 1 where the first message is the matter, and not the receiver. */
static int
is_stuck(const lp_receiver_t *receiver)
{
    return receiver->stuck_n >= STUCK_MAX && receiver->others
           && receiver->n > 0
           && strcmp(receiver->stuck, receiver->window[0]->id) == 0;
}

/* What flew has landed: the receiver is left alone from now on. */
static lp_relay_lock_status_t
begin_pause(lp_receiver_t *receiver, int64_t now)
{
    lp_relay_lock_status_t status;
    int64_t                pause;

    if (is_stuck(receiver)) {
        lp_parcel_refuse(receiver->window[0],
                         "5xx again and again, while others arrive");
        receiver->failed = 0;
        receiver->retry_after = 0;
        return LP_LOCK_HELD;
    }
    receiver->pause.failures++;
    pause = pause_of(receiver);
    receiver->pause.next = now + pause;
    memcpy(receiver->pause.reason, receiver->reason,
           sizeof(receiver->pause.reason));
    lp_receiver_tell(receiver);
    lp_say("relay: receiver=%s paused_s=%" PRId64 " failures=%" PRId64
           " reason=\"%s\"", receiver->oin, (pause + 999) / 1000,
           receiver->pause.failures, receiver->reason);
    lp_receiver_forget(receiver);
    status = lp_outbox_pause(receiver->tools->outbox, oin_of(receiver),
                             &receiver->pause);
    receiver->unwritten = status != LP_LOCK_HELD;
    return status;
}

/* The receiver answers: it is not to be left alone any more. */
static void
end_pause(lp_receiver_t *receiver)
{
    if (receiver->pause.failures > 0) {
        lp_say("relay: receiver=%s answers again", receiver->oin);
    }
    memset(&receiver->pause, 0, sizeof(receiver->pause));
    receiver->unwritten = 0;
}

/* Writing down what became of messages. */

static void
remove_state(lp_receiver_t *receiver, lp_parcel_state_t state)
{
    unsigned i, kept = 0;

    for (i = 0; i < receiver->n; i++) {
        if (receiver->window[i]->state == state) {
            drop_parcel(receiver->window[i]);
        } else {
            receiver->window[kept++] = receiver->window[i];
        }
    }
    receiver->n = kept;
}

static lp_relay_lock_status_t
settle_arrived(lp_receiver_t *receiver)
{
    lp_span_t              ids[LP_WINDOW];
    lp_relay_lock_status_t status;
    unsigned               i, n = 0;

    for (i = 0; i < receiver->n; i++) {
        if (receiver->window[i]->state == LP_PARCEL_ARRIVED) {
            ids[n++] = lp_span_of(receiver->window[i]->id);
        }
    }
    if (n == 0) {
        return LP_LOCK_HELD;
    }
    status = lp_outbox_done(receiver->tools->outbox, oin_of(receiver), ids, n);
    if (status == LP_LOCK_HELD) {
        remove_state(receiver, LP_PARCEL_ARRIVED);
        end_pause(receiver);
        receiver->sent += n;
        receiver->others = 1;
    }
    return status;
}

/* A refusal is an answer too: the pause ends. */
static lp_relay_lock_status_t
note_answer(lp_receiver_t *receiver)
{
    lp_relay_lock_status_t status = LP_LOCK_HELD;

    if (receiver->pause.failures > 0) {
        status = lp_outbox_done(receiver->tools->outbox, oin_of(receiver),
                                NULL, 0);
        if (status == LP_LOCK_HELD) {
            end_pause(receiver);
        }
    }
    return status;
}

/* The first refusal is told at once, the number of others later. */
static lp_relay_lock_status_t
bury(lp_receiver_t *receiver, const lp_parcel_t *parcel)
{
    lp_relay_lock_status_t status = LP_LOCK_HELD;

    if (parcel->answered) {
        status = note_answer(receiver);
    }
    if (status == LP_LOCK_HELD) {
        status = lp_outbox_bury(receiver->tools->outbox, oin_of(receiver),
                                lp_span_of(parcel->id), &parcel->letter,
                                parcel->reason);
    }
    if (status == LP_LOCK_HELD && receiver->buried++ == 0) {
        lp_say("relay: receiver=%s dead_letter=%s reason=\"%s\"",
               receiver->oin, parcel->id, parcel->reason);
    }
    return status;
}

static lp_relay_lock_status_t
settle_refused(lp_receiver_t *receiver)
{
    lp_relay_lock_status_t status;
    lp_parcel_t           *parcel;
    unsigned               i = 0;

    while (i < receiver->n) {
        parcel = receiver->window[i];
        if (parcel->state != LP_PARCEL_REFUSED) {
            i++;
            continue;
        }
        status = bury(receiver, parcel);
        if (status != LP_LOCK_HELD) {
            return status;
        }
        receiver->n--;
        memmove(&receiver->window[i], &receiver->window[i + 1],
                (receiver->n - i) * sizeof(parcel));
        drop_parcel(parcel);
    }
    return LP_LOCK_HELD;
}

/* Reading the outbox. */

static int
read_parcel(lp_receiver_t *receiver, const redisReply *entry)
{
    lp_parcel_t *parcel;
    lp_span_t    id;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2) {
        return 0;
    }
    id = lp_store_text(entry->element[0]);
    if (id.len == 0 || id.len >= LP_OUTBOX_ID_MAX) {
        return 0;
    }
    parcel = calloc(1, sizeof(*parcel));
    if (parcel == NULL
        || lp_letter_read(&parcel->letter, entry->element[1]) != 0) {
        free(parcel);
        return -1;
    }
    parcel->receiver = receiver;
    memcpy(parcel->id, id.data, id.len);
    memcpy(receiver->last, parcel->id, sizeof(receiver->last));
    receiver->window[receiver->n++] = parcel;
    return 0;
}

static lp_relay_lock_status_t
fill_window(lp_receiver_t *receiver)
{
    const redisReply *reply;
    unsigned          wanted = LP_WINDOW - receiver->n;
    size_t            i;

    if (receiver->drained || wanted < LP_WINDOW / 2) {
        return LP_LOCK_HELD;
    }
    reply = lp_outbox_read(receiver->tools->outbox->lock->store,
                           oin_of(receiver), receiver->last, wanted);
    if (reply == NULL || reply->elements > wanted) {
        return LP_LOCK_FAILED;
    }
    receiver->drained = reply->elements < wanted;
    for (i = 0; i < reply->elements; i++) {
        if (read_parcel(receiver, reply->element[i]) != 0) {
            receiver->drained = 0;
            break;
        }
    }
    return LP_LOCK_HELD;
}

/* Sending. */

static void
refuse_all(lp_receiver_t *receiver, const char *reason)
{
    unsigned i;

    for (i = 0; i < receiver->n; i++) {
        if (receiver->window[i]->state == LP_PARCEL_WAITS) {
            lp_parcel_refuse(receiver->window[i], reason);
        }
    }
}

static void
ask_token(lp_receiver_t *receiver, const lp_party_t *party)
{
    lp_http_request_t request = {
        .method = "POST", .type = "application/x-www-form-urlencoded"};
    char        url[URL_MAX];
    const char *reason;
    char       *form = lp_access_token_ask(party, time(NULL), &reason);

    if (form == NULL) {
        lp_receiver_fail(receiver, "token: ", reason);
        return;
    }
    snprintf(url, sizeof(url), "%.*s", (int) party->token_url.len,
             party->token_url.data);
    request.url = url;
    request.body = lp_span_of(form);
    receiver->asked_at = lp_relay_clock();
    if (lp_http_start(receiver->tools->http, &request, lp_receiver_on_token,
                      receiver)
        == 0) {
        receiver->asking = 1;
    } else {
        lp_receiver_fail(receiver, "token: ", "no memory");
    }
    lp_access_token_wipe(form);
}

static void
send_parcel(lp_parcel_t *parcel, const lp_party_t *party)
{
    lp_receiver_t    *receiver = parcel->receiver;
    lp_http_request_t request = {.method = "PUT", .type = "application/json",
                                 .token = receiver->token.value};
    lp_span_t         base = party->base_url;
    char              url[URL_MAX];
    const char       *reason;
    char             *body;

    body = lp_letter_write(&parcel->letter, receiver->tools->seal, &reason);
    if (body == NULL) {
        lp_parcel_refuse(parcel, reason);
        return;
    }
    while (base.len > 0 && base.data[base.len - 1] == '/') {
        base.len--;
    }
    snprintf(url, sizeof(url), "%.*s%s", (int) base.len, base.data,
             lp_letter_path(parcel->letter.kind));
    request.url = url;
    request.body = lp_span_of(body);
    if (lp_http_start(receiver->tools->http, &request, lp_receiver_on_answer,
                      parcel)
        == 0) {
        parcel->state = LP_PARCEL_FLIES;
        parcel->token_no = receiver->token_no;
        receiver->flying++;
    } else {
        lp_receiver_fail(receiver, "", "no memory");
    }
    lp_letter_wipe(body);
}

/* 1 where an earlier message of the same subject is not done with. */
static int
must_wait(const lp_receiver_t *receiver, unsigned at)
{
    lp_span_t subject = lp_letter_subject(&receiver->window[at]->letter);
    unsigned  i;

    for (i = 0; i < at; i++) {
        if (receiver->window[i]->state <= LP_PARCEL_FLIES
            && lp_span_equal(lp_letter_subject(&receiver->window[i]->letter),
                             subject)) {
            return 1;
        }
    }
    return 0;
}

static void
send_parcels(lp_receiver_t *receiver, const lp_party_t *party)
{
    unsigned i, most = LP_FLYING_MAX;

    if (receiver->pause.failures > 0) {
        most = receiver->stuck_n + 1 >= STUCK_MAX ? 2 : 1;
    }
    if (party == NULL) {
        refuse_all(receiver, "parties.json does not have it");
        return;
    }
    if (party->base_url.len == 0) {
        refuse_all(receiver, "parties.json gives it no baseUrl");
        return;
    }
    if (party->token_url.len > 0
        && !lp_access_token_good(&receiver->token, lp_relay_clock())) {
        if (!receiver->asking) {
            ask_token(receiver, party);
        }
        return;
    }
    for (i = 0; i < receiver->n && receiver->flying < most; i++) {
        if (!receiver->failed
            && receiver->window[i]->state == LP_PARCEL_WAITS
            && !must_wait(receiver, i)) {
            send_parcel(receiver->window[i], party);
        }
    }
}

lp_relay_lock_status_t
lp_receiver_step(lp_receiver_t *receiver, int64_t now, int only_finish)
{
    const lp_party_list_t *list;
    lp_relay_lock_status_t status = settle_arrived(receiver);

    if (status == LP_LOCK_HELD) {
        status = settle_refused(receiver);
    }
    if (status != LP_LOCK_HELD) {
        return status;
    }
    if (receiver->failed) {
        return receiver->flying > 0 || receiver->asking
                   ? LP_LOCK_HELD
                   : begin_pause(receiver, now);
    }
    if (only_finish || is_paused(receiver, now)) {
        return LP_LOCK_HELD;
    }
    status = fill_window(receiver);
    if (status == LP_LOCK_HELD && receiver->n > 0) {
        list = lp_parties(receiver->tools->parties);
        send_parcels(receiver, lp_party_by_oin(list, oin_of(receiver)));
    }
    return status;
}
