/*
 * The click, from the request to the answer.
 *
 *   parse -> identify -> keys -> look -> decide -> answer
 *                                |  ^
 *                      not there v  | all replies are in
 *                               ask, wait
 *
 * In the mirror all of it happens in one go, in the content handler. Else the
 * request is suspended, and look runs again when the last reply has come (or
 * Redis has failed); it is the same code both times. Where the school is known
 * by an alias only, its name is a first key and the hashes of the school a
 * second round.
 *
 * A request can vanish while it waits (ngx_http_leerpoort_ctx_detach).
 *
 * When the outcome is activate, the request goes to the worker and comes back
 * (ngx_http_leerpoort_activation.c). The context is found again through the
 * pool's cleanup list, because nginx clears r->ctx in between.
 */

#include "ngx_http_leerpoort.h"

static ngx_int_t ngx_http_leerpoort_start(ngx_http_leerpoort_ctx_t *ctx);
static ngx_int_t ngx_http_leerpoort_parse(ngx_http_leerpoort_ctx_t *ctx);
static ngx_int_t ngx_http_leerpoort_below(ngx_http_request_t *r,
    lp_span_t *below);
static ngx_int_t ngx_http_leerpoort_evaluate(ngx_http_leerpoort_ctx_t *ctx,
    ngx_http_complex_value_t *value);
static void ngx_http_leerpoort_ctx_again(ngx_http_leerpoort_ctx_t *ctx);
static void ngx_http_leerpoort_keys_first(ngx_http_leerpoort_ctx_t *ctx);
static void ngx_http_leerpoort_keys_rights(ngx_http_leerpoort_ctx_t *ctx,
    const ngx_http_leerpoort_identity_t *names);
static void ngx_http_leerpoort_key_hashed(ngx_http_leerpoort_ctx_t *ctx,
    uint64_t hash, size_t len);
static void ngx_http_leerpoort_key_add(ngx_http_leerpoort_ctx_t *ctx,
    ngx_http_leerpoort_role_e role, size_t len);
static char *ngx_http_leerpoort_key_next(ngx_http_leerpoort_ctx_t *ctx);
static ngx_int_t ngx_http_leerpoort_advance(ngx_http_leerpoort_ctx_t *ctx);
static ngx_int_t ngx_http_leerpoort_suspend(ngx_http_leerpoort_ctx_t *ctx);
static void ngx_http_leerpoort_resume(ngx_event_t *ev);
static ngx_int_t ngx_http_leerpoort_finish(ngx_http_leerpoort_ctx_t *ctx);
static void ngx_http_leerpoort_detached(void *data);
static void ngx_http_leerpoort_kept(void *data);

/* Clicks whose replies are in, until the end of this turn of the loop. */
static ngx_queue_t  ngx_http_leerpoort_ready_clicks;
static ngx_event_t  ngx_http_leerpoort_resume_event;


void
ngx_http_leerpoort_click_init(void)
{
    ngx_queue_init(&ngx_http_leerpoort_ready_clicks);
    ngx_http_leerpoort_resume_event.handler = ngx_http_leerpoort_resume;
    ngx_http_leerpoort_resume_event.log = ngx_cycle->log;
}


ngx_int_t
ngx_http_leerpoort_click_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    uint64_t                   began;
    ngx_http_leerpoort_ctx_t  *ctx;

    if (r != r->main) {
        return NGX_HTTP_FORBIDDEN; /* a click is somebody's, not a part */
    }

    began = ngx_http_leerpoort_now_ns();

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_leerpoort_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_leerpoort_ctx_create(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else {
        ngx_http_leerpoort_ctx_again(ctx);
    }

    ctx->began = began;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_leerpoort_bad_method(ctx);
    }

    return ngx_http_leerpoort_start(ctx);
}


/*
 * With many pupils a click waits for memory rather than for the processor: what
 * it needs is asked for (expect) before there is something else to do.
 */
static ngx_int_t
ngx_http_leerpoort_start(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_http_leerpoort_seek(ctx);

    if (ngx_http_leerpoort_parse(ctx) != NGX_OK) {
        return ngx_http_leerpoort_answer(ctx, LP_BAD_REQUEST);
    }

    ngx_http_leerpoort_key_add(ctx, NGX_HTTP_LEERPOORT_PRODUCT,
        lp_key_product(ngx_http_leerpoort_key_next(ctx), ctx->click.product));

    if (ngx_http_leerpoort_identify(ctx) != NGX_OK) {
        return ngx_http_leerpoort_answer(ctx, ctx->outcome);
    }

    ctx->identified = 1;
    ngx_http_leerpoort_keys_first(ctx);

    return ngx_http_leerpoort_advance(ctx);
}


