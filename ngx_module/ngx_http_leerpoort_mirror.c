/*
 * The mirror: Redis hashes in shared memory, and the questions to Redis where
 * the mirror has no answer.
 *
 * A key that is not mirrored is asked for once, however many clicks of this
 * worker wait for it: that question is a flight. All flights of a turn of the
 * event loop leave in one write; replies come in the order of the questions.
 *
 * Why no stale right is served while Redis is up. Redis puts the name of every
 * changed key on every worker's invalidation link at the end of the turn in
 * which it changed it. Let a key change at time W. Then, whichever way it goes:
 *
 * 1. The entry was in the mirror before W. The first worker that hears of W
 *    drops it. Another worker's click may read it until then: that is the time
 *    that a message takes, the one delay there is (docs/operations.md).
 * 2. The question was asked before W, answered before W, and the reply arrives
 *    after the news of W, on the other connection. Hearing of W raised the
 *    key's counter in `changes`; the flight's stamp, taken when it was asked,
 *    is another: the reply is not stored. Clicks that had been waiting when
 *    the news came were clicked before it and may have the old answer;
 *    the flight is marked, so that later ones ask anew.
 * 3. As 2, but the reply arrives before the news. It is stored, and dropped
 *    when the news comes: as 1.
 * 4. As 2, but another worker hears of W first, and this one later. The counter
 *    is shared: the reply is not stored. If this worker stored it before the
 *    other heard, the other drops it.
 * 5. Two keys share a counter: a reply is not stored for nothing. It is used.
 * 6. The link of this worker goes down: it reads and stores no more, at once. A
 *    flight asked while the link was not up, or before it went down, is not
 *    stored (`listening`, the number of this link). Other workers go on by
 *    their own links.
 * 7. Redis says nothing because it was restarted, or the connection was cut or
 *    hangs half open: the heartbeat fails within 2 s, which is as 6. What
 *    was stored belongs to an epoch; ngx_http_leerpoort_epoch.c says when
 *    it ends.
 * 8. A worker is stopped for a while, then goes on: its lease has run out, and
 *    it does not believe the mirror until its next heartbeat has come back.
 * 9. A worker dies between its parts of a change: the ring is found broken and
 *    emptied. Killed between hearing and dropping: its link is gone as well; if
 *    it was the last, the epoch rises; if not, the others have heard the same.
 * 10. FLUSHALL, FLUSHDB and a replica's full resync come as a nil list: the
 *    epoch rises and what is older may not even be used as stale.
 * 11. A message that can't be read: the link is dropped, as 6.
 * 12. Keys that expire: Redis names them like any change.
 * Beyond all that, no entry is believed for longer than leerpoort_mirror_time.
 *
 * When Redis can't be reached, an entry that is not believed may still be used
 * (the reader asks for it, `stale`): what is left then is the last that was
 * known.
 */

#include "ngx_http_leerpoort.h"

#define NGX_HTTP_LEERPOORT_CHAINS       1024  /* of flights, by key */
#define NGX_HTTP_LEERPOORT_FLIGHTS_MAX  16384 /* at once */
#define NGX_HTTP_LEERPOORT_PATIENCE     4     /* time-outs, then reconnect */

/* What stands before a packed hash in the ring. */
typedef struct {
    uint64_t                    epoch;
    uint64_t                    stored_ms; /* ngx_current_msec */
} ngx_http_leerpoort_entry_t;

typedef struct {
    ngx_queue_t                 order;     /* of asking, of the replies */
    ngx_queue_t                 chain;     /* by key, while it may be joined */
    ngx_queue_t                 waiters;   /* ngx_http_leerpoort_key_t */
    uint64_t                    hash;
    uint64_t                    epoch;     /* stamp, ... */
    uint32_t                    changes;   /* ... taken when asked */
    ngx_uint_t                  listening; /* 0: not */
    ngx_msec_t                  asked_ms;
    uint64_t                    asked_ns;
    uint8_t                     joinable;
    uint8_t                     late;
    uint8_t                     keep;      /* somebody wants it mirrored */
    uint8_t                     alias;     /* GET, not HGETALL */
    uint8_t                     len;
    char                        text[LP_KEY_MAX];
} ngx_http_leerpoort_flight_t;

