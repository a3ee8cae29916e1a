/*
 * Batches and transactions over a link to Redis.
 *
 * Whatever is not a whole, well-formed batch of replies, each of a type that
 * its question has, closes the connection: after half a reply nobody knows
 * which reply belongs to which question. A connection that was closed takes its
 * WATCH with it, so that a transaction which was begun under that WATCH is not
 * sent on the next one.
 *
 * A connection that Redis closed while it was idle (a restart, "timeout" in
 * redis.conf) is seen before anything is written to it, so that no request
 * pays for it.
 */

#include "store.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "store_kind.h"
#include "store_link.h"

#define DIGITS      24
#define REPLIES_MIN 32
#define NO_EXEC     ((unsigned) -1)

struct lp_store_s {
    lp_store_link_t    link;
    unsigned           replicas;

    unsigned           added;   /* commands that are put and not sent */
    unsigned           sent;    /* commands without a reply yet */
    unsigned           ours;    /* the first of them, not the caller's */
    lp_store_status_t  failed;  /* this batch, before it was sent */
    unsigned char     *kinds;   /* of the replies that are awaited */
    unsigned           max_kinds;
    int                queueing; /* between MULTI and EXEC */

    redisReply       **replies;
    unsigned           n_replies;
    unsigned           skipped; /* of them, as ours were */
    unsigned           max_replies;
    lp_store_status_t  status;

    int                watches; /* a WATCH is in force here */
    int                lost;    /* ... and its connection is gone */
    int                unwatch; /* to be sent before anything else */
    unsigned           exec;    /* index of the last commit's EXEC */
};

static int put(lp_store_t *store, lp_words_t words);
static int note_kind(lp_store_t *store, lp_span_t command);
static lp_store_status_t ready(lp_store_t *store);
static int keep(lp_store_t *store, redisReply *reply, unsigned at);
static void drop_replies(lp_store_t *store);
static lp_store_status_t give_up(lp_store_t *store, lp_store_status_t status);
static lp_store_status_t judge(lp_store_t *store, const redisReply *exec,
                               const redisReply *wait);

lp_store_t *
lp_store_create(const lp_store_options_t *options)
{
    lp_store_t *store;

    store = calloc(1, sizeof(lp_store_t));
    if (store == NULL) {
        return NULL;
    }

    store->replicas = options->replicas;
    store->exec = NO_EXEC;

    if (lp_store_link_set(&store->link, options) != 0) {
        lp_store_destroy(store);
        return NULL;
    }

    return store;
}

void
lp_store_destroy(lp_store_t *store)
{
    if (store == NULL) {
        return;
    }

    drop_replies(store);
    free(store->replies);
    free(store->kinds);
    lp_store_link_free(&store->link);
    free(store);
}

void
lp_store_add(lp_store_t *store, lp_words_t words)
{
    if (store->failed == LP_STORE_OK && store->added == 0
        && store->sent == 0) {
        store->failed = ready(store);
    }

    if (store->failed != LP_STORE_OK) {
        return;
    }

    if (words.n > 0 && lp_span_equal(words.list[0], lp_span("WATCH"))) {
        store->watches = 1;
        store->lost = 0;
    }

    if (put(store, words) != 0) {
        store->failed = LP_STORE_DOWN;
    }
}

lp_store_status_t
lp_store_send(lp_store_t *store)
{
    if (store->failed != LP_STORE_OK) {
        return give_up(store, store->failed);
    }

    if (store->added == 0) {
        return LP_STORE_OK;
    }

    if (lp_store_link_send(&store->link,
                           lp_store_link_deadline(&store->link)) != 0) {
        lp_store_link_fail(&store->link);
        return give_up(store, LP_STORE_DOWN);
    }

    store->sent += store->added;
    store->added = 0;
    store->status = LP_STORE_OK;

    return LP_STORE_OK;
}

