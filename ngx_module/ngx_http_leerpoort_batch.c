/*
 * Batches of usage: from a worker's memory to Redis, or to the spool and from
 * there to Redis.
 *
 * A batch has the name of its producer (a worker's life) and a sequence number,
 * counted per shard from 0. It keeps both however often it is sent, so that the
 * tally can count it once, although nobody can know whether a batch was stored
 * whose reply did not come. A number that never comes was dropped or lost.
 *
 * Batches leave on a connection of their own, on the module's tick or when
 * there are 32 kB of them, in one write, so that Redis syncs its AOF once for
 * all. Until the reply has come a batch stays in memory. When Redis goes away,
 * stands still, or answers with an error (OOM, READONLY, LOADING, NOPERM),
 * there is trouble: what is in memory goes to the spool, new batches too, and
 * one batch now and then is sent to see whether it is over. Then the spool is
 * sent, at a bounded rate.
 *
 * What is in memory is bounded; beyond, and where the spool takes no more, new
 * batches are dropped and counted. Without a spool they wait in memory.
 */

#include "ngx_http_leerpoort_usage.h"

#include <poll.h>

#define NGX_HTTP_LEERPOORT_BATCH_MEMORY   (8 * 1024 * 1024) /* of batches */
#define NGX_HTTP_LEERPOORT_BATCH_ENOUGH   (32 * 1024)   /* for one write */
#define NGX_HTTP_LEERPOORT_BATCH_FLYING   (1024 * 1024) /* not answered yet */
#define NGX_HTTP_LEERPOORT_BATCH_SLICE    (256 * 1024)  /* spool, per tick */
#define NGX_HTTP_LEERPOORT_BATCH_PATIENCE 1000 /* ms for a reply */
#define NGX_HTTP_LEERPOORT_BATCH_RETRY    1000 /* ms after an error */
#define NGX_HTTP_LEERPOORT_BATCH_ADOPT    1000 /* ms between looks */
#define NGX_HTTP_LEERPOORT_BATCH_LAST     300  /* ms for the last replies */

static void ngx_http_leerpoort_batch_keep(ngx_http_leerpoort_batch_t *batch);
static void ngx_http_leerpoort_batch_watch(void);
static void ngx_http_leerpoort_batch_send(void);
static ngx_uint_t ngx_http_leerpoort_batch_may_send(void);
static ngx_http_leerpoort_batch_t *ngx_http_leerpoort_batch_next(void);
static ngx_int_t ngx_http_leerpoort_batch_xadd(
    ngx_http_leerpoort_batch_t *batch);
static void ngx_http_leerpoort_batch_spill(void);
static void ngx_http_leerpoort_batch_free(ngx_http_leerpoort_batch_t *batch);
static void ngx_http_leerpoort_batch_up(ngx_http_leerpoort_redis_t *redis);
static ngx_int_t ngx_http_leerpoort_batch_reply(
    ngx_http_leerpoort_redis_t *redis);
static void ngx_http_leerpoort_batch_stored(ngx_http_leerpoort_batch_t *batch);
static void ngx_http_leerpoort_batch_refused(ngx_http_leerpoort_batch_t *batch,
    lp_span_t word);
static void ngx_http_leerpoort_batch_back(ngx_http_leerpoort_batch_t *batch);
static void ngx_http_leerpoort_batch_replayed(void);
static void ngx_http_leerpoort_batch_down(ngx_http_leerpoort_redis_t *redis);
static void ngx_http_leerpoort_batch_last(void);

static const ngx_http_leerpoort_redis_events_t  ngx_http_leerpoort_telling = {
    ngx_http_leerpoort_batch_up,
    ngx_http_leerpoort_batch_reply,
    ngx_http_leerpoort_batch_down
};

/* This worker's batches. */
static struct {
    u_char                       producer[NGX_HTTP_LEERPOORT_PRODUCER];
    uint64_t                     sequence[LP_SHARDS]; /* the next one's */
    ngx_http_leerpoort_held_t   *held;    /* in the slot */
    ngx_http_leerpoort_redis_t   redis;
    ngx_queue_t                  waiting; /* to be sent */
    ngx_queue_t                  flying;  /* sent, in this order */
    size_t                       memory;  /* bytes of both, but the spool's */
    size_t                       unsent;  /* bytes of new lines */
    size_t                       airborne; /* bytes of lines flying */
    size_t                       slice;   /* bytes the spool may send yet */
    ngx_uint_t                   replaying; /* flying, from the spool */
    ngx_uint_t                   refused; /* some of those failed */
    ngx_uint_t                   trouble;
    ngx_msec_t                   retry_at; /* while there is trouble */
    ngx_msec_t                   adopted;
} ngx_http_leerpoort_batches;