static void ngx_http_leerpoort_mirror_up(ngx_http_leerpoort_redis_t *redis);
static ngx_int_t ngx_http_leerpoort_mirror_reply(
    ngx_http_leerpoort_redis_t *redis);
static void ngx_http_leerpoort_mirror_wait(ngx_int_t more);
static ngx_uint_t ngx_http_leerpoort_mirror_hopeless(lp_span_t error);
static void ngx_http_leerpoort_mirror_wrongtype(
    const ngx_http_leerpoort_flight_t *flight);
static void ngx_http_leerpoort_mirror_refused(
    const ngx_http_leerpoort_redis_t *redis);
static ngx_uint_t ngx_http_leerpoort_flight_fits(
    const ngx_http_leerpoort_flight_t *flight, lp_reply_type_t type);
static void ngx_http_leerpoort_mirror_down(ngx_http_leerpoort_redis_t *redis);
static void ngx_http_leerpoort_mirror_timer(ngx_event_t *ev);
static void ngx_http_leerpoort_mirror_alarm(ngx_event_t *timer);
static ngx_http_leerpoort_flight_t *ngx_http_leerpoort_flight_find(
    const ngx_http_leerpoort_key_t *key);
static ngx_http_leerpoort_flight_t *ngx_http_leerpoort_flight_start(
    const ngx_http_leerpoort_key_t *key);
static ngx_int_t ngx_http_leerpoort_flight_send(
    const ngx_http_leerpoort_flight_t *flight);
static void ngx_http_leerpoort_flight_part(ngx_http_leerpoort_flight_t *flight);
static void ngx_http_leerpoort_flight_land(ngx_http_leerpoort_flight_t *flight,
    ngx_http_leerpoort_blob_t *blob);
static void ngx_http_leerpoort_flight_free(ngx_http_leerpoort_flight_t *flight);
static void ngx_http_leerpoort_flight_store(
    const ngx_http_leerpoort_flight_t *flight, lp_span_t packed);
static ngx_http_leerpoort_blob_t *ngx_http_leerpoort_blob(lp_span_t packed);

static const ngx_http_leerpoort_redis_events_t  ngx_http_leerpoort_asking = {
    ngx_http_leerpoort_mirror_up,
    ngx_http_leerpoort_mirror_reply,
    ngx_http_leerpoort_mirror_down
};

/* This worker's side of the mirror. */
static struct {
    ngx_http_leerpoort_redis_t       redis;
    ngx_http_leerpoort_redis_conf_t *conf;
    ngx_queue_t                      chains[NGX_HTTP_LEERPOORT_CHAINS];
    ngx_queue_t                      order;
    ngx_queue_t                      spare;
    ngx_uint_t                       flights;
    ngx_uint_t                       waiting; /* keys, of clicks */
    ngx_event_t                      timer;
    ngx_uint_t                       broken; /* don't wait for Redis */
} ngx_http_leerpoort_asker;


void
ngx_http_leerpoort_mirror_init(ngx_cycle_t *cycle,
    ngx_http_leerpoort_main_conf_t *mcf)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_LEERPOORT_CHAINS; i++) {
        ngx_queue_init(&ngx_http_leerpoort_asker.chains[i]);
    }

    ngx_queue_init(&ngx_http_leerpoort_asker.order);
    ngx_queue_init(&ngx_http_leerpoort_asker.spare);
    ngx_http_leerpoort_asker.conf = &mcf->redis;
    ngx_http_leerpoort_asker.timer.handler = ngx_http_leerpoort_mirror_timer;
    ngx_http_leerpoort_asker.timer.data = &ngx_http_leerpoort_asker;
    ngx_http_leerpoort_asker.timer.log = cycle->log;

    ngx_http_leerpoort_redis_init(&ngx_http_leerpoort_asker.redis, "rights",
                                  &ngx_http_leerpoort_asking, &mcf->redis,
                                  cycle->log);
    ngx_http_leerpoort_redis_connect(&ngx_http_leerpoort_asker.redis);
}


