/*
 * The metrics in Prometheus' text format, summed over all workers. Every label
 * is one of a fixed list: nothing that a user typed gets here.
 */

#include "ngx_http_leerpoort_directives.h"

/* Bytes of text that fit; a page is about half of it. */
#define NGX_HTTP_LEERPOORT_METRICS_SIZE  (48 * 1024)

typedef struct {
    const char  *name;
    const char  *label;  /* NULL: none */
    const char  *value;
    size_t       offset; /* in the counters */
    const char  *help;   /* NULL: the same metric as the line before */
} ngx_http_leerpoort_metric_t;

#define ngx_http_leerpoort_at(field)                                          \
    offsetof(ngx_http_leerpoort_counters_t, field)

static ngx_int_t ngx_http_leerpoort_metrics_handler(ngx_http_request_t *r);
static u_char *ngx_http_leerpoort_metrics_clicks(u_char *p, u_char *last,
    ngx_http_leerpoort_shared_t *sh);
static u_char *ngx_http_leerpoort_metrics_api(u_char *p, u_char *last,
    ngx_http_leerpoort_shared_t *sh);
static u_char *ngx_http_leerpoort_metrics_simple(u_char *p, u_char *last,
    ngx_http_leerpoort_shared_t *sh);
static u_char *ngx_http_leerpoort_metrics_histograms(u_char *p, u_char *last,
    ngx_http_leerpoort_shared_t *sh);
static u_char *ngx_http_leerpoort_metrics_histogram(u_char *p, u_char *last,
    ngx_http_leerpoort_shared_t *sh, const char *name, const char *label,
    size_t offset, ngx_uint_t own_time);
static u_char *ngx_http_leerpoort_metrics_state(u_char *p, u_char *last,
    ngx_http_leerpoort_zone_t *zone);
static u_char *ngx_http_leerpoort_metrics_held(u_char *p, u_char *last,
    ngx_http_leerpoort_zone_t *zone);
static ngx_atomic_uint_t ngx_http_leerpoort_sum(
    ngx_http_leerpoort_shared_t *sh, size_t offset);