void
ngx_http_leerpoort_batch_init(ngx_http_leerpoort_redis_conf_t *conf,
    const u_char *producer, ngx_http_leerpoort_held_t *held, ngx_log_t *log)
{
    ngx_memcpy(ngx_http_leerpoort_batches.producer, producer,
               NGX_HTTP_LEERPOORT_PRODUCER);
    ngx_queue_init(&ngx_http_leerpoort_batches.waiting);
    ngx_queue_init(&ngx_http_leerpoort_batches.flying);
    ngx_http_leerpoort_batches.held = held;
    ngx_http_leerpoort_batches.adopted = ngx_current_msec;

    ngx_http_leerpoort_spool_adopt();

    ngx_http_leerpoort_redis_init(&ngx_http_leerpoort_batches.redis, "usage",
                                  &ngx_http_leerpoort_telling, conf, log);
    ngx_http_leerpoort_redis_connect(&ngx_http_leerpoort_batches.redis);
}


void
ngx_http_leerpoort_batch_make(unsigned shard, const u_char *lines, size_t len,
    ngx_uint_t events)
{
    ngx_http_leerpoort_batch_t  *batch;

    batch = ngx_alloc(sizeof(ngx_http_leerpoort_batch_t) + len,
                      ngx_http_leerpoort_batches.redis.log);

    if (batch == NULL) {
        ngx_http_leerpoort_batches.held->events -= events;
        ngx_http_leerpoort_batch_dropped(events);
        return;
    }

    ngx_memcpy(batch->producer, ngx_http_leerpoort_batches.producer,
               NGX_HTTP_LEERPOORT_PRODUCER);
    batch->sequence = ngx_http_leerpoort_batches.sequence[shard]++;
    batch->shard = shard;
    batch->events = (uint32_t) events;
    batch->len = (uint32_t) len;
    batch->spooled = 0;
    ngx_memcpy(ngx_http_leerpoort_batch_lines(batch), lines, len);

    ngx_http_leerpoort_batch_keep(batch);
}


/* A new batch: it waits in memory, else on disk, else it is dropped. */
static void
ngx_http_leerpoort_batch_keep(ngx_http_leerpoort_batch_t *batch)
{
    size_t  size;

    size = sizeof(ngx_http_leerpoort_batch_t) + batch->len;

    if (ngx_http_leerpoort_batches.memory + size
        <= NGX_HTTP_LEERPOORT_BATCH_MEMORY)
    {
        ngx_http_leerpoort_batches.memory += size;
        ngx_http_leerpoort_batches.held->batches++;
        ngx_queue_insert_tail(&ngx_http_leerpoort_batches.waiting,
                              &batch->order);

        ngx_http_leerpoort_batches.unsent += batch->len;

        if (!ngx_http_leerpoort_batches.trouble
            && ngx_http_leerpoort_batches.unsent
               >= NGX_HTTP_LEERPOORT_BATCH_ENOUGH)
        {
            ngx_http_leerpoort_batch_send();
        }

        return;
    }

    if (ngx_http_leerpoort_spool_append(batch) == NGX_OK) {
        (void) ngx_atomic_fetch_add(
            &ngx_http_leerpoort_counters->usage_spooled, batch->events);

    } else {
        ngx_http_leerpoort_batch_dropped(batch->events);
    }

    ngx_http_leerpoort_batches.held->events -= batch->events;
    ngx_free(batch);
}


void
ngx_http_leerpoort_batch_dropped(ngx_uint_t events)
{
    (void) ngx_atomic_fetch_add(&ngx_http_leerpoort_counters->usage_dropped,
                                events);

    if (ngx_http_leerpoort_may_complain("usage", lp_span("dropped"))) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "leerpoort: usage is dropped: Redis does not take it, "
                      "and there is no room for it in the spool and in "
                      "memory");
    }
}


void
ngx_http_leerpoort_batch_tick(void)
{
    if (ngx_current_msec - ngx_http_leerpoort_batches.adopted
        >= NGX_HTTP_LEERPOORT_BATCH_ADOPT)
    {
        ngx_http_leerpoort_batches.adopted = ngx_current_msec;
        ngx_http_leerpoort_spool_adopt();
    }

    ngx_http_leerpoort_batch_watch();

    ngx_http_leerpoort_batches.slice = NGX_HTTP_LEERPOORT_BATCH_SLICE;
    ngx_http_leerpoort_batch_send();

    if (ngx_http_leerpoort_batches.trouble) {
        ngx_http_leerpoort_batch_spill();
    }
}


