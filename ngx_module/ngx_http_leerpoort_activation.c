/*
 * A click goes to the worker that activates, and comes back.
 *
 * It goes by an internal redirect to leerpoort_activate. The worker's answer is
 * X-Accel-Redirect to the click's own location, where the click is decided
 * on rights that are fetched anew. If they still say "activate", there is no
 * licence, and the worker's header Leerpoort-Outcome says why: it is read from
 * the answer of the upstream, which no client can write.
 *
 * A worker can also die, be slow, or not be there. The click comes back then as
 * well: the request in the location of the worker gets error pages of its own
 * that lead to the click. So a pupil whose worker died after the licence was
 * written gets the book, and others a page that they can read.
 *
 * nginx looks for error pages in the location's configuration. The request gets
 * a copy of that, with the pages added: other requests see nothing of it. In
 * the same way its upstream gets a copy of what it was told, that intercepts
 * errors: a worker may also say itself that it can't (503).
 */

#include "ngx_http_leerpoort.h"

static ngx_int_t ngx_http_leerpoort_way_back(ngx_http_leerpoort_ctx_t *ctx);
static void ngx_http_leerpoort_request_uri(ngx_http_request_t *r,
    const ngx_str_t *uri);
static void ngx_http_leerpoort_error_pages(ngx_http_leerpoort_ctx_t *ctx,
    ngx_http_request_t *r);
static void ngx_http_leerpoort_wrap(ngx_http_leerpoort_ctx_t *ctx,
    ngx_http_request_t *r);
static ngx_int_t ngx_http_leerpoort_wrapped(ngx_http_request_t *r);
static lp_outcome_t ngx_http_leerpoort_said(ngx_http_request_t *r);
static lp_outcome_t ngx_http_leerpoort_outcome_named(const ngx_str_t *name);

/* With these, the location of the worker has not done its work. */
static const ngx_int_t  ngx_http_leerpoort_failures[] = {
    NGX_HTTP_BAD_REQUEST, NGX_HTTP_UNAUTHORIZED,
    NGX_HTTP_FORBIDDEN, NGX_HTTP_NOT_FOUND, NGX_HTTP_NOT_ALLOWED,
    NGX_HTTP_REQUEST_TIME_OUT, NGX_HTTP_TOO_MANY_REQUESTS,
    NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_NOT_IMPLEMENTED,
    NGX_HTTP_BAD_GATEWAY, NGX_HTTP_SERVICE_UNAVAILABLE,
    NGX_HTTP_GATEWAY_TIME_OUT
};

#define NGX_HTTP_LEERPOORT_FAILURES                                           \
    (sizeof(ngx_http_leerpoort_failures)                                      \
     / sizeof(ngx_http_leerpoort_failures[0]))


/*
 * Hands the request to the worker. One that comes back and would have to go
 * again has not been activated.
 */
