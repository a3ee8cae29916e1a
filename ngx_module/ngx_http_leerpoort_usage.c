/*
 * Usage: one line per redirect, from the click to the streams in Redis.
 *
 *   click -> lines of the shard -> batch -> XADD usage:{NN} -> reply: gone
 *                                    |
 *                 Redis is away, or  '-> spool -> the same XADD, later
 *                 refuses it
 *
 * This file is the first step, and the directive. A click only writes a line
 * behind those of its shard, in the worker's own memory: no lock, no system
 * call, no allocation but a shard's first. Lines become a batch
 * (ngx_http_leerpoort_batch.c) when there is no room for another one, or when
 * they are 200 ms old.
 *
 * It is done where the redirect is answered and not in the log phase, whose
 * handlers run for every request of every location and would have to find out
 * first whether it was a click.
 *
 * Every event is counted as produced, and then as stored, dropped, or lost; as
 * spooled too, where it has been in the spool. What is in memory stands in the
 * worker's slot: whoever finds the worker dead counts that as lost.
 */

#include "ngx_http_leerpoort_directives.h"
#include "ngx_http_leerpoort_usage.h"

#include <openssl/rand.h>
#include <pwd.h>

#define NGX_HTTP_LEERPOORT_USAGE_AGE      200  /* ms until lines are sent */
#define NGX_HTTP_LEERPOORT_SPOOL_DEFAULT  (64 * 1024 * 1024)
#define NGX_HTTP_LEERPOORT_SPOOL_MIN      (256 * 1024)

/* The lines of one shard that are no batch yet. */
typedef struct {
    uint32_t                     len;
    uint32_t                     events;
    u_char                       text[NGX_HTTP_LEERPOORT_BATCH_MAX];
} ngx_http_leerpoort_lines_t;

static char *ngx_http_leerpoort_usage_parameter(ngx_conf_t *cf,
    ngx_http_leerpoort_usage_conf_t *usage, ngx_str_t *value);
static char *ngx_http_leerpoort_usage_folder(ngx_conf_t *cf,
    ngx_str_t *folder);
static uid_t ngx_http_leerpoort_usage_owner(ngx_conf_t *cf);
static unsigned ngx_http_leerpoort_usage_shard(
    const ngx_http_leerpoort_ctx_t *ctx);
static ngx_http_leerpoort_lines_t *ngx_http_leerpoort_usage_lines(
    unsigned shard);
static u_char *ngx_http_leerpoort_usage_time(u_char *p);
static u_char *ngx_http_leerpoort_usage_word(u_char *p, const char *word,
    size_t len);
static void ngx_http_leerpoort_usage_seal(unsigned shard);
static void ngx_http_leerpoort_usage_seal_all(void);

/* This worker's lines. */
static struct {
    ngx_uint_t                   on;
    ngx_http_leerpoort_lines_t  *lines[LP_SHARDS];
    uint64_t                     written; /* a bit per shard with lines */
    ngx_http_leerpoort_held_t   *held;    /* in the slot */
    ngx_msec_t                   sealed;
} ngx_http_leerpoort_teller;


/* leerpoort_usage off | on [spool=folder] [spool_size=64m] */
char *
ngx_http_leerpoort_usage(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leerpoort_main_conf_t *mcf = conf;

    char                             *rv;
    ngx_str_t                        *value;
    ngx_uint_t                        i;
    ngx_http_leerpoort_usage_conf_t  *usage;

    usage = &mcf->usage;

    if (usage->seen) {
        return "is duplicate";
    }

    value = cf->args->elts;
    usage->seen = 1;
    usage->on = ngx_strcmp(value[1].data, "on") == 0;

    if (!usage->on && ngx_strcmp(value[1].data, "off") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"leerpoort_usage\" takes \"on\" or \"off\" "
                           "first, not \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    usage->spool_size = NGX_HTTP_LEERPOORT_SPOOL_DEFAULT;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_leerpoort_usage_parameter(cf, usage, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return usage->on && usage->spool.len
           ? ngx_http_leerpoort_usage_folder(cf, &usage->spool) : NGX_CONF_OK;
}


static char *
ngx_http_leerpoort_usage_parameter(ngx_conf_t *cf,
    ngx_http_leerpoort_usage_conf_t *usage, ngx_str_t *value)
{
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "spool=", 6) == 0 && value->len > 6) {
        usage->spool.data = value->data + 6;
        usage->spool.len = value->len - 6;

        return ngx_conf_full_name(cf->cycle, &usage->spool, 0) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (ngx_strncmp(value->data, "spool_size=", 11) == 0) {
        s.data = value->data + 11;
        s.len = value->len - 11;
        usage->spool_size = ngx_parse_offset(&s);

        if (usage->spool_size < NGX_HTTP_LEERPOORT_SPOOL_MIN) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid \"%V\" of \"leerpoort_usage\": it "
                               "takes 256k or more", value);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown parameter \"%V\" of \"leerpoort_usage\": it "
                       "knows spool= and spool_size=", value);

    return NGX_CONF_ERROR;
}


