/*
 * Receivers never wait for each other: each has its own window, token and
 * pause. There are as many as parties ever had an outbox, some dozens; they are
 * walked through one by one.
 */

#include "delivery.h"

#include <stdlib.h>
#include <time.h>

#define HOUR_MS 3600000

struct lp_delivery_s {
    lp_relay_tools_t *tools;
    lp_receiver_t   **list;
    unsigned          n, max;
};

/* Unix milliseconds. */
static int64_t
wall_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

lp_delivery_t *
lp_delivery_create(lp_relay_tools_t *tools)
{
    lp_delivery_t *delivery = calloc(1, sizeof(*delivery));

    if (delivery != NULL) {
        delivery->tools = tools;
    }
    return delivery;
}

void
lp_delivery_destroy(lp_delivery_t *delivery)
{
    unsigned i;

    if (delivery == NULL) {
        return;
    }
    lp_http_abort(delivery->tools->http);
    for (i = 0; i < delivery->n; i++) {
        lp_receiver_destroy(delivery->list[i]);
    }
    free(delivery->list);
    free(delivery);
}

static int
make_room(lp_delivery_t *delivery)
{
    lp_receiver_t **longer;
    unsigned        max = delivery->max == 0 ? 16 : 2 * delivery->max;

    if (delivery->n < delivery->max) {
        return 0;
    }
    longer = realloc(delivery->list, max * sizeof(*longer));
    if (longer == NULL) {
        return -1;
    }
    delivery->list = longer;
    delivery->max = max;
    return 0;
}

/* The receiver, made where it is new; NULL: no OIN, no memory. */
static lp_receiver_t *
find(lp_delivery_t *delivery, lp_span_t oin)
{
    lp_receiver_t *receiver;
    unsigned       i;

    if (!lp_oin_valid(oin)) {
        return NULL;
    }
    for (i = 0; i < delivery->n; i++) {
        receiver = delivery->list[i];
        if (memcmp(receiver->oin, oin.data, LP_OIN_LEN) == 0) {
            return receiver;
        }
    }
    if (make_room(delivery) != 0) {
        return NULL;
    }
    receiver = lp_receiver_create(delivery->tools, oin);
    if (receiver != NULL) {
        delivery->list[delivery->n++] = receiver;
    }
    return receiver;
}

void
lp_delivery_expect(lp_delivery_t *delivery, lp_span_t oin)
{
    lp_receiver_t *receiver = find(delivery, oin);

    if (receiver != NULL) {
        receiver->drained = 0;
    }
}

/*
 * What Redis says of a pause counts, unless this process is about to write
 * another. A next that is farther away than any pause can be comes from a
 * clock that was wrong.
 */
static void
take_pause(lp_receiver_t *receiver, const redisReply *reply)
{
    const lp_relay_tools_t *tools = receiver->tools;
    lp_pause_t              pause;
    int64_t                 now = wall_clock(), longest = HOUR_MS;
    unsigned                i;

    receiver->drained = 0;
    if (receiver->unwritten || receiver->failed || receiver->flying > 0) {
        return;
    }
    for (i = 0; i < tools->n_pauses; i++) {
        if (tools->pauses_ms[i] > longest) {
            longest = tools->pauses_ms[i];
        }
    }
    lp_pause_read(&pause, reply);
    if (pause.next > now + longest) {
        pause.next = now;
    }
    receiver->pause = pause;
}

lp_relay_lock_status_t
lp_delivery_refresh(lp_delivery_t *delivery)
{
    lp_store_t       *store = delivery->tools->outbox->lock->store;
    const redisReply *reply;
    char              key[LP_OUTBOX_KEY_MAX];
    unsigned          i;

    reply = lp_store_ask(store, LP_WORDS(lp_span("SMEMBERS"),
                                         lp_span(LP_OUTBOX_PARTIES)));
    if (reply == NULL) {
        return LP_LOCK_FAILED;
    }
    for (i = 0; i < reply->elements; i++) {
        (void) find(delivery, lp_store_text(reply->element[i]));
    }
    for (i = 0; i < delivery->n; i++) {
        lp_store_add(store,
                     LP_WORDS(lp_span("HGETALL"),
                              lp_outbox_key(key, "relay",
                                            lp_span_of(
                                                delivery->list[i]->oin))));
    }
    if (lp_store_run(store) != LP_STORE_OK) {
        return LP_LOCK_FAILED;
    }
    for (i = 0; i < delivery->n; i++) {
        take_pause(delivery->list[i], lp_store_reply(store, i));
    }
    return LP_LOCK_HELD;
}

lp_relay_lock_status_t
lp_delivery_step(lp_delivery_t *delivery, int only_finish)
{
    lp_relay_lock_status_t status = LP_LOCK_HELD;
    int64_t                now = wall_clock();
    unsigned               i;

    for (i = 0; i < delivery->n && status == LP_LOCK_HELD; i++) {
        status = lp_receiver_step(delivery->list[i], now, only_finish);
    }
    return status;
}

int
lp_delivery_busy(const lp_delivery_t *delivery)
{
    int64_t  now = wall_clock();
    unsigned i;

    for (i = 0; i < delivery->n; i++) {
        if (lp_receiver_busy(delivery->list[i], now)) {
            return 1;
        }
    }
    return 0;
}

int
lp_delivery_rest(const lp_delivery_t *delivery, int max)
{
    const lp_pause_t *pause;
    int64_t           now = wall_clock();
    int               rest = max;
    unsigned          i;

    for (i = 0; i < delivery->n; i++) {
        pause = &delivery->list[i]->pause;
        if (pause->failures > 0 && pause->next - now < rest
            && pause->next > now) {
            rest = (int) (pause->next - now);
        }
    }
    return rest;
}

void
lp_delivery_forget(lp_delivery_t *delivery)
{
    unsigned i;

    lp_http_abort(delivery->tools->http);
    for (i = 0; i < delivery->n; i++) {
        lp_receiver_forget(delivery->list[i]);
    }
}

void
lp_delivery_tell(lp_delivery_t *delivery)
{
    unsigned i;

    for (i = 0; i < delivery->n; i++) {
        lp_receiver_tell(delivery->list[i]);
    }
}