/* The worker exits: nobody waits any more. */
void
ngx_http_leerpoort_mirror_exit(void)
{
    ngx_http_leerpoort_redis_close(&ngx_http_leerpoort_asker.redis);
}


/*
 * Finds a mirrored hash that may be believed, or, where stale is set, one that
 * may be used while Redis can't be reached. The caller holds the lock; the
 * result is good until it is released. data NULL: none.
 */
lp_span_t
ngx_http_leerpoort_mirror_find(ngx_http_leerpoort_zone_t *zone,
    const ngx_http_leerpoort_key_t *key,
    const ngx_http_leerpoort_ages_t *ages, ngx_uint_t stale)
{
    lp_span_t                          record, none;
    ngx_msec_t                         age;
    const ngx_http_leerpoort_entry_t  *entry;

    none.data = NULL;
    none.len = 0;

    record = lp_ring_find(zone->ring, key->hash,
                          (lp_span_t) { key->text, key->len });
    if (record.data == NULL) {
        return none;
    }

    entry = (const ngx_http_leerpoort_entry_t *) (const void *) record.data;
    record.data += sizeof(ngx_http_leerpoort_entry_t);
    record.len -= sizeof(ngx_http_leerpoort_entry_t);

    age = ngx_current_msec - (ngx_msec_t) entry->stored_ms;
    if ((ngx_msec_int_t) age < 0) {
        age = 0; /* another worker's clock is a turn ahead */
    }

    if (stale) {
        return ages->stale > 0 && entry->epoch >= zone->sh->stale_floor
               && age < ages->longest + ages->stale ? record : none;
    }

    return entry->epoch == zone->sh->epoch && age < ages->longest
           ? record : none;
}


/*
 * Asks Redis for a key, or joins a question that is on its way. fresh: only an
 * answer to a question asked from now on will do; keep: it is to be mirrored.
 * The key becomes PENDING and its click's `pending` grows, or it becomes FAILED
 * at once.
 */
void
ngx_http_leerpoort_mirror_ask(ngx_http_leerpoort_key_t *key, ngx_uint_t fresh,
    ngx_uint_t keep)
{
    ngx_http_leerpoort_flight_t  *flight;

    flight = fresh ? NULL : ngx_http_leerpoort_flight_find(key);

    if (flight) {
        ngx_http_leerpoort_count(joined);

    } else {
        flight = ngx_http_leerpoort_flight_start(key);
        if (flight == NULL) {
            key->state = NGX_HTTP_LEERPOORT_KEY_FAILED;
            return;
        }
    }

    flight->keep |= keep;
    key->state = NGX_HTTP_LEERPOORT_KEY_PENDING;
    key->ctx->pending++;
    ngx_http_leerpoort_mirror_wait(1);
    ngx_queue_insert_tail(&flight->waiters, &key->waiters);
}


/* A worker that is to exit waits for the timer only while clicks do. */
static void
ngx_http_leerpoort_mirror_wait(ngx_int_t more)
{
    ngx_http_leerpoort_asker.waiting += more;
    ngx_http_leerpoort_asker.timer.cancelable =
                                        ngx_http_leerpoort_asker.waiting == 0;
}