/* The workers' user owns the folder, and nobody else may put files there. */
static char *
ngx_http_leerpoort_usage_folder(ngx_conf_t *cf, ngx_str_t *folder)
{
    uid_t        uid;
    ngx_err_t    err;
    const char  *reason;
    struct stat  st;

    uid = ngx_http_leerpoort_usage_owner(cf);
    err = 0;
    reason = NULL;

    if (stat((char *) folder->data, &st) == -1) {
        err = ngx_errno;
        reason = "can't be used";

    } else if (!S_ISDIR(st.st_mode)) {
        reason = "is no folder";

    } else if (st.st_mode & 0022) {
        reason = "may be written by others: chmod 0700";

    } else if (uid != 0 && (st.st_uid != uid || (st.st_mode & 0700) != 0700)) {
        reason = "is not the workers' own: chown it to their user, chmod 0700";
    }

    if (reason) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, err,
                           "the spool \"%V\" of \"leerpoort_usage\" %s",
                           folder, reason);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* Who the workers will be: "user" stands before the http block. */
static uid_t
ngx_http_leerpoort_usage_owner(ngx_conf_t *cf)
{
    struct passwd    *user;
    ngx_core_conf_t  *ccf;

    if (geteuid() != 0) {
        return geteuid();
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    if (ccf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT) {
        return ccf->user;
    }

    user = getpwnam(NGX_USER);

    return user ? user->pw_uid : 0;
}


/* A worker starts; it has its slot. */
void
ngx_http_leerpoort_usage_init(ngx_cycle_t *cycle,
    ngx_http_leerpoort_main_conf_t *mcf)
{
    u_char  id[NGX_HTTP_LEERPOORT_PRODUCER / 2];
    u_char  producer[NGX_HTTP_LEERPOORT_PRODUCER];

    if (!mcf->usage.on) {
        return;
    }

    if (RAND_bytes(id, sizeof(id)) != 1) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "leerpoort: OpenSSL gave no random bytes: this worker "
                      "counts no usage");
        return;
    }

    (void) ngx_hex_dump(producer, id, sizeof(id));

    ngx_http_leerpoort_teller.held = ngx_http_leerpoort_slot_held();
    ngx_http_leerpoort_teller.sealed = ngx_current_msec;

    ngx_http_leerpoort_spool_init(&mcf->usage, producer,
                                  ngx_http_leerpoort_teller.held, cycle->log);
    ngx_http_leerpoort_batch_init(&mcf->redis, producer,
                                  ngx_http_leerpoort_teller.held, cycle->log);

    ngx_http_leerpoort_teller.on = 1;
}


/*
 * A click has been answered with a redirect. Counts it once: a GET, also when
 * it had to be activated first, or was answered from what is stale.
 */
void
ngx_http_leerpoort_usage_click(ngx_http_leerpoort_ctx_t *ctx)
{
    u_char                      *p;
    unsigned                     shard;
    ngx_http_leerpoort_lines_t  *lines;

    if (!ngx_http_leerpoort_teller.on || ctx->counted
        || ctx->request->method != NGX_HTTP_GET)
    {
        return;
    }

    ctx->counted = 1;
    ngx_http_leerpoort_count(usage_produced);

    shard = ngx_http_leerpoort_usage_shard(ctx);
    lines = ngx_http_leerpoort_usage_lines(shard);

    if (lines == NULL) {
        ngx_http_leerpoort_batch_dropped(1);
        return;
    }

    p = ngx_http_leerpoort_usage_time(lines->text + lines->len);
    p = ngx_http_leerpoort_usage_word(p, ctx->school.data, ctx->school.len);
    p = ngx_http_leerpoort_usage_word(p, ctx->click.product.data,
                                      ctx->click.product.len);
    p = ngx_http_leerpoort_usage_word(p, ctx->identity.users[0],
                            ctx->identity.n_users > 0 ? LP_USER_KEY_LEN : 0);
    p = ngx_http_leerpoort_usage_word(p, ctx->entitlement,
                                     ctx->entitled ? LP_ENTITLEMENT_LEN : 0);
    p[-1] = LF;

    lines->len = p - lines->text;
    lines->events++;
    ngx_http_leerpoort_teller.held->events++;
    ngx_http_leerpoort_teller.written |= 1ULL << shard;

    if (lines->len > NGX_HTTP_LEERPOORT_BATCH_MAX
                     - NGX_HTTP_LEERPOORT_LINE_MAX)
    {
        ngx_http_leerpoort_usage_seal(shard);
    }
}