/* A Redis that stands still keeps the connection open. */
static void
ngx_http_leerpoort_batch_watch(void)
{
    ngx_queue_t                 *q;
    ngx_http_leerpoort_batch_t  *batch;

    if (ngx_queue_empty(&ngx_http_leerpoort_batches.flying)) {
        return;
    }

    q = ngx_queue_head(&ngx_http_leerpoort_batches.flying);
    batch = ngx_queue_data(q, ngx_http_leerpoort_batch_t, order);

    if (ngx_current_msec - batch->sent_at
        > NGX_HTTP_LEERPOORT_BATCH_PATIENCE)
    {
        ngx_http_leerpoort_count(timeouts);
        ngx_http_leerpoort_redis_drop(&ngx_http_leerpoort_batches.redis,
                                      "does not answer");
    }
}


static void
ngx_http_leerpoort_batch_send(void)
{
    ngx_http_leerpoort_batch_t  *batch;

    ngx_http_leerpoort_batches.unsent = 0;

    while (ngx_http_leerpoort_batch_may_send()) {

        batch = ngx_http_leerpoort_batch_next();

        if (batch == NULL) {
            return;
        }

        if (ngx_http_leerpoort_batch_xadd(batch) != NGX_OK) {
            ngx_http_leerpoort_batch_back(batch);
            ngx_http_leerpoort_batch_replayed();
            return;
        }

        batch->sent_at = ngx_current_msec;
        ngx_http_leerpoort_batches.airborne += batch->len;
        ngx_queue_insert_tail(&ngx_http_leerpoort_batches.flying,
                              &batch->order);
    }
}


/* In trouble one batch at a time asks whether it is over. */
static ngx_uint_t
ngx_http_leerpoort_batch_may_send(void)
{
    if (ngx_http_leerpoort_batches.redis.state != NGX_HTTP_LEERPOORT_REDIS_UP
        || ngx_http_leerpoort_batches.airborne
           >= NGX_HTTP_LEERPOORT_BATCH_FLYING)
    {
        return 0;
    }

    return !ngx_http_leerpoort_batches.trouble
           || (ngx_queue_empty(&ngx_http_leerpoort_batches.flying)
               && (ngx_msec_int_t) (ngx_current_msec
                                    - ngx_http_leerpoort_batches.retry_at)
                  >= 0);
}


/* The next to be sent, new ones first; NULL: none. */
static ngx_http_leerpoort_batch_t *
ngx_http_leerpoort_batch_next(void)
{
    ngx_queue_t                 *q;
    ngx_http_leerpoort_batch_t  *batch;

    if (!ngx_queue_empty(&ngx_http_leerpoort_batches.waiting)) {
        q = ngx_queue_head(&ngx_http_leerpoort_batches.waiting);
        ngx_queue_remove(q);
        return ngx_queue_data(q, ngx_http_leerpoort_batch_t, order);
    }

    if (ngx_http_leerpoort_batches.slice == 0
        || ngx_http_leerpoort_batches.refused)
    {
        return NULL;
    }

    batch = ngx_http_leerpoort_spool_next();

    if (batch == NULL) {
        ngx_http_leerpoort_batch_replayed();

    } else {
        ngx_http_leerpoort_batches.replaying++;
        ngx_http_leerpoort_batches.slice -=
                      ngx_min(ngx_http_leerpoort_batches.slice, batch->len);
    }

    return batch;
}


static ngx_int_t
ngx_http_leerpoort_batch_xadd(ngx_http_leerpoort_batch_t *batch)
{
    u_char     key[sizeof("usage:{NN}")], number[NGX_INT64_LEN];
    lp_span_t  args[9];

    args[0] = lp_span("XADD");
    args[1].data = (const char *) key;
    args[1].len = ngx_sprintf(key, "usage:{%02uD}", batch->shard) - key;
    args[2] = lp_span("*");
    args[3] = lp_span("p");
    args[4].data = (const char *) batch->producer;
    args[4].len = NGX_HTTP_LEERPOORT_PRODUCER;
    args[5] = lp_span("n");
    args[6].data = (const char *) number;
    args[6].len = ngx_sprintf(number, "%uL", batch->sequence) - number;
    args[7] = lp_span("b");
    args[8].data = (const char *) ngx_http_leerpoort_batch_lines(batch);
    args[8].len = batch->len;

    return ngx_http_leerpoort_redis_send(&ngx_http_leerpoort_batches.redis,
                                         args, 9);
}


