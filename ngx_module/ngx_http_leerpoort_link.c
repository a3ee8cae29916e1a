/*
 * The invalidation link of one nginx worker: a second connection to Redis that
 * only listens. In RESP2 a connection may send the news to itself and then
 * become a subscriber:
 *
 *     CLIENT ID
 *     CLIENT TRACKING ON REDIRECT <that id> BCAST PREFIX u: PREFIX s: ...
 *     SUBSCRIBE __redis__:invalidate
 *
 * With BCAST Redis names every changed key below the prefixes, whoever has read
 * it; its per-connection memory of what was read would be lost with
 * the connection that read.
 *
 * A heartbeat is another SUBSCRIBE to the same channel. Its reply comes on the
 * same stream as the news, so that it confirms that all that was said before
 * the heartbeat was sent has been heard. It goes out every second, and at once
 * when a worker waits for a witness (ngx_http_leerpoort_epoch.c). A heartbeat
 * without reply for a second means that the link is down.
 */

#include "ngx_http_leerpoort.h"

#define NGX_HTTP_LEERPOORT_TICK         50   /* ms */
#define NGX_HTTP_LEERPOORT_BEAT         1000 /* ms between heartbeats */
#define NGX_HTTP_LEERPOORT_BEAT_TIME    1000 /* ms for its reply */
#define NGX_HTTP_LEERPOORT_SWEEP        1000 /* ms between looks for the dead */
#define NGX_HTTP_LEERPOORT_REFRESH      200  /* ms between looks at JWKS */

static void ngx_http_leerpoort_link_up(ngx_http_leerpoort_redis_t *redis);
static ngx_int_t ngx_http_leerpoort_link_reply(
    ngx_http_leerpoort_redis_t *redis);
static void ngx_http_leerpoort_link_down(ngx_http_leerpoort_redis_t *redis);
static ngx_int_t ngx_http_leerpoort_link_arm(
    ngx_http_leerpoort_redis_t *redis);
static ngx_int_t ngx_http_leerpoort_link_subscribe(void);
static void ngx_http_leerpoort_link_subscribed(void);
static void ngx_http_leerpoort_link_tick(ngx_event_t *ev);
static void ngx_http_leerpoort_link_pulse(void);

static const ngx_http_leerpoort_redis_events_t  ngx_http_leerpoort_hearing = {
    ngx_http_leerpoort_link_up,
    ngx_http_leerpoort_link_reply,
    ngx_http_leerpoort_link_down
};

static struct {
    ngx_http_leerpoort_redis_t       redis;
    ngx_http_leerpoort_main_conf_t  *mcf;
    ngx_event_t                      tick;
    ngx_uint_t                       number; /* of the link, from 1 */
    ngx_uint_t                       armed;
    ngx_uint_t                       asked;  /* a SUBSCRIBE is on its way */
    uint64_t                         asked_at;  /* ns */
    uint64_t                         heard_at;  /* last heartbeat sent, ns */
    ngx_msec_t                       swept;
    ngx_msec_t                       refreshed;
} ngx_http_leerpoort_link;


void
ngx_http_leerpoort_link_init(ngx_cycle_t *cycle,
    ngx_http_leerpoort_main_conf_t *mcf)
{
    ngx_http_leerpoort_link.mcf = mcf;
    ngx_http_leerpoort_link.swept = ngx_current_msec;
    ngx_http_leerpoort_link.refreshed = ngx_current_msec;
    ngx_http_leerpoort_link.tick.handler = ngx_http_leerpoort_link_tick;
    ngx_http_leerpoort_link.tick.data = &ngx_http_leerpoort_link;
    ngx_http_leerpoort_link.tick.log = cycle->log;
    ngx_http_leerpoort_link.tick.cancelable = 1;

    ngx_http_leerpoort_redis_init(&ngx_http_leerpoort_link.redis,
                                  "invalidation", &ngx_http_leerpoort_hearing,
                                  &mcf->redis, cycle->log);

    ngx_http_leerpoort_slot_take(ngx_http_leerpoort_zone_here);
    ngx_http_leerpoort_redis_connect(&ngx_http_leerpoort_link.redis);
    ngx_add_timer(&ngx_http_leerpoort_link.tick, NGX_HTTP_LEERPOORT_TICK);

    /* the keys may have changed since the master read them */
    ngx_http_leerpoort_jwks_refresh(mcf, cycle->log);
}


void
ngx_http_leerpoort_link_exit(void)
{
    ngx_http_leerpoort_link.armed = 0;
    ngx_http_leerpoort_redis_close(&ngx_http_leerpoort_link.redis);
    ngx_http_leerpoort_slot_release(ngx_http_leerpoort_zone_here);
}


/* The number of this link while it is up, else 0: each has its own. */
ngx_uint_t
ngx_http_leerpoort_listening(void)
{
    return ngx_http_leerpoort_link.armed ? ngx_http_leerpoort_link.number : 0;
}


static void
ngx_http_leerpoort_link_up(ngx_http_leerpoort_redis_t *redis)
{
    lp_span_t  args[2];

    args[0] = lp_span("CLIENT");
    args[1] = lp_span("ID");
    (void) ngx_http_leerpoort_redis_send(redis, args, 2);

    /* until it is armed the same limit holds as for a heartbeat */
    ngx_http_leerpoort_link.asked = 1;
    ngx_http_leerpoort_link.asked_at = ngx_http_leerpoort_now_ns();
}