ngx_int_t
ngx_http_leerpoort_activate(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_str_t                       uri, args;
    ngx_uint_t                      flags;
    ngx_http_request_t             *r;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    r = ctx->request;
    llcf = ngx_http_get_module_loc_conf(r, ngx_http_leerpoort_module);

    if (llcf->activate.len == 0) {
        return ngx_http_leerpoort_answer(ctx, LP_UNAVAILABLE);
    }

    if (ctx->fresh) {
        return ngx_http_leerpoort_answer(ctx, ctx->said);
    }

    ngx_http_leerpoort_ctx_keep(ctx);
    if (!ctx->kept) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->activating = 1;
    if (ngx_http_leerpoort_prepare(ctx, LP_ACTIVATE) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_leerpoort_ctx_detach(ctx);

    ctx->uri = r->uri;
    ctx->args = r->args;
    ctx->kept_token = ctx->token;

    if (llcf->target && ngx_http_leerpoort_way_back(ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (llcf->activate.data[0] == '@') {
        (void) ngx_http_named_location(r, &llcf->activate);
        return NGX_DONE;
    }

    uri = llcf->activate;
    ngx_str_null(&args);
    flags = 0;

    if (ngx_http_parse_unsafe_uri(r, &uri, &args, &flags) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) ngx_http_internal_redirect(r, &uri, &args);

    return NGX_DONE;
}


/*
 * A worker sends a click back to $request_uri. Where another request led to the
 * click (X-Accel-Redirect) that is the other's, and what it did must not
 * be done again: on the trip, it is the click's own location.
 */
static ngx_int_t
ngx_http_leerpoort_way_back(ngx_http_leerpoort_ctx_t *ctx)
{
    u_char              *p;
    size_t               escapes;
    ngx_str_t            uri;
    ngx_http_request_t  *r;

    r = ctx->request;

    escapes = 2 * ngx_escape_uri(NULL, r->uri.data, r->uri.len,
                                 NGX_ESCAPE_URI);

    uri.data = ngx_pnalloc(r->pool, r->uri.len + escapes + 1 + r->args.len);
    if (uri.data == NULL) {
        return NGX_ERROR;
    }

    if (escapes) {
        p = (u_char *) ngx_escape_uri(uri.data, r->uri.data, r->uri.len,
                                      NGX_ESCAPE_URI);
    } else {
        p = ngx_cpymem(uri.data, r->uri.data, r->uri.len);
    }

    if (r->args.len) {
        *p++ = '?';
        p = ngx_cpymem(p, r->args.data, r->args.len);
    }

    uri.len = p - uri.data;

    ctx->request_uri = r->unparsed_uri;
    ngx_http_leerpoort_request_uri(r, &uri);

    return NGX_OK;
}


/* What $request_uri is from now on; it may have been asked for before. */
static void
ngx_http_leerpoort_request_uri(ngx_http_request_t *r, const ngx_str_t *uri)
{
    ngx_http_leerpoort_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_leerpoort_module);

    r->unparsed_uri = *uri;
    ngx_http_leerpoort_forget(r, mcf->request_uri);
}


/*
 * In the phases rewrite and preaccess of every request: is this a click on its
 * way to the worker? Twice, as "rewrite" may change the location in between.
 */
ngx_int_t
ngx_http_leerpoort_activation_handler(ngx_http_request_t *r)
{
    ngx_http_leerpoort_ctx_t  *ctx;

    if (!r->internal || r != r->main
        || r->content_handler == ngx_http_leerpoort_click_handler)
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_leerpoort_ctx(r);

    if (ctx && ctx->activating && !ctx->fresh) {
        ngx_http_leerpoort_error_pages(ctx, r);
        ngx_http_leerpoort_wrap(ctx, r);
    }

    return NGX_DECLINED;
}


/* Without memory, nginx' own pages are left. */
static void
ngx_http_leerpoort_error_pages(ngx_http_leerpoort_ctx_t *ctx,
    ngx_http_request_t *r)
{
    void                      **conf;
    ngx_uint_t                  i;
    ngx_array_t                *pages;
    ngx_http_err_page_t        *page;
    ngx_http_core_loc_conf_t   *clcf, *copy;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (ctx->error_pages && clcf->error_pages == ctx->error_pages) {
        return;
    }

    conf = ngx_palloc(r->pool, sizeof(void *) * ngx_http_max_module);
    copy = ngx_palloc(r->pool, sizeof(ngx_http_core_loc_conf_t));
    pages = ngx_array_create(r->pool, NGX_HTTP_LEERPOORT_FAILURES,
                             sizeof(ngx_http_err_page_t));

    if (conf == NULL || copy == NULL || pages == NULL) {
        return;
    }

    for (i = 0; i < NGX_HTTP_LEERPOORT_FAILURES; i++) {
        page = ngx_array_push(pages); /* there is room */

        ngx_memzero(page, sizeof(ngx_http_err_page_t));
        page->status = ngx_http_leerpoort_failures[i];
        page->value.value = ctx->uri;
        page->args = ctx->args;
    }

    *copy = *clcf;
    copy->error_pages = pages;

    ngx_memcpy(conf, r->loc_conf, sizeof(void *) * ngx_http_max_module);
    conf[ngx_http_core_module.ctx_index] = copy;

    ctx->error_pages = pages;
    r->loc_conf = conf;
}


/* The upstream comes with the location's content handler, and not before. */
static void
ngx_http_leerpoort_wrap(ngx_http_leerpoort_ctx_t *ctx, ngx_http_request_t *r)
{
    if (r->content_handler == NULL
        || r->content_handler == ngx_http_leerpoort_wrapped)
    {
        return;
    }

    ctx->handler = r->content_handler;
    r->content_handler = ngx_http_leerpoort_wrapped;
}


/*
 * Nothing has been read from the upstream when the location's handler returns:
 * that takes another turn of the loop. Without memory, it stays as it is.
 */
static ngx_int_t
ngx_http_leerpoort_wrapped(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_upstream_t       *u;
    ngx_http_leerpoort_ctx_t  *ctx;
    ngx_http_upstream_conf_t  *copy;

    ctx = ngx_http_leerpoort_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ctx->handler(r);
    u = r->upstream;

    if (rc != NGX_DONE || u == NULL || u->conf == NULL
        || u->conf->intercept_errors)
    {
        return rc;
    }

    copy = ngx_palloc(r->pool, sizeof(ngx_http_upstream_conf_t));

    if (copy) {
        *copy = *u->conf;
        copy->intercept_errors = 1;
        u->conf = copy;
    }

    return rc;
}


/*
 * The click is back, one way or the other. What the worker wanted to say with
 * its headers is read, and the headers that came with it are dropped.
 */
void
ngx_http_leerpoort_activation_back(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    ctx->fresh = 1;
    ctx->said = ngx_http_leerpoort_said(r);

    if (ctx->request_uri.data) {
        ngx_http_leerpoort_request_uri(r, &ctx->request_uri);
    }

    ngx_http_clean_header(r);
    ctx->outcome_header = NULL;

    /* the click's own error pages count, whichever way it came */
    r->error_page = 0;
}


/* Unavailable, where the worker did not say anything that explains it. */
static lp_outcome_t
ngx_http_leerpoort_said(ngx_http_request_t *r)
{
    ngx_uint_t            i;
    ngx_list_part_t      *part;
    ngx_table_elt_t      *h;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u == NULL || u->headers_in.x_accel_redirect == NULL) {
        return LP_UNAVAILABLE;
    }

    for (part = &u->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].hash != 0
                && h[i].key.len == sizeof("Leerpoort-Outcome") - 1
                && ngx_strncasecmp(h[i].key.data,
                                   (u_char *) "Leerpoort-Outcome",
                                   h[i].key.len)
                   == 0)
            {
                return ngx_http_leerpoort_outcome_named(&h[i].value);
            }
        }
    }

    return LP_UNAVAILABLE;
}


/* A worker opens no book: the rights do. */
static lp_outcome_t
ngx_http_leerpoort_outcome_named(const ngx_str_t *name)
{
    unsigned  i;

    for (i = 0; i < LP_OUTCOMES; i++) {
        if (i != LP_REDIRECT && i != LP_ACTIVATE
            && lp_span_equal(ngx_http_leerpoort_span(name),
                             lp_span_of(lp_outcome_name(i))))
        {
            return i;
        }
    }

    return LP_UNAVAILABLE;
}