/* Moves what waits to the spool, the oldest first, as far as there is room. */
static void
ngx_http_leerpoort_batch_spill(void)
{
    ngx_queue_t                 *q;
    ngx_http_leerpoort_batch_t  *batch;

    while (!ngx_queue_empty(&ngx_http_leerpoort_batches.waiting)) {
        q = ngx_queue_head(&ngx_http_leerpoort_batches.waiting);
        batch = ngx_queue_data(q, ngx_http_leerpoort_batch_t, order);

        if (ngx_http_leerpoort_spool_append(batch) != NGX_OK) {
            return;
        }

        (void) ngx_atomic_fetch_add(
            &ngx_http_leerpoort_counters->usage_spooled, batch->events);

        ngx_queue_remove(q);
        ngx_http_leerpoort_batch_free(batch);
    }
}


/* A batch that is in no queue any more, and whose events are settled. */
static void
ngx_http_leerpoort_batch_free(ngx_http_leerpoort_batch_t *batch)
{
    if (!batch->spooled) {
        ngx_http_leerpoort_batches.memory -= batch->len
                                       + sizeof(ngx_http_leerpoort_batch_t);
        ngx_http_leerpoort_batches.held->batches--;
        ngx_http_leerpoort_batches.held->events -= batch->events;
    }

    ngx_free(batch);
}


static void
ngx_http_leerpoort_batch_up(ngx_http_leerpoort_redis_t *redis)
{
    ngx_http_leerpoort_batches.retry_at = ngx_current_msec;
    ngx_http_leerpoort_batch_send();
}


/* The reply to the oldest XADD: the entry's id, or an error. */
static ngx_int_t
ngx_http_leerpoort_batch_reply(ngx_http_leerpoort_redis_t *redis)
{
    ngx_queue_t                 *q;
    lp_reply_type_t              type;
    ngx_http_leerpoort_batch_t  *batch;

    type = redis->reply.nodes[0].type;

    if (ngx_queue_empty(&ngx_http_leerpoort_batches.flying)
        || (type != LP_REPLY_STRING && type != LP_REPLY_ERROR))
    {
        return NGX_ERROR;
    }

    q = ngx_queue_head(&ngx_http_leerpoort_batches.flying);
    batch = ngx_queue_data(q, ngx_http_leerpoort_batch_t, order);
    ngx_queue_remove(q);
    ngx_http_leerpoort_batches.airborne -= batch->len;

    if (type == LP_REPLY_STRING) {
        ngx_http_leerpoort_batch_stored(batch);

    } else {
        ngx_http_leerpoort_batch_refused(batch,
                                         lp_reply_error(&redis->reply));
    }

    ngx_http_leerpoort_batch_replayed();

    return NGX_OK;
}


static void
ngx_http_leerpoort_batch_stored(ngx_http_leerpoort_batch_t *batch)
{
    (void) ngx_atomic_fetch_add(&ngx_http_leerpoort_counters->usage_stored,
                                batch->events);

    ngx_http_leerpoort_batches.replaying -= batch->spooled;
    ngx_http_leerpoort_batch_free(batch);

    ngx_http_leerpoort_redis_proved(&ngx_http_leerpoort_batches.redis);

    if (ngx_http_leerpoort_batches.trouble) {
        ngx_http_leerpoort_batches.trouble = 0;
        ngx_http_leerpoort_batch_send();
    }
}


/*
 * An error. It would be the answer to the others as well, but for a key of a
 * wrong type, which would hold up all other shards: that batch is dropped.
 */
static void
ngx_http_leerpoort_batch_refused(ngx_http_leerpoort_batch_t *batch,
    lp_span_t word)
{
    ngx_http_leerpoort_count(errors);

    if (ngx_http_leerpoort_may_complain("usage", word)) {
        ngx_log_error(NGX_LOG_ERR, ngx_http_leerpoort_batches.redis.log, 0,
                      "leerpoort: Redis answers the usage of shard %uD with "
                      "the error \"%*s\" (\"%V\")", batch->shard, word.len,
                      word.data, &ngx_http_leerpoort_batches.redis.conf->text);
    }

    if (!lp_span_equal(word, lp_span("WRONGTYPE"))) {
        ngx_http_leerpoort_batches.trouble = 1;
        ngx_http_leerpoort_batches.retry_at = ngx_current_msec
                                          + NGX_HTTP_LEERPOORT_BATCH_RETRY;
        ngx_http_leerpoort_batch_back(batch);
        return;
    }

    (void) ngx_atomic_fetch_add(&ngx_http_leerpoort_counters->usage_dropped,
                                batch->events);
    ngx_http_leerpoort_batches.replaying -= batch->spooled;
    ngx_http_leerpoort_batch_free(batch);
}


