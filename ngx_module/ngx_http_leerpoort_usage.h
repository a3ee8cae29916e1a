/*
 * A batch of usage, and the spool that keeps batches while Redis is away. The
 * story is told in ngx_http_leerpoort_usage.c; the file's format in
 * ngx_http_leerpoort_spool.c.
 */

#ifndef NGX_HTTP_LEERPOORT_USAGE_H_INCLUDED
#define NGX_HTTP_LEERPOORT_USAGE_H_INCLUDED

#include "ngx_http_leerpoort.h"

#define NGX_HTTP_LEERPOORT_PRODUCER  16 /* hex digits: 8 random bytes */
#define NGX_HTTP_LEERPOORT_PRODUCT_MAX  64 /* bytes: core/keys.h */

/* <unix> <school> <product> <user> <entitlement>\n, all at their longest */
#define NGX_HTTP_LEERPOORT_LINE_MAX                                           \
    (NGX_INT64_LEN + 1 + LP_SCHOOL_ID_MAX                                     \
     + 1 + NGX_HTTP_LEERPOORT_PRODUCT_MAX + 1 + LP_USER_KEY_LEN               \
     + 1 + LP_ENTITLEMENT_LEN + 1)

/* Some forty-five clicks. All shards' lines are to fit a core's cache, where
   the mirror wants to be as well. */
#define NGX_HTTP_LEERPOORT_BATCH_MAX  4096 /* bytes of lines */

/*
 * Lines of one shard under one number: what (producer, shard, sequence) names
 * is the same lines for ever, however often it is sent.
 */
typedef struct {
    ngx_queue_t      order;
    u_char           producer[NGX_HTTP_LEERPOORT_PRODUCER];
    uint64_t         sequence;
    uint32_t         shard;
    uint32_t         events;
    uint32_t         len;     /* of the lines, which follow */
    uint32_t         spooled; /* it came from the spool, and is still there */
    ngx_msec_t       sent_at;
} ngx_http_leerpoort_batch_t;

static ngx_inline u_char *
ngx_http_leerpoort_batch_lines(ngx_http_leerpoort_batch_t *batch)
{
    return (u_char *) (batch + 1);
}


/* ---- batches: to Redis, or to the spool and from there to Redis ---- */

/* Starts sending; held: where it says what it has in memory. */
void ngx_http_leerpoort_batch_init(ngx_http_leerpoort_redis_conf_t *conf,
    const u_char *producer, ngx_http_leerpoort_held_t *held, ngx_log_t *log);

/* Takes lines over, at most BATCH_MAX bytes; `events` of held are its own. */
void ngx_http_leerpoort_batch_make(unsigned shard, const u_char *lines,
    size_t len, ngx_uint_t events);

/* Counts events that can't be kept, and says so now and then. */
void ngx_http_leerpoort_batch_dropped(ngx_uint_t events);

void ngx_http_leerpoort_batch_tick(void);
void ngx_http_leerpoort_batch_exit(void);


/* ---- the spool ---- */

/*
 * Starts the spool of this worker. held: where it says how many bytes it has on
 * disk. Without a folder, or one that can't be opened, all else does nothing.
 */
void ngx_http_leerpoort_spool_init(
    const ngx_http_leerpoort_usage_conf_t *conf, const u_char *producer,
    ngx_http_leerpoort_held_t *held, ngx_log_t *log);

/*
 * Writes a batch of this worker's. NGX_OK; NGX_DECLINED: no spool, no room, or
 * the file can't be written.
 */
ngx_int_t ngx_http_leerpoort_spool_append(ngx_http_leerpoort_batch_t *batch);

/* Takes over the files of workers that are gone. */
void ngx_http_leerpoort_spool_adopt(void);

/*
 * The next batch to be sent again, oldest first, to be freed by the caller;
 * NULL: none now.
 */
ngx_http_leerpoort_batch_t *ngx_http_leerpoort_spool_next(void);

/* All that were handed out are in Redis: files that are finished go. */
void ngx_http_leerpoort_spool_done(void);

/* Some of them are not: they will be handed out again. */
void ngx_http_leerpoort_spool_again(void);

/* Lets go of all files, for others to adopt. */
void ngx_http_leerpoort_spool_close(void);

#endif /* NGX_HTTP_LEERPOORT_USAGE_H_INCLUDED */