static ngx_int_t
ngx_http_leerpoort_link_reply(ngx_http_leerpoort_redis_t *redis)
{
    size_t                      first, count;
    ngx_http_leerpoort_zone_t  *zone;

    zone = ngx_http_leerpoort_zone_here;

    switch (lp_reply_link(&redis->reply, &first, &count)) {

    case LP_LINK_KEYS:
        ngx_http_leerpoort_mirror_changed(zone, &redis->reply, first, count);
        return NGX_OK;

    case LP_LINK_ALL:
        ngx_http_leerpoort_mirror_changed_all(zone);
        return NGX_OK;

    case LP_LINK_SUBSCRIBED:
        ngx_http_leerpoort_link_subscribed();
        return NGX_OK;

    case LP_LINK_OTHER:
        return ngx_http_leerpoort_link_arm(redis);

    case LP_LINK_BROKEN:
        break;
    }

    return NGX_ERROR;
}


static void
ngx_http_leerpoort_link_down(ngx_http_leerpoort_redis_t *redis)
{
    if (ngx_http_leerpoort_link.armed) {
        ngx_http_leerpoort_count(links_lost);
    }

    ngx_http_leerpoort_link.armed = 0;
    ngx_http_leerpoort_link.asked = 0;
    ngx_http_leerpoort_slot_lost(ngx_http_leerpoort_zone_here);
}


/* The replies that are no news: the id first, then OK to TRACKING. */
static ngx_int_t
ngx_http_leerpoort_link_arm(ngx_http_leerpoort_redis_t *redis)
{
    u_char      id[NGX_INT64_LEN];
    size_t      i, n;
    lp_span_t   args[14];

    static const char  *const  prefixes[] = { "u:", "s:", "a:", "p:" };

    if (ngx_http_leerpoort_link.armed) {
        return NGX_ERROR;
    }

    if (redis->reply.nodes[0].type == LP_REPLY_STATUS) {
        return ngx_http_leerpoort_link_subscribe();
    }

    if (redis->reply.nodes[0].type != LP_REPLY_INTEGER) {
        return NGX_ERROR;
    }

    args[0] = lp_span("CLIENT");
    args[1] = lp_span("TRACKING");
    args[2] = lp_span("ON");
    args[3] = lp_span("REDIRECT");
    args[4].data = (const char *) id;
    args[4].len = ngx_sprintf(id, "%L", redis->reply.nodes[0].integer) - id;
    args[5] = lp_span("BCAST");
    n = 6;

    for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        args[n++] = lp_span("PREFIX");
        args[n++] = lp_span_of(prefixes[i]);
    }

    return ngx_http_leerpoort_redis_send(redis, args, n);
}


static ngx_int_t
ngx_http_leerpoort_link_subscribe(void)
{
    lp_span_t  args[2];

    args[0] = lp_span("SUBSCRIBE");
    args[1] = lp_span("__redis__:invalidate");

    ngx_http_leerpoort_link.asked = 1;
    ngx_http_leerpoort_link.asked_at = ngx_http_leerpoort_now_ns();

    return ngx_http_leerpoort_redis_send(&ngx_http_leerpoort_link.redis,
                                         args, 2);
}


/* The link is armed, or a heartbeat has come back. */
static void
ngx_http_leerpoort_link_subscribed(void)
{
    ngx_http_leerpoort_zone_t  *zone;

    zone = ngx_http_leerpoort_zone_here;
    ngx_http_leerpoort_link.asked = 0;
    ngx_http_leerpoort_link.heard_at = ngx_http_leerpoort_link.asked_at;

    if (ngx_http_leerpoort_link.armed) {
        ngx_http_leerpoort_slot_confirmed(zone,
                                          ngx_http_leerpoort_link.asked_at);
        return;
    }

    ngx_http_leerpoort_link.armed = 1;
    ngx_http_leerpoort_link.number++;
    ngx_http_leerpoort_redis_proved(&ngx_http_leerpoort_link.redis);
    ngx_http_leerpoort_slot_armed(zone);
}


/* What a worker does by the clock, in one place. */
static void
ngx_http_leerpoort_link_tick(ngx_event_t *ev)
{
    ngx_http_leerpoort_link_pulse();
    ngx_http_leerpoort_usage_tick();

    if (ngx_current_msec - ngx_http_leerpoort_link.swept
        >= NGX_HTTP_LEERPOORT_SWEEP)
    {
        ngx_http_leerpoort_link.swept = ngx_current_msec;
        ngx_http_leerpoort_slot_sweep(ngx_http_leerpoort_zone_here);
    }

    if (ngx_current_msec - ngx_http_leerpoort_link.refreshed
        >= NGX_HTTP_LEERPOORT_REFRESH)
    {
        ngx_http_leerpoort_link.refreshed = ngx_current_msec;
        ngx_http_leerpoort_jwks_refresh(ngx_http_leerpoort_link.mcf,
                                          ev->log);
    }

    ngx_add_timer(ev, NGX_HTTP_LEERPOORT_TICK);
}


static void
ngx_http_leerpoort_link_pulse(void)
{
    uint64_t                    now, wanted;
    ngx_http_leerpoort_redis_t *redis;

    redis = &ngx_http_leerpoort_link.redis;

    if (redis->state != NGX_HTTP_LEERPOORT_REDIS_UP) {
        return;
    }

    now = ngx_http_leerpoort_now_ns();

    if (ngx_http_leerpoort_link.asked) {
        if (now - ngx_http_leerpoort_link.asked_at
            > NGX_HTTP_LEERPOORT_BEAT_TIME * 1000000ULL)
        {
            ngx_http_leerpoort_redis_drop(redis, "does not answer");
        }
        return;
    }

    wanted = ngx_http_leerpoort_zone_here->sh->beat_wanted;

    if (ngx_http_leerpoort_link.heard_at < wanted
        || now - ngx_http_leerpoort_link.heard_at
           > NGX_HTTP_LEERPOORT_BEAT * 1000000ULL)
    {
        (void) ngx_http_leerpoort_link_subscribe();
    }
}