/* One that was not stored, as far as we know: it is to be sent again. */
static void
ngx_http_leerpoort_batch_back(ngx_http_leerpoort_batch_t *batch)
{
    if (!batch->spooled) {
        ngx_queue_insert_head(&ngx_http_leerpoort_batches.waiting,
                              &batch->order);
        return;
    }

    ngx_http_leerpoort_batches.refused = 1;
    ngx_http_leerpoort_batches.replaying--;
    ngx_http_leerpoort_batch_free(batch);
}


/* Tells the spool, once all that it handed out is answered. */
static void
ngx_http_leerpoort_batch_replayed(void)
{
    if (ngx_http_leerpoort_batches.replaying > 0) {
        return;
    }

    if (ngx_http_leerpoort_batches.refused) {
        ngx_http_leerpoort_batches.refused = 0;
        ngx_http_leerpoort_spool_again();

    } else {
        ngx_http_leerpoort_spool_done();
    }
}


static void
ngx_http_leerpoort_batch_down(ngx_http_leerpoort_redis_t *redis)
{
    ngx_queue_t                 *q, *earlier;
    ngx_http_leerpoort_batch_t  *batch;

    for (q = ngx_queue_last(&ngx_http_leerpoort_batches.flying);
         q != ngx_queue_sentinel(&ngx_http_leerpoort_batches.flying);
         q = earlier)
    {
        earlier = ngx_queue_prev(q);
        batch = ngx_queue_data(q, ngx_http_leerpoort_batch_t, order);
        ngx_queue_remove(q);
        ngx_http_leerpoort_batch_back(batch);
    }

    ngx_http_leerpoort_batches.airborne = 0;
    ngx_http_leerpoort_batches.trouble = 1;

    if (ngx_http_leerpoort_batches.refused) {
        ngx_http_leerpoort_batch_replayed();
    }
}


/*
 * What is in memory goes to Redis if that answers in a moment, else to the
 * spool, which another worker adopts, else it is dropped.
 */
void
ngx_http_leerpoort_batch_exit(void)
{
    ngx_queue_t                 *q;
    ngx_http_leerpoort_batch_t  *batch;

    ngx_http_leerpoort_batch_last();
    ngx_http_leerpoort_batch_down(&ngx_http_leerpoort_batches.redis);
    ngx_http_leerpoort_batch_spill();

    while (!ngx_queue_empty(&ngx_http_leerpoort_batches.waiting)) {
        q = ngx_queue_head(&ngx_http_leerpoort_batches.waiting);
        batch = ngx_queue_data(q, ngx_http_leerpoort_batch_t, order);
        ngx_queue_remove(q);
        ngx_http_leerpoort_batch_dropped(batch->events);
        ngx_http_leerpoort_batch_free(batch);
    }

    ngx_http_leerpoort_redis_close(&ngx_http_leerpoort_batches.redis);
}


/*
 * The event loop has ended: the connection's events are called by hand, for a
 * moment, until all that is in memory is answered.
 */
static void
ngx_http_leerpoort_batch_last(void)
{
    int                          wait;
    uint64_t                     until, now;
    struct pollfd                pfd;
    ngx_connection_t            *c;
    ngx_http_leerpoort_redis_t  *redis;

    redis = &ngx_http_leerpoort_batches.redis;
    until = ngx_http_leerpoort_now_ns()
            + NGX_HTTP_LEERPOORT_BATCH_LAST * 1000000ULL;

    ngx_http_leerpoort_batches.slice = 0;

    for ( ;; ) {
        ngx_http_leerpoort_batch_send();

        now = ngx_http_leerpoort_now_ns();
        c = redis->connection;

        if (redis->state != NGX_HTTP_LEERPOORT_REDIS_UP
            || ngx_queue_empty(&ngx_http_leerpoort_batches.flying)
            || ngx_http_leerpoort_batches.trouble || now >= until)
        {
            return;
        }

        wait = (int) ((until - now) / 1000000) + 1;
        pfd.fd = c->fd;
        pfd.events = POLLIN | (redis->out_len > 0 ? POLLOUT : 0);
        pfd.revents = 0;

        if (poll(&pfd, 1, wait) == -1 && ngx_errno != NGX_EINTR) {
            return;
        }

        if (pfd.revents & POLLOUT) {
            c->write->ready = 1;
            c->write->handler(c->write);
        }

        if (redis->connection == c
            && (pfd.revents & (POLLIN|POLLHUP|POLLERR)))
        {
            c->read->ready = 1;
#if (NGX_HAVE_EPOLLRDHUP)
            c->read->available = -1; /* as the event module would say */
#endif
            c->read->handler(c->read);
        }
    }
}