lp_store_status_t
lp_store_receive(lp_store_t *store)
{
    lp_store_status_t status;
    redisReply       *reply;
    unsigned          i;
    int64_t           deadline;

    if (store->failed != LP_STORE_OK) {
        return give_up(store, store->failed);
    }

    drop_replies(store);

    if (store->sent == 0) {
        return store->status;
    }

    store->skipped = store->ours;
    store->ours = 0;
    store->link.error[0] = '\0';
    deadline = lp_store_link_deadline(&store->link);
    status = LP_STORE_OK;

    for (i = 0; i < store->sent; i++) {
        reply = lp_store_link_reply(&store->link, deadline);

        if (reply == NULL || keep(store, reply, i) != 0
            || !lp_kind_fits((lp_kind_t) store->kinds[i], reply)) {
            lp_store_link_fail(&store->link);
            return give_up(store, LP_STORE_DOWN);
        }

        if (reply->type == REDIS_REPLY_ERROR && i >= store->skipped) {
            lp_store_link_note(&store->link, reply);
            status = LP_STORE_REFUSED;
        }
    }

    memmove(store->kinds, store->kinds + store->sent, store->added);
    store->sent = 0;
    store->link.backoff_ms = 0;
    store->status = status;

    return status;
}

lp_store_status_t
lp_store_run(lp_store_t *store)
{
    if (store->failed == LP_STORE_OK && store->added == 0
        && store->sent == 0) {
        drop_replies(store);
        store->status = LP_STORE_OK;
        return LP_STORE_OK;
    }

    if (lp_store_send(store) != LP_STORE_OK) {
        return store->status;
    }

    return lp_store_receive(store);
}

const redisReply *
lp_store_reply(const lp_store_t *store, unsigned i)
{
    /* compared so that no sum can overflow */
    if (store->n_replies < store->skipped
        || i >= store->n_replies - store->skipped) {
        return NULL;
    }

    return store->replies[store->skipped + i];
}

const redisReply *
lp_store_ask(lp_store_t *store, lp_words_t words)
{
    lp_store_add(store, words);

    if (lp_store_run(store) != LP_STORE_OK) {
        return NULL;
    }

    return lp_store_reply(store, 0);
}

lp_store_status_t
lp_store_status(const lp_store_t *store)
{
    return store->status;
}

const char *
lp_store_error(const lp_store_t *store)
{
    return store->link.error;
}

void
lp_store_begin(lp_store_t *store)
{
    lp_store_add(store, LP_WORDS(lp_span("MULTI")));

    if (store->lost) {
        store->failed = LP_STORE_DOWN;
    }
}

lp_store_status_t
lp_store_commit(lp_store_t *store)
{
    char              count[DIGITS], limit[DIGITS];
    unsigned          exec;
    lp_store_status_t status;

    exec = store->sent + store->added - store->ours;
    lp_store_add(store, LP_WORDS(lp_span("EXEC")));

    if (store->replicas > 0) {
        snprintf(count, sizeof(count), "%u", store->replicas);
        snprintf(limit, sizeof(limit), "%d", store->link.timeout_ms / 2 + 1);
        lp_store_add(store, LP_WORDS(lp_span("WAIT"), lp_span_of(count),
                                     lp_span_of(limit)));
    }

    status = lp_store_run(store);
    store->watches = 0;

    if (status == LP_STORE_DOWN) {
        return status;
    }

    store->status = judge(store, lp_store_reply(store, exec),
                          lp_store_reply(store, exec + 1));

    if (store->status == LP_STORE_OK) {
        store->exec = exec;
    }

    return store->status;
}

const redisReply *
lp_store_exec(const lp_store_t *store)
{
    return store->exec == NO_EXEC ? NULL : lp_store_reply(store, store->exec);
}

/* Costs no round trip: it goes before the next batch. */
void
lp_store_unwatch(lp_store_t *store)
{
    store->unwatch |= store->watches;
    store->watches = 0;
    store->lost = 0;
}

lp_span_t
lp_store_text(const redisReply *reply)
{
    if (reply == NULL
        || (reply->type != REDIS_REPLY_STRING
            && reply->type != REDIS_REPLY_STATUS)) {
        return (lp_span_t) {NULL, 0};
    }

    return (lp_span_t) {reply->str, (size_t) reply->len};
}