/* The school's shard; the user's where there is none; else the product's. */
static unsigned
ngx_http_leerpoort_usage_shard(const ngx_http_leerpoort_ctx_t *ctx)
{
    if (ctx->school.len > 0) {
        return ctx->identity.school_type_len == 0
               ? ctx->identity.school_shard : lp_shard(ctx->school);
    }

    return ctx->identity.n_users > 0 ? ctx->identity.shards[0]
                                     : lp_shard(ctx->click.product);
}


/* Where the shard's next line goes: there is always room for one. */
static ngx_http_leerpoort_lines_t *
ngx_http_leerpoort_usage_lines(unsigned shard)
{
    ngx_http_leerpoort_lines_t  *lines;

    lines = ngx_http_leerpoort_teller.lines[shard];

    if (lines == NULL) {
        lines = ngx_alloc(sizeof(ngx_http_leerpoort_lines_t),
                          ngx_cycle->log);
        if (lines == NULL) {
            return NULL;
        }

        lines->len = 0;
        lines->events = 0;
        ngx_http_leerpoort_teller.lines[shard] = lines;
    }

    return lines;
}


/* The time and a space; written out once a second. */
static u_char *
ngx_http_leerpoort_usage_time(u_char *p)
{
    static time_t  second;
    static size_t  len;
    static u_char  text[NGX_TIME_T_LEN + 1];

    if (ngx_time() != second) {
        second = ngx_time();
        len = ngx_sprintf(text, "%T ", second) - text;
    }

    return ngx_cpymem(p, text, len);
}


/* A word and a space; "-" where there is none. */
static u_char *
ngx_http_leerpoort_usage_word(u_char *p, const char *word, size_t len)
{
    if (len == 0) {
        *p++ = '-';

    } else {
        p = ngx_cpymem(p, word, len);
    }

    *p++ = ' ';

    return p;
}


/* Makes a batch of a shard's lines. */
static void
ngx_http_leerpoort_usage_seal(unsigned shard)
{
    ngx_http_leerpoort_lines_t  *lines;

    lines = ngx_http_leerpoort_teller.lines[shard];

    ngx_http_leerpoort_batch_make(shard, lines->text, lines->len,
                                  lines->events);

    lines->len = 0;
    lines->events = 0;
    ngx_http_leerpoort_teller.written &= ~(1ULL << shard);
}


/* The module's tick, every 50 ms. */
void
ngx_http_leerpoort_usage_tick(void)
{
    if (!ngx_http_leerpoort_teller.on) {
        return;
    }

    if (ngx_current_msec - ngx_http_leerpoort_teller.sealed
        >= NGX_HTTP_LEERPOORT_USAGE_AGE)
    {
        ngx_http_leerpoort_teller.sealed = ngx_current_msec;
        ngx_http_leerpoort_usage_seal_all();
    }

    ngx_http_leerpoort_batch_tick();
}


static void
ngx_http_leerpoort_usage_seal_all(void)
{
    unsigned  shard;

    for (shard = 0; shard < LP_SHARDS; shard++) {
        if (ngx_http_leerpoort_teller.written & (1ULL << shard)) {
            ngx_http_leerpoort_usage_seal(shard);
        }
    }
}


/* The worker exits: nothing stays behind in its memory. */
void
ngx_http_leerpoort_usage_exit(void)
{
    if (!ngx_http_leerpoort_teller.on) {
        return;
    }

    ngx_http_leerpoort_usage_seal_all();
    ngx_http_leerpoort_batch_exit();
    ngx_http_leerpoort_spool_close();

    ngx_http_leerpoort_teller.on = 0;
}