static ngx_int_t
ngx_http_leerpoort_parse(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_int_t                       rc;
    lp_span_t                       below;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(ctx->request,
                                        ngx_http_leerpoort_module);

    if (llcf->target) {
        rc = ngx_http_leerpoort_evaluate(ctx, llcf->target);
        below = ctx->target;

    } else {
        rc = ngx_http_leerpoort_below(ctx->request, &below);
    }

    return rc == NGX_OK && lp_click_parse(&ctx->click, below) == 0
           ? NGX_OK : NGX_DECLINED;
}


/*
 * Product and path come from a value. It is made once: when the click returns
 * from the worker that activates, another upstream has answered, and
 * $upstream_http_... would be that one's.
 *
 * The click may have been led here by X-Accel-Redirect, in place of another
 * request with an answer and a body of its own: neither is the click's.
 */
static ngx_int_t
ngx_http_leerpoort_evaluate(ngx_http_leerpoort_ctx_t *ctx,
    ngx_http_complex_value_t *value)
{
    ngx_str_t                        text;
    ngx_http_request_t              *r;
    ngx_http_leerpoort_main_conf_t  *mcf;

    if (ctx->fresh && ctx->target.data) {
        return NGX_OK;
    }

    r = ctx->request;

    if (ngx_http_complex_value(r, value, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->target = ngx_http_leerpoort_span(&text);

    if (r->internal && r->upstream) {
        ngx_http_leerpoort_frames(ctx);
        ngx_http_clean_header(r);
    }

    if (r->request_body) {
        r->request_body->bufs = NULL;
        r->headers_in.content_length = NULL;
        r->headers_in.content_length_n = -1;

        mcf = ngx_http_get_module_main_conf(r, ngx_http_leerpoort_module);
        ngx_http_leerpoort_forget(r, mcf->content_length);
    }

    return NGX_OK;
}


/*
 * Product and path come from the request line as it was sent, below the
 * location's own prefix; a request line that only becomes this location by
 * decoding ("/%67o/") is refused.
 */
static ngx_int_t
ngx_http_leerpoort_below(ngx_http_request_t *r, lp_span_t *below)
{
    ngx_str_t                 *name;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    name = &clcf->name;

    if (r->unparsed_uri.len < name->len
        || ngx_memcmp(r->unparsed_uri.data, name->data, name->len) != 0)
    {
        return NGX_DECLINED;
    }

    below->data = (const char *) r->unparsed_uri.data + name->len;
    below->len = r->unparsed_uri.len - name->len;

    if (name->len > 0 && name->data[name->len - 1] != '/') {
        /* "location /go": what is below starts with its own slash */
        if (below->len > 0 && below->data[0] == '/') {
            below->data++;
            below->len--;

        } else if (below->len > 0 && below->data[0] != '?') {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_http_leerpoort_ctx_t *
ngx_http_leerpoort_ctx_create(ngx_http_request_t *r)
{
    ngx_http_leerpoort_ctx_t  *ctx;

    ctx = ngx_palloc(r->pool, sizeof(ngx_http_leerpoort_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    /* the keys are filled in as they are needed */
    ngx_memzero(ctx, offsetof(ngx_http_leerpoort_ctx_t, keys));
    ctx->request = r;
    ngx_http_set_ctx(r, ctx, ngx_http_leerpoort_module);

    return ctx;
}


/* The same request a second time: from the worker, or by an internal way. */
static void
ngx_http_leerpoort_ctx_again(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_http_leerpoort_ctx_detach(ctx);

    ngx_http_set_ctx(ctx->request, ctx, ngx_http_leerpoort_module);

    if (ctx->activating && !ctx->fresh) {
        ngx_http_leerpoort_activation_back(ctx);
    }

    ctx->api = 0;
    ctx->decided = 0;
    ctx->identified = 0;
    ctx->school_known = 0;
    ctx->entitled = 0;
    ctx->stale = 0;
    ctx->missed = 0;
    ctx->n_keys = 0;
    ctx->own_ns = 0;
    ctx->book.len = 0;
    ctx->from = 0;
    ctx->reason = LP_JOSE_OK;
}


/*
 * The context of a request, also after an internal redirect; NULL: it was
 * no click.
 */
ngx_http_leerpoort_ctx_t *
ngx_http_leerpoort_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_leerpoort_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_leerpoort_module);

    if (ctx == NULL && (r->internal || r->filter_finalize)) {

        for (cln = r->main->pool->cleanup; cln; cln = cln->next) {
            if (cln->handler == ngx_http_leerpoort_kept) {
                return cln->data;
            }
        }
    }

    return ctx;
}


/* Makes the context outlive internal redirects and notice a client's leave. */
void
ngx_http_leerpoort_ctx_keep(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_pool_cleanup_t  *cln;
    ngx_http_cleanup_t  *leave;

    if (ctx->kept) {
        return;
    }

    cln = ngx_pool_cleanup_add(ctx->request->pool, 0);
    leave = ngx_http_cleanup_add(ctx->request, 0);

    if (cln == NULL || leave == NULL) {
        return;
    }

    cln->handler = ngx_http_leerpoort_kept;
    cln->data = ctx;
    leave->handler = ngx_http_leerpoort_detached;
    leave->data = ctx;
    ctx->kept = 1;
}


/* The request waits for nothing any more. */
void
ngx_http_leerpoort_ctx_detach(ngx_http_leerpoort_ctx_t *ctx)
{
    unsigned  i;

    for (i = 0; i < ctx->n_keys; i++) {
        ngx_http_leerpoort_mirror_leave(&ctx->keys[i]);
    }

    if (ctx->queued) {
        ngx_queue_remove(&ctx->ready);
        ctx->queued = 0;
    }

    ctx->n_keys = 0;
}


static void
ngx_http_leerpoort_detached(void *data)
{
    ngx_http_leerpoort_ctx_detach(data);
}


/* Marks the context in the pool's list. */
static void
ngx_http_leerpoort_kept(void *data)
{
    (void) data;
}


/* After the product's: the school's name, or all that depends on it. */
static void
ngx_http_leerpoort_keys_first(ngx_http_leerpoort_ctx_t *ctx)
{
    lp_span_t                       type, id;
    ngx_http_leerpoort_identity_t  *identity;

    identity = &ctx->identity;

    if (identity->school_type_len == 0) {
        ctx->school.data = identity->school;
        ctx->school.len = identity->school_len;
        ngx_http_leerpoort_keys_rights(ctx, identity);
        return;
    }

    type.data = identity->school_type;
    type.len = identity->school_type_len;
    id.data = identity->school;
    id.len = identity->school_len;

    ngx_http_leerpoort_key_add(ctx, NGX_HTTP_LEERPOORT_ALIAS,
        lp_key_alias(ngx_http_leerpoort_key_next(ctx), type, id));
}


/*
 * User at the school, the school, the private customer: in this order. A
 * school's open rights are its pupils', not its employees'. names:
 * shards and hashes, as ngx_http_leerpoort_identity_names() made them.
 */
static void
ngx_http_leerpoort_keys_rights(ngx_http_leerpoort_ctx_t *ctx,
    const ngx_http_leerpoort_identity_t *names)
{
    unsigned   i;
    lp_span_t  user, nowhere;

    ctx->school_known = 1;
    user.len = LP_USER_KEY_LEN;

    for (i = 0; i < names->n_users; i++) {
        lp_ring_expect(ngx_http_leerpoort_zone_here->ring,
                       names->at_school[i]);
        lp_ring_expect(ngx_http_leerpoort_zone_here->ring, names->private[i]);
    }

    for (i = 0; ctx->school.len > 0 && i < names->n_users; i++) {
        user.data = names->users[i];
        ngx_http_leerpoort_key_hashed(ctx, names->at_school[i],
            lp_key_user_in(ngx_http_leerpoort_key_next(ctx),
                           names->school_shard, ctx->school, user));
    }

    if (ctx->school.len > 0 && !names->employee) {
        ngx_http_leerpoort_key_hashed(ctx, names->school_hash,
            lp_key_school_in(ngx_http_leerpoort_key_next(ctx),
                             names->school_shard, ctx->school));
    }

    nowhere = lp_span("");

    for (i = 0; i < names->n_users; i++) {
        user.data = names->users[i];
        ngx_http_leerpoort_key_hashed(ctx, names->private[i],
            lp_key_user_in(ngx_http_leerpoort_key_next(ctx), names->shards[i],
                           nowhere, user));
    }
}


static char *
ngx_http_leerpoort_key_next(ngx_http_leerpoort_ctx_t *ctx)
{
    return ctx->keys[ctx->n_keys].text;
}


static void
ngx_http_leerpoort_key_add(ngx_http_leerpoort_ctx_t *ctx,
    ngx_http_leerpoort_role_e role, size_t len)
{
    uint64_t                   hash;
    ngx_http_leerpoort_key_t  *key;

    key = &ctx->keys[ctx->n_keys];
    hash = lp_ring_hash(ngx_http_leerpoort_zone_here->ring,
                        (lp_span_t) { key->text, len });

    ngx_http_leerpoort_key_hashed(ctx, hash, len);
    key->role = (uint8_t) role;
}


/* One whose hash is known already: a hash of rights. */
static void
ngx_http_leerpoort_key_hashed(ngx_http_leerpoort_ctx_t *ctx, uint64_t hash,
    size_t len)
{
    ngx_http_leerpoort_key_t  *key;

    key = &ctx->keys[ctx->n_keys++];
    key->ctx = ctx;
    key->state = NGX_HTTP_LEERPOORT_KEY_WANTED;
    key->role = NGX_HTTP_LEERPOORT_RIGHTS;
    key->len = (uint8_t) len;
    key->blob = NULL;
    key->hash = hash;

    lp_ring_expect(ngx_http_leerpoort_zone_here->ring, hash);
}


/*
 * Goes as far as it can: to an answer, or to waiting for Redis. Called when
 * nothing is pending.
 */
static ngx_int_t
ngx_http_leerpoort_advance(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_int_t                      rc;
    ngx_http_leerpoort_identity_t  names;

    for ( ;; ) {
        rc = ngx_http_leerpoort_look(ctx);

        if (rc == NGX_OK) {
            return ngx_http_leerpoort_finish(ctx);
        }

        if (rc == NGX_ERROR) {
            ctx->stale = 0;
            return ngx_http_leerpoort_answer(ctx, LP_UNAVAILABLE);
        }

        if (rc == NGX_DONE) {
            /* the school's name is known now */
            names = ctx->identity;
            ngx_http_leerpoort_identity_names(&names, ctx->school);
            ngx_http_leerpoort_keys_rights(ctx, &names);
            continue;
        }

        /* NGX_AGAIN: keys were asked for */
        if (ctx->pending > 0) {
            return ngx_http_leerpoort_suspend(ctx);
        }
    }
}


static ngx_int_t
ngx_http_leerpoort_suspend(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ctx->own_ns += ngx_http_leerpoort_now_ns() - ctx->began;

    if (ctx->suspended) {
        return NGX_DONE;
    }

    ngx_http_leerpoort_ctx_keep(ctx);
    if (!ctx->kept) {
        ngx_http_leerpoort_ctx_detach(ctx);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* a client that leaves is noticed at once */
    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_leerpoort_ctx_detach(ctx);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
    r->main->count++;
    ctx->suspended = 1;

    return NGX_DONE;
}


/* Nothing is pending for this click: it goes on at the end of the turn. */
void
ngx_http_leerpoort_click_ready(ngx_http_leerpoort_ctx_t *ctx)
{
    if (!ctx->suspended) {
        return; /* it is being advanced, and sees for itself */
    }

    if (!ctx->queued) {
        ctx->queued = 1;
        ngx_queue_insert_tail(&ngx_http_leerpoort_ready_clicks, &ctx->ready);
    }

    if (!ngx_http_leerpoort_resume_event.posted) {
        ngx_post_event(&ngx_http_leerpoort_resume_event, &ngx_posted_events);
    }
}


static void
ngx_http_leerpoort_resume(ngx_event_t *ev)
{
    ngx_int_t                  rc;
    ngx_queue_t               *q;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_leerpoort_ctx_t  *ctx;

    while (!ngx_queue_empty(&ngx_http_leerpoort_ready_clicks)) {
        q = ngx_queue_head(&ngx_http_leerpoort_ready_clicks);
        ctx = ngx_queue_data(q, ngx_http_leerpoort_ctx_t, ready);

        ngx_queue_remove(q);
        ctx->queued = 0;
        ctx->began = ngx_http_leerpoort_now_ns();

        r = ctx->request;
        c = r->connection;

        if (ngx_http_get_module_ctx(r, ngx_http_leerpoort_module) != ctx) {
            /* the client left, and post_action leads the request elsewhere */
            ngx_http_leerpoort_ctx_detach(ctx);
            ctx->suspended = 0;
            continue;
        }

        ngx_http_set_log_request(c->log, r);

        rc = ngx_http_leerpoort_advance(ctx);

        if (ctx->pending > 0 && rc == NGX_DONE) {
            continue; /* it waits for a second round */
        }

        ctx->suspended = 0;
        ngx_http_finalize_request(r, rc);
        ngx_http_run_posted_requests(c);
    }
}


/* All is known: ctx->outcome, and for a redirect ctx->location. */
static ngx_int_t
ngx_http_leerpoort_finish(ngx_http_leerpoort_ctx_t *ctx)
{
    if (ctx->stale && ctx->outcome != LP_REDIRECT) {
        /* what is old may let in, but it may not refuse or activate */
        ctx->stale = 0;
        return ngx_http_leerpoort_answer(ctx, LP_UNAVAILABLE);
    }

    if (ctx->stale) {
        ngx_http_leerpoort_count(mirror_stale);

    } else if (ctx->missed) {
        ngx_http_leerpoort_count(mirror_miss);

    } else {
        ngx_http_leerpoort_count(mirror_hit);
    }

    if (ctx->outcome == LP_ACTIVATE) {
        return ngx_http_leerpoort_activate(ctx);
    }

    return ngx_http_leerpoort_answer(ctx, ctx->outcome);
}