static int
put(lp_store_t *store, lp_words_t words)
{
    if (lp_store_link_put(&store->link, words) != 0
        || note_kind(store, words.n > 0 ? words.list[0] : lp_span("")) != 0) {
        return -1;
    }

    store->added++;

    return 0;
}

/* What the reply to the command that was put last may be. */
static int
note_kind(lp_store_t *store, lp_span_t command)
{
    unsigned char *grown;
    unsigned       at = store->sent + store->added;
    unsigned       max;

    if (at >= store->max_kinds) {
        max = store->max_kinds == 0 ? REPLIES_MIN : store->max_kinds * 2;
        grown = realloc(store->kinds, max);
        if (grown == NULL) {
            return -1;
        }
        store->kinds = grown;
        store->max_kinds = max;
    }

    if (lp_span_equal(command, lp_span("EXEC"))
        || lp_span_equal(command, lp_span("DISCARD"))) {
        store->queueing = 0;
    }

    store->kinds[at] = store->queueing ? LP_KIND_QUEUED : lp_kind_of(command);

    if (lp_span_equal(command, lp_span("MULTI"))) {
        store->queueing = 1;
    }

    return 0;
}

/* A batch begins: is there a connection, and is it whole? */
static lp_store_status_t
ready(lp_store_t *store)
{
    lp_store_status_t status;

    store->ours = 0;

    if (store->link.context != NULL && lp_store_link_ended(&store->link)) {
        lp_store_link_close(&store->link);
        store->lost |= store->watches;
    }

    if (store->link.context == NULL) {
        store->watches = 0;
        store->unwatch = 0;
        status = lp_store_link_open(&store->link);

        if (status != LP_STORE_OK) {
            return status;
        }
    }

    if (store->unwatch) {
        if (put(store, LP_WORDS(lp_span("UNWATCH"))) != 0) {
            return LP_STORE_DOWN;
        }

        store->unwatch = 0;
        store->ours = 1;
    }

    return LP_STORE_OK;
}

/* Frees reply where there is no room for it. */
static int
keep(lp_store_t *store, redisReply *reply, unsigned at)
{
    redisReply **grown;
    unsigned     max;

    if (at >= store->max_replies) {
        max = store->max_replies == 0 ? REPLIES_MIN : store->max_replies * 2;
        grown = realloc(store->replies, max * sizeof(redisReply *));

        if (grown == NULL) {
            freeReplyObject(reply);
            return -1;
        }

        store->replies = grown;
        store->max_replies = max;
    }

    store->replies[at] = reply;
    store->n_replies = at + 1;

    return 0;
}

static void
drop_replies(lp_store_t *store)
{
    unsigned i;

    for (i = 0; i < store->n_replies; i++) {
        freeReplyObject(store->replies[i]);
    }

    store->n_replies = 0;
    store->skipped = 0;
    store->exec = NO_EXEC;
}

/* The batch is over, without replies; so is the connection, which may hold
   half of it. */
static lp_store_status_t
give_up(lp_store_t *store, lp_store_status_t status)
{
    drop_replies(store);
    lp_store_link_close(&store->link);
    store->added = 0;
    store->sent = 0;
    store->ours = 0;
    store->watches = 0;
    store->lost = 0;
    store->unwatch = 0;
    store->queueing = 0;
    store->failed = LP_STORE_OK;
    store->status = status;

    return status;
}

/* What a transaction came to, all its replies being there. */
static lp_store_status_t
judge(lp_store_t *store, const redisReply *exec, const redisReply *wait)
{
    size_t i;

    if (exec != NULL && exec->type == REDIS_REPLY_NIL) {
        return LP_STORE_CONFLICT;
    }

    if (exec == NULL || exec->type != REDIS_REPLY_ARRAY) {
        return LP_STORE_REFUSED;
    }

    for (i = 0; i < exec->elements; i++) {
        if (exec->element[i]->type == REDIS_REPLY_ERROR) {
            lp_store_link_note(&store->link, exec->element[i]);
            return LP_STORE_REFUSED;
        }
    }

    if (store->replicas > 0
        && (wait == NULL || wait->type != REDIS_REPLY_INTEGER
            || wait->integer < (long long) store->replicas)) {
        return LP_STORE_DOWN;
    }

    return store->status;
}