/* The click goes away: it waits no more and lets go of what it was given. */
void
ngx_http_leerpoort_mirror_leave(ngx_http_leerpoort_key_t *key)
{
    if (key->state == NGX_HTTP_LEERPOORT_KEY_PENDING) {
        ngx_queue_remove(&key->waiters);
        key->ctx->pending--;
        ngx_http_leerpoort_mirror_wait(-1);

    } else if (key->state == NGX_HTTP_LEERPOORT_KEY_FETCHED
               && --key->blob->refs == 0)
    {
        ngx_free(key->blob);
    }

    key->state = NGX_HTTP_LEERPOORT_KEY_FAILED;
    key->blob = NULL;
}


/* Redis named these keys: whoever stored them, they are gone. */
void
ngx_http_leerpoort_mirror_changed(ngx_http_leerpoort_zone_t *zone,
    const lp_reply_t *reply, size_t first, size_t count)
{
    size_t                        i;
    uint64_t                      hash;
    lp_span_t                     name;
    ngx_queue_t                  *chain, *q;
    ngx_http_leerpoort_flight_t  *flight;

    for (i = first; i < first + count; i++) {
        name = lp_reply_text(reply, &reply->nodes[i]);
        hash = lp_ring_hash(zone->ring, name);

        ngx_http_leerpoort_lock(zone);
        zone->sh->changes[hash % NGX_HTTP_LEERPOORT_CHANGES]++;
        (void) lp_ring_drop(zone->ring, hash, name);
        ngx_http_leerpoort_unlock(zone);

        chain = &ngx_http_leerpoort_asker.chains[hash
                                                 % NGX_HTTP_LEERPOORT_CHAINS];
        q = ngx_queue_head(chain);

        while (q != ngx_queue_sentinel(chain)) {
            flight = ngx_queue_data(q, ngx_http_leerpoort_flight_t, chain);
            q = ngx_queue_next(q);

            if (flight->hash == hash) {
                ngx_http_leerpoort_flight_part(flight);
            }
        }
    }

    (void) ngx_atomic_fetch_add(&ngx_http_leerpoort_counters->invalidations,
                                count);
}


/* Everything may have changed, and what we had is known to be wrong. */
void
ngx_http_leerpoort_mirror_changed_all(ngx_http_leerpoort_zone_t *zone)
{
    ngx_queue_t                  *q;
    ngx_http_leerpoort_flight_t  *flight;

    ngx_http_leerpoort_lock(zone);
    zone->sh->epoch++;
    zone->sh->stale_floor = zone->sh->epoch;
    ngx_http_leerpoort_unlock(zone);

    for (q = ngx_queue_head(&ngx_http_leerpoort_asker.order);
         q != ngx_queue_sentinel(&ngx_http_leerpoort_asker.order);
         q = ngx_queue_next(q))
    {
        flight = ngx_queue_data(q, ngx_http_leerpoort_flight_t, order);
        ngx_http_leerpoort_flight_part(flight);
    }

    ngx_http_leerpoort_count(invalidations);
}


/* Redis answers: what was asked while we connected goes out now. */
static void
ngx_http_leerpoort_mirror_up(ngx_http_leerpoort_redis_t *redis)
{
    ngx_queue_t                  *q;
    ngx_http_leerpoort_flight_t  *flight;

    ngx_http_leerpoort_asker.broken = 0;
    ngx_http_leerpoort_slot_redis(1);

    q = ngx_queue_head(&ngx_http_leerpoort_asker.order);

    while (q != ngx_queue_sentinel(&ngx_http_leerpoort_asker.order)) {
        flight = ngx_queue_data(q, ngx_http_leerpoort_flight_t, order);
        q = ngx_queue_next(q);

        if (flight->late) {
            ngx_http_leerpoort_flight_free(flight);
            continue;
        }

        if (ngx_http_leerpoort_flight_send(flight) != NGX_OK) {
            /* replies are told apart by their order alone */
            ngx_http_leerpoort_redis_drop(redis, "is asked too much at once");
            return;
        }
    }
}