static const ngx_http_leerpoort_metric_t  ngx_http_leerpoort_simple[] = {

    { "leerpoort_mirror_total", "result", "hit",
      ngx_http_leerpoort_at(mirror_hit),
      "Clicks by where their rights came from." },
    { "leerpoort_mirror_total", "result", "miss",
      ngx_http_leerpoort_at(mirror_miss), NULL },
    { "leerpoort_mirror_total", "result", "stale",
      ngx_http_leerpoort_at(mirror_stale), NULL },

    { "leerpoort_token_cache_total", "result", "hit",
      ngx_http_leerpoort_at(token_hit),
      "Tokens by whether they had been verified before." },
    { "leerpoort_token_cache_total", "result", "miss",
      ngx_http_leerpoort_at(token_miss), NULL },

    { "leerpoort_redis_questions_total", NULL, NULL,
      ngx_http_leerpoort_at(asked), "Keys that Redis was asked for." },

    { "leerpoort_redis_joined_total", NULL, NULL,
      ngx_http_leerpoort_at(joined),
      "Keys that another click had asked for already." },

    { "leerpoort_redis_timeouts_total", NULL, NULL,
      ngx_http_leerpoort_at(timeouts),
      "Questions that Redis did not answer in time." },

    { "leerpoort_redis_errors_total", NULL, NULL,
      ngx_http_leerpoort_at(errors),
      "Replies after which the connection was given up." },

    { "leerpoort_redis_connects_total", NULL, NULL,
      ngx_http_leerpoort_at(connects),
      "Connections to Redis that were greeted." },

    { "leerpoort_links_lost_total", NULL, NULL,
      ngx_http_leerpoort_at(links_lost),
      "Invalidation links that went down." },

    { "leerpoort_invalidations_total", NULL, NULL,
      ngx_http_leerpoort_at(invalidations),
      "Changed keys that Redis named, counted by every worker." },

    { "leerpoort_not_mirrored_total", NULL, NULL,
      ngx_http_leerpoort_at(not_stored),
      "Replies that were used but not mirrored, as their key changed." },

    { "leerpoort_unreadable_total", NULL, NULL,
      ngx_http_leerpoort_at(unreadable),
      "Records in Redis that could not be read." },

    { "leerpoort_jwks_loads_total", "result", "ok",
      ngx_http_leerpoort_at(jwks_loaded),
      "JWKS files that were read again." },
    { "leerpoort_jwks_loads_total", "result", "broken",
      ngx_http_leerpoort_at(jwks_broken), NULL },

    { "leerpoort_key_requests_total", "result", "sent",
      ngx_http_leerpoort_at(keys_asked),
      "Times that leerpoort-keys was asked for a key that is not there." },
    { "leerpoort_key_requests_total", "result", "failed",
      ngx_http_leerpoort_at(keys_not_asked), NULL },

    { "leerpoort_tickets_total", "result", "signed",
      ngx_http_leerpoort_at(tickets),
      "Launch tickets that were signed, and clicks for want of one." },
    { "leerpoort_tickets_total", "result", "failed",
      ngx_http_leerpoort_at(tickets_failed), NULL },

    { "leerpoort_usage_events_total", "state", "produced",
      ngx_http_leerpoort_at(usage_produced),
      "Redirects counted as usage, and what became of them." },
    { "leerpoort_usage_events_total", "state", "stored",
      ngx_http_leerpoort_at(usage_stored), NULL },
    { "leerpoort_usage_events_total", "state", "spooled",
      ngx_http_leerpoort_at(usage_spooled), NULL },
    { "leerpoort_usage_events_total", "state", "dropped",
      ngx_http_leerpoort_at(usage_dropped), NULL },
    { "leerpoort_usage_events_total", "state", "lost",
      ngx_http_leerpoort_at(usage_lost), NULL }
};

/* Upper bounds. Own time in ns, round trips in us; both are shown in us. */
static const uint64_t  ngx_http_leerpoort_own_bounds[] = {
    250, 500, 750, 1000, 1250, 1500, 1750, 2000, 2500, 3000, 3500, 4000, 5000,
    6000, 7500, 10000, 15000, 20000, 30000, 50000, 100000, 250000, 1000000,
    10000000
};

static const uint64_t  ngx_http_leerpoort_trip_bounds[] = {
    10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 1500,
    2000, 3000, 5000, 7500, 10000, 20000, 50000, 100000, 1000000
};


char *
ngx_http_leerpoort_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_leerpoort_main_conf_t  *mcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_leerpoort_metrics_handler;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_leerpoort_module);
    mcf->metrics_file = cf->conf_file->file.name;
    mcf->metrics_line = cf->conf_file->line;

    return NGX_CONF_OK;
}