/* The reply to the oldest question. */
static ngx_int_t
ngx_http_leerpoort_mirror_reply(ngx_http_leerpoort_redis_t *redis)
{
    lp_span_t                     packed;
    ngx_queue_t                  *q;
    ngx_http_leerpoort_blob_t    *blob;
    ngx_http_leerpoort_flight_t  *flight;

    if (ngx_queue_empty(&ngx_http_leerpoort_asker.order)) {
        return NGX_ERROR; /* an answer to no question */
    }

    q = ngx_queue_head(&ngx_http_leerpoort_asker.order);
    flight = ngx_queue_data(q, ngx_http_leerpoort_flight_t, order);

    if (ngx_http_leerpoort_mirror_hopeless(lp_reply_error(&redis->reply))) {
        return NGX_ERROR; /* down() fails all flights, this one too */
    }

    if (lp_span_equal(lp_reply_error(&redis->reply), lp_span("WRONGTYPE"))) {
        ngx_http_leerpoort_mirror_wrongtype(flight);
        redis->reply.nodes[0].type = LP_REPLY_NIL;
    }

    packed = lp_reply_pack(&redis->reply);

    if (packed.data == NULL
        || !ngx_http_leerpoort_flight_fits(flight,
                                           redis->reply.nodes[0].type))
    {
        /* this key can't be had (NOPERM ...): the others may be */
        ngx_http_leerpoort_mirror_refused(redis);
        ngx_http_leerpoort_flight_land(flight, NULL);
        ngx_http_leerpoort_flight_free(flight);
        return NGX_OK;
    }

    ngx_http_leerpoort_observe(&ngx_http_leerpoort_counters->round_trip,
                               (ngx_http_leerpoort_now_ns()
                                - flight->asked_ns) / 1000, 0);

    ngx_http_leerpoort_redis_proved(redis);
    ngx_http_leerpoort_flight_store(flight, packed);

    blob = ngx_queue_empty(&flight->waiters)
           ? NULL : ngx_http_leerpoort_blob(packed);

    ngx_http_leerpoort_flight_land(flight, blob);
    ngx_http_leerpoort_flight_free(flight);

    return NGX_OK;
}


/*
 * A key of another type holds nothing that can be read. The names of users stay
 * out of the log, those of products are public.
 */
static void
ngx_http_leerpoort_mirror_wrongtype(const ngx_http_leerpoort_flight_t *flight)
{
    size_t     len;
    lp_span_t  name;

    ngx_http_leerpoort_count(unreadable);

    name.data = flight->text;
    name.len = flight->len;

    if (!ngx_http_leerpoort_may_complain("type", name)) {
        return;
    }

    len = flight->text[0] == 'p' || flight->text[0] == 's' ? flight->len : 2;

    ngx_log_error(NGX_LOG_ERR, ngx_http_leerpoort_asker.redis.log, 0,
                  "leerpoort: a key \"%*s%s\" in Redis is of a wrong type and "
                  "counts as empty: delete it and set it anew with the "
                  "leerpoort command", len, flight->text,
                  len < flight->len ? "..." : "");
}


/* Said now and then; an error's first word holds nothing of the key. */
static void
ngx_http_leerpoort_mirror_refused(const ngx_http_leerpoort_redis_t *redis)
{
    lp_span_t  word;

    ngx_http_leerpoort_count(errors);

    word = lp_reply_error(&redis->reply);
    if (!ngx_http_leerpoort_may_complain("refused", word)) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                  "leerpoort: Redis answers a question about rights with %s "
                  "\"%*s\" (\"%V\"); may the edge's user read u:*, s:*, a:* "
                  "and p:*?", word.len ? "the error" : "no hash", word.len,
                  word.data, &redis->conf->text);
}


/* Errors that would be the answer to every question. */
static ngx_uint_t
ngx_http_leerpoort_mirror_hopeless(lp_span_t error)
{
    return lp_span_equal(error, lp_span("LOADING"))
           || lp_span_equal(error, lp_span("NOAUTH"))
           || lp_span_equal(error, lp_span("MASTERDOWN"));
}


static void
ngx_http_leerpoort_mirror_down(ngx_http_leerpoort_redis_t *redis)
{
    ngx_queue_t                  *q;
    ngx_http_leerpoort_flight_t  *flight;

    ngx_http_leerpoort_asker.broken = redis->failures > 1;
    ngx_http_leerpoort_slot_redis(0);

    while (!ngx_queue_empty(&ngx_http_leerpoort_asker.order)) {
        q = ngx_queue_head(&ngx_http_leerpoort_asker.order);
        flight = ngx_queue_data(q, ngx_http_leerpoort_flight_t, order);

        ngx_http_leerpoort_flight_land(flight, NULL);
        ngx_http_leerpoort_flight_free(flight);
    }

    if (ngx_http_leerpoort_asker.timer.timer_set) {
        ngx_del_timer(&ngx_http_leerpoort_asker.timer);
    }
}


/*
 * The oldest questions have waited long enough: their clicks are told. The
 * answers may still come, in their order; but when the oldest is overdue by
 * far, Redis is frozen and the connection is given up, so that until it
 * answers a greeting nobody waits at all.
 */
static void
ngx_http_leerpoort_mirror_timer(ngx_event_t *ev)
{
    ngx_msec_t                    waited, timeout, next;
    ngx_queue_t                  *q;
    ngx_http_leerpoort_flight_t  *flight;

    timeout = ngx_http_leerpoort_asker.conf->timeout;
    next = NGX_HTTP_LEERPOORT_PATIENCE * timeout;

    for (q = ngx_queue_head(&ngx_http_leerpoort_asker.order);
         q != ngx_queue_sentinel(&ngx_http_leerpoort_asker.order);
         q = ngx_queue_next(q))
    {
        flight = ngx_queue_data(q, ngx_http_leerpoort_flight_t, order);
        waited = ngx_current_msec - flight->asked_ms;

        if (waited >= NGX_HTTP_LEERPOORT_PATIENCE * timeout
            && ngx_http_leerpoort_asker.redis.state
               == NGX_HTTP_LEERPOORT_REDIS_UP)
        {
            ngx_http_leerpoort_redis_drop(&ngx_http_leerpoort_asker.redis,
                                          "does not answer");
            ngx_http_leerpoort_asker.broken = 1;
            return;
        }

        if (waited < timeout) {
            next = ngx_min(next, timeout - waited);
            break;
        }

        if (!flight->late) {
            flight->late = 1;
            ngx_http_leerpoort_count(timeouts);
            ngx_http_leerpoort_flight_land(flight, NULL);
        }

        if (waited < NGX_HTTP_LEERPOORT_PATIENCE * timeout) {
            next = ngx_min(next,
                           NGX_HTTP_LEERPOORT_PATIENCE * timeout - waited);
        }
    }

    if (!ngx_queue_empty(&ngx_http_leerpoort_asker.order)) {
        ngx_add_timer(ev, ngx_max(next, 1));
    }
}


static ngx_http_leerpoort_flight_t *
ngx_http_leerpoort_flight_find(const ngx_http_leerpoort_key_t *key)
{
    ngx_queue_t                  *chain, *q;
    ngx_http_leerpoort_flight_t  *flight;

    chain = &ngx_http_leerpoort_asker.chains[key->hash
                                             % NGX_HTTP_LEERPOORT_CHAINS];

    for (q = ngx_queue_head(chain);
         q != ngx_queue_sentinel(chain);
         q = ngx_queue_next(q))
    {
        flight = ngx_queue_data(q, ngx_http_leerpoort_flight_t, chain);

        if (flight->hash == key->hash && flight->len == key->len
            && ngx_memcmp(flight->text, key->text, key->len) == 0)
        {
            return flight;
        }
    }

    return NULL;
}


/*
 * A new question. While the connection is on its way it is only asked on the
 * first try: then the answer may still come in time.
 */