/* Counts a value; own_time: in ns, by the finer bounds. */
void
ngx_http_leerpoort_observe(ngx_http_leerpoort_histogram_t *histogram,
    uint64_t value, ngx_uint_t own_time)
{
    ngx_uint_t       low, high, middle;
    const uint64_t  *bounds;

    bounds = own_time ? ngx_http_leerpoort_own_bounds
                      : ngx_http_leerpoort_trip_bounds;
    low = 0;
    high = NGX_HTTP_LEERPOORT_BUCKETS;

    while (low < high) {
        middle = (low + high) / 2;
        if (value <= bounds[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }

    (void) ngx_atomic_fetch_add(&histogram->bucket[low], 1);
    (void) ngx_atomic_fetch_add(&histogram->sum, value);
}


static ngx_int_t
ngx_http_leerpoort_metrics_handler(ngx_http_request_t *r)
{
    u_char                     *p, *last;
    ngx_int_t                   rc;
    ngx_buf_t                  *b;
    ngx_chain_t                 out;
    ngx_http_leerpoort_zone_t  *zone;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    b = ngx_create_temp_buf(r->pool, NGX_HTTP_LEERPOORT_METRICS_SIZE);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    zone = ngx_http_leerpoort_zone_here;
    p = b->pos;
    last = b->end;

    p = ngx_http_leerpoort_metrics_clicks(p, last, zone->sh);
    p = ngx_http_leerpoort_metrics_simple(p, last, zone->sh);
    p = ngx_http_leerpoort_metrics_histograms(p, last, zone->sh);
    p = ngx_http_leerpoort_metrics_state(p, last, zone);
    p = ngx_http_leerpoort_metrics_held(p, last, zone);

    b->last = p;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;
    ngx_str_set(&r->headers_out.content_type, "text/plain; version=0.0.4");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


static u_char *
ngx_http_leerpoort_metrics_clicks(u_char *p, u_char *last,
    ngx_http_leerpoort_shared_t *sh)
{
    ngx_uint_t  i;

    p = ngx_slprintf(p, last,
                     "# HELP leerpoort_clicks_total Clicks by outcome.\n"
                     "# TYPE leerpoort_clicks_total counter\n");

    for (i = 0; i < LP_OUTCOMES; i++) {
        p = ngx_slprintf(p, last,
                         "leerpoort_clicks_total{outcome=\"%s\"} %uA\n",
                         lp_outcome_name(i),
                         ngx_http_leerpoort_sum(sh,
                                  ngx_http_leerpoort_at(clicks)
                                  + i * sizeof(ngx_atomic_t)));
    }

    p = ngx_slprintf(p, last,
                     "# HELP leerpoort_tokens_refused_total "
                     "Refused tokens by reason.\n"
                     "# TYPE leerpoort_tokens_refused_total counter\n");

    for (i = LP_JOSE_OK + 1; i < LP_JOSE_ERRORS; i++) {
        p = ngx_slprintf(p, last,
                         "leerpoort_tokens_refused_total{reason=\"%s\"} %uA\n",
                         lp_jose_error_name(i),
                         ngx_http_leerpoort_sum(sh,
                                  ngx_http_leerpoort_at(refused)
                                  + i * sizeof(ngx_atomic_t)));
    }

    return ngx_http_leerpoort_metrics_api(p, last, sh);
}


static u_char *
ngx_http_leerpoort_metrics_api(u_char *p, u_char *last,
    ngx_http_leerpoort_shared_t *sh)
{
    ngx_uint_t  i;

    static const char  *const  names[NGX_HTTP_LEERPOORT_API_RESULTS] = {
        [NGX_HTTP_LEERPOORT_API_PASSED] = "passed",
        [NGX_HTTP_LEERPOORT_API_NO_TOKEN] = "no-token",
        [NGX_HTTP_LEERPOORT_API_EXPIRED] = "expired",
        [NGX_HTTP_LEERPOORT_API_BAD_TOKEN] = "bad-token",
        [NGX_HTTP_LEERPOORT_API_NO_SCOPE] = "no-scope",
        [NGX_HTTP_LEERPOORT_API_UNAVAILABLE] = "unavailable"
    };

    p = ngx_slprintf(p, last,
                     "# HELP leerpoort_api_requests_total Requests that "
                     "leerpoort_auth checked.\n"
                     "# TYPE leerpoort_api_requests_total counter\n");

    for (i = 0; i < NGX_HTTP_LEERPOORT_API_RESULTS; i++) {
        p = ngx_slprintf(p, last,
                         "leerpoort_api_requests_total{result=\"%s\"} %uA\n",
                         names[i],
                         ngx_http_leerpoort_sum(sh, ngx_http_leerpoort_at(api)
                                                + i * sizeof(ngx_atomic_t)));
    }

    return p;
}


static u_char *
ngx_http_leerpoort_metrics_simple(u_char *p, u_char *last,
    ngx_http_leerpoort_shared_t *sh)
{
    ngx_uint_t                          i;
    const ngx_http_leerpoort_metric_t  *metric;

    for (i = 0; i < sizeof(ngx_http_leerpoort_simple)
                    / sizeof(ngx_http_leerpoort_simple[0]); i++)
    {
        metric = &ngx_http_leerpoort_simple[i];

        if (metric->help) {
            p = ngx_slprintf(p, last, "# HELP %s %s\n# TYPE %s counter\n",
                             metric->name, metric->help, metric->name);
        }

        p = ngx_slprintf(p, last, "%s", metric->name);

        if (metric->label) {
            p = ngx_slprintf(p, last, "{%s=\"%s\"}", metric->label,
                             metric->value);
        }

        p = ngx_slprintf(p, last, " %uA\n",
                         ngx_http_leerpoort_sum(sh, metric->offset));
    }

    return p;
}


static u_char *
ngx_http_leerpoort_metrics_histograms(u_char *p, u_char *last,
    ngx_http_leerpoort_shared_t *sh)
{
    p = ngx_slprintf(p, last,
                     "# HELP leerpoort_own_time_us Time spent in the module "
                     "on a click, in microseconds.\n"
                     "# TYPE leerpoort_own_time_us histogram\n");

    p = ngx_http_leerpoort_metrics_histogram(p, last, sh,
            "leerpoort_own_time_us", "mirror=\"hit\",",
            ngx_http_leerpoort_at(own_hit), 1);

    p = ngx_http_leerpoort_metrics_histogram(p, last, sh,
            "leerpoort_own_time_us", "mirror=\"miss\",",
            ngx_http_leerpoort_at(own_miss), 1);

    p = ngx_slprintf(p, last,
                     "# HELP leerpoort_redis_round_trip_us Time from a "
                     "question to its reply, in microseconds.\n"
                     "# TYPE leerpoort_redis_round_trip_us histogram\n");

    return ngx_http_leerpoort_metrics_histogram(p, last, sh,
            "leerpoort_redis_round_trip_us", "",
            ngx_http_leerpoort_at(round_trip), 0);
}


/* label: ends with a comma unless it is empty; "le" follows it in a bucket. */
static u_char *
ngx_http_leerpoort_metrics_histogram(u_char *p, u_char *last,
    ngx_http_leerpoort_shared_t *sh, const char *name, const char *label,
    size_t offset, ngx_uint_t own_time)
{
    size_t             len;
    uint64_t           bound;
    ngx_uint_t         i;
    ngx_atomic_uint_t  total, sum;

    total = 0;

    for (i = 0; i < NGX_HTTP_LEERPOORT_BUCKETS; i++) {
        total += ngx_http_leerpoort_sum(sh, offset + i * sizeof(ngx_atomic_t));

        /* thousandths of a microsecond */
        bound = own_time ? ngx_http_leerpoort_own_bounds[i]
                         : ngx_http_leerpoort_trip_bounds[i] * 1000;

        p = ngx_slprintf(p, last, "%s_bucket{%sle=\"%uL", name, label,
                         bound / 1000);
        if (bound % 1000) {
            p = ngx_slprintf(p, last, ".%03uL", bound % 1000);
        }
        p = ngx_slprintf(p, last, "\"} %uA\n", total);
    }

    total += ngx_http_leerpoort_sum(sh, offset + i * sizeof(ngx_atomic_t));
    sum = ngx_http_leerpoort_sum(sh, offset
                    + offsetof(ngx_http_leerpoort_histogram_t, sum));

    p = ngx_slprintf(p, last, "%s_bucket{%sle=\"+Inf\"} %uA\n", name, label,
                     total);

    sum = own_time ? sum / 1000 : sum;

    if (label[0] == '\0') {
        return ngx_slprintf(p, last, "%s_sum %uA\n%s_count %uA\n", name, sum,
                            name, total);
    }

    len = ngx_strlen(label) - 1;

    return ngx_slprintf(p, last, "%s_sum{%*s} %uA\n%s_count{%*s} %uA\n",
                        name, len, label, sum, name, len, label, total);
}


static u_char *
ngx_http_leerpoort_metrics_state(u_char *p, u_char *last,
    ngx_http_leerpoort_zone_t *zone)
{
    uint64_t    epoch, evicted, live, live_size, size;
    ngx_uint_t  i, workers, up, armed;

    workers = 0;
    up = 0;
    armed = 0;

    ngx_http_leerpoort_lock(zone);

    for (i = 0; i < NGX_HTTP_LEERPOORT_SLOTS; i++) {
        if (zone->sh->slots[i].pid) {
            workers++;
            up += zone->sh->slots[i].redis_up;
            armed += zone->sh->slots[i].link != NGX_HTTP_LEERPOORT_LINK_NONE;
        }
    }

    epoch = zone->sh->epoch;
    evicted = zone->ring->evicted;
    live = zone->ring->live;
    live_size = zone->ring->live_size;
    size = zone->ring->size;

    ngx_http_leerpoort_unlock(zone);

    return ngx_slprintf(p, last,
        "# HELP leerpoort_workers nginx workers that share the zone.\n"
        "# TYPE leerpoort_workers gauge\n"
        "leerpoort_workers %ui\n"
        "# HELP leerpoort_redis_up Workers whose Redis answers.\n"
        "# TYPE leerpoort_redis_up gauge\n"
        "leerpoort_redis_up %ui\n"
        "# HELP leerpoort_links_up Workers whose invalidation link is up.\n"
        "# TYPE leerpoort_links_up gauge\n"
        "leerpoort_links_up %ui\n"
        "# HELP leerpoort_epoch The mirror's epoch.\n"
        "# TYPE leerpoort_epoch gauge\n"
        "leerpoort_epoch %uL\n"
        "# HELP leerpoort_evictions_total Records that made room for others "
        "in the full zone.\n"
        "# TYPE leerpoort_evictions_total counter\n"
        "leerpoort_evictions_total %uL\n"
        "# HELP leerpoort_zone_records Tokens and mirrored hashes.\n"
        "# TYPE leerpoort_zone_records gauge\n"
        "leerpoort_zone_records %uL\n"
        "# HELP leerpoort_zone_used_bytes Their bytes in the zone.\n"
        "# TYPE leerpoort_zone_used_bytes gauge\n"
        "leerpoort_zone_used_bytes %uL\n"
        "# HELP leerpoort_zone_bytes The bytes that the zone has for them.\n"
        "# TYPE leerpoort_zone_bytes gauge\n"
        "leerpoort_zone_bytes %uL\n",
        workers, up, armed, epoch, evicted, live, live_size, size);
}


/* Usage that has not reached Redis. */
static u_char *
ngx_http_leerpoort_metrics_held(u_char *p, u_char *last,
    ngx_http_leerpoort_zone_t *zone)
{
    ngx_http_leerpoort_held_t  held;

    held = ngx_http_leerpoort_slots_held(zone);

    return ngx_slprintf(p, last,
        "# HELP leerpoort_usage_waiting_events Redirects in the workers' "
        "memory, on their way to Redis.\n"
        "# TYPE leerpoort_usage_waiting_events gauge\n"
        "leerpoort_usage_waiting_events %uL\n"
        "# HELP leerpoort_usage_waiting_batches Batches of them that are "
        "complete.\n"
        "# TYPE leerpoort_usage_waiting_batches gauge\n"
        "leerpoort_usage_waiting_batches %uL\n"
        "# HELP leerpoort_usage_spool_bytes Bytes in spool files.\n"
        "# TYPE leerpoort_usage_spool_bytes gauge\n"
        "leerpoort_usage_spool_bytes %uL\n",
        held.events, held.batches, held.spool_bytes);
}


static ngx_atomic_uint_t
ngx_http_leerpoort_sum(ngx_http_leerpoort_shared_t *sh, size_t offset)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  sum;

    sum = 0;

    for (i = 0; i < NGX_HTTP_LEERPOORT_COUNTERS; i++) {
        sum += *(ngx_atomic_t *) ((u_char *) &sh->counters[i] + offset);
    }

    return sum;
}