static ngx_http_leerpoort_flight_t *
ngx_http_leerpoort_flight_start(const ngx_http_leerpoort_key_t *key)
{
    ngx_queue_t                  *q;
    ngx_http_leerpoort_zone_t    *zone;
    ngx_http_leerpoort_flight_t  *flight;

    if ((ngx_http_leerpoort_asker.redis.state != NGX_HTTP_LEERPOORT_REDIS_UP
         && ngx_http_leerpoort_asker.broken)
        || ngx_http_leerpoort_asker.flights >= NGX_HTTP_LEERPOORT_FLIGHTS_MAX)
    {
        return NULL;
    }

    if (ngx_queue_empty(&ngx_http_leerpoort_asker.spare)) {
        flight = ngx_alloc(sizeof(ngx_http_leerpoort_flight_t),
                           ngx_http_leerpoort_asker.redis.log);
        if (flight == NULL) {
            return NULL;
        }

    } else {
        q = ngx_queue_head(&ngx_http_leerpoort_asker.spare);
        ngx_queue_remove(q);
        flight = ngx_queue_data(q, ngx_http_leerpoort_flight_t, order);
    }

    zone = ngx_http_leerpoort_zone_here;

    ngx_queue_init(&flight->waiters);
    flight->hash = key->hash;
    flight->len = key->len;
    flight->alias = key->role == NGX_HTTP_LEERPOORT_ALIAS;
    flight->late = 0;
    flight->keep = 0;
    ngx_memcpy(flight->text, key->text, key->len);

    flight->listening = ngx_http_leerpoort_listening();
    flight->epoch = zone->sh->epoch;
    flight->changes = zone->sh->changes[key->hash
                                        % NGX_HTTP_LEERPOORT_CHANGES];
    flight->asked_ms = ngx_current_msec;
    flight->asked_ns = ngx_http_leerpoort_now_ns();

    if (ngx_http_leerpoort_asker.redis.state == NGX_HTTP_LEERPOORT_REDIS_UP
        && ngx_http_leerpoort_flight_send(flight) != NGX_OK)
    {
        ngx_queue_insert_tail(&ngx_http_leerpoort_asker.spare, &flight->order);
        return NULL;
    }

    ngx_queue_insert_tail(&ngx_http_leerpoort_asker.order, &flight->order);
    ngx_queue_insert_tail(
        &ngx_http_leerpoort_asker.chains[key->hash
                                         % NGX_HTTP_LEERPOORT_CHAINS],
        &flight->chain);
    flight->joinable = 1;
    ngx_http_leerpoort_asker.flights++;
    ngx_http_leerpoort_count(asked);

    ngx_http_leerpoort_mirror_alarm(&ngx_http_leerpoort_asker.timer);

    return flight;
}


/*
 * Sets the timer for a question asked now. One that is set for later waits for
 * the end of patience with an older question; it comes first.
 */
static void
ngx_http_leerpoort_mirror_alarm(ngx_event_t *timer)
{
    ngx_msec_t  timeout;

    timeout = ngx_http_leerpoort_asker.conf->timeout;

    if (timer->timer_set) {
        if ((ngx_msec_int_t) (timer->timer.key - (ngx_current_msec + timeout))
            <= 0)
        {
            return;
        }

        ngx_del_timer(timer);
    }

    ngx_add_timer(timer, timeout);
}


static ngx_int_t
ngx_http_leerpoort_flight_send(const ngx_http_leerpoort_flight_t *flight)
{
    lp_span_t  args[2];

    args[0] = flight->alias ? lp_span("GET") : lp_span("HGETALL");
    args[1].data = flight->text;
    args[1].len = flight->len;

    return ngx_http_leerpoort_redis_send(&ngx_http_leerpoort_asker.redis,
                                         args, 2);
}


/* Is a reply of this type one to this question? */
static ngx_uint_t
ngx_http_leerpoort_flight_fits(const ngx_http_leerpoort_flight_t *flight,
    lp_reply_type_t type)
{
    return type == LP_REPLY_NIL
           || type == (flight->alias ? LP_REPLY_STRING : LP_REPLY_ARRAY);
}


/* From now on nobody joins this flight. */
static void
ngx_http_leerpoort_flight_part(ngx_http_leerpoort_flight_t *flight)
{
    if (flight->joinable) {
        flight->joinable = 0;
        ngx_queue_remove(&flight->chain);
    }
}


/* Gives all who wait the answer; blob NULL: there is none. */
static void
ngx_http_leerpoort_flight_land(ngx_http_leerpoort_flight_t *flight,
    ngx_http_leerpoort_blob_t *blob)
{
    ngx_queue_t               *q;
    ngx_http_leerpoort_key_t  *key;

    ngx_http_leerpoort_flight_part(flight);

    q = ngx_queue_head(&flight->waiters);

    while (q != ngx_queue_sentinel(&flight->waiters)) {
        key = ngx_queue_data(q, ngx_http_leerpoort_key_t, waiters);
        q = ngx_queue_next(q);
        ngx_http_leerpoort_mirror_wait(-1);

        if (blob) {
            key->state = NGX_HTTP_LEERPOORT_KEY_FETCHED;
            key->blob = blob;
            blob->refs++;

        } else {
            key->state = NGX_HTTP_LEERPOORT_KEY_FAILED;
        }

        if (--key->ctx->pending == 0) {
            ngx_http_leerpoort_click_ready(key->ctx);
        }
    }

    ngx_queue_init(&flight->waiters);
}


static void
ngx_http_leerpoort_flight_free(ngx_http_leerpoort_flight_t *flight)
{
    ngx_queue_remove(&flight->order);
    ngx_queue_insert_head(&ngx_http_leerpoort_asker.spare, &flight->order);
    ngx_http_leerpoort_asker.flights--;
}


/* Mirrors a reply, if nothing has been heard against it since it was asked. */
static void
ngx_http_leerpoort_flight_store(const ngx_http_leerpoort_flight_t *flight,
    lp_span_t packed)
{
    lp_span_t                    parts[2];
    ngx_http_leerpoort_zone_t   *zone;
    ngx_http_leerpoort_entry_t   entry;

    zone = ngx_http_leerpoort_zone_here;

    if (!flight->keep) {
        return;
    }

    if (flight->listening == 0
        || flight->listening != ngx_http_leerpoort_listening())
    {
        ngx_http_leerpoort_count(not_stored);
        return;
    }

    ngx_http_leerpoort_lock(zone);

    if (flight->epoch == zone->sh->epoch
        && flight->changes == zone->sh->changes[flight->hash
                                                % NGX_HTTP_LEERPOORT_CHANGES])
    {
        entry.epoch = zone->sh->epoch;
        entry.stored_ms = ngx_current_msec;

        parts[0].data = (const char *) &entry;
        parts[0].len = sizeof(entry);
        parts[1] = packed;

        (void) lp_ring_store(zone->ring, flight->hash,
                             (lp_span_t) { flight->text, flight->len },
                             parts, 2);

    } else {
        ngx_http_leerpoort_count(not_stored);
    }

    ngx_http_leerpoort_unlock(zone);
}


static ngx_http_leerpoort_blob_t *
ngx_http_leerpoort_blob(lp_span_t packed)
{
    char                       *copy;
    ngx_http_leerpoort_blob_t  *blob;

    blob = ngx_alloc(sizeof(ngx_http_leerpoort_blob_t) + packed.len,
                     ngx_http_leerpoort_asker.redis.log);
    if (blob == NULL) {
        return NULL;
    }

    copy = (char *) (blob + 1);
    ngx_memcpy(copy, packed.data, packed.len);

    blob->refs = 0;
    blob->packed.data = copy;
    blob->packed.len = packed.len;

    return blob;
}
