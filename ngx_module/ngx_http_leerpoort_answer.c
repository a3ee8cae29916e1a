/*
 * The answer to a click: a redirect, or a page that says what is the matter
 * and what to do (ngx_http_leerpoort_pages.c). A configuration that has an
 * error_page for the status shows that one instead, and finds the outcome in
 * $leerpoort_outcome, the support code in $leerpoort_code.
 */

#include "ngx_http_leerpoort.h"

static ngx_int_t ngx_http_leerpoort_login(ngx_http_leerpoort_ctx_t *ctx);
static ngx_int_t ngx_http_leerpoort_send_redirect(ngx_http_request_t *r,
    const ngx_str_t *location);
#ifdef LEERPOORT_MUTANT
static void ngx_http_leerpoort_mutate(ngx_str_t *location);
#endif

/* Ends a click. Returns what the content handler is to return. */
ngx_int_t
ngx_http_leerpoort_answer(ngx_http_leerpoort_ctx_t *ctx, lp_outcome_t outcome)
{
    ngx_uint_t           status;
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ngx_http_leerpoort_prepare(ctx, outcome) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (outcome == LP_REDIRECT) {
        ngx_http_leerpoort_usage_click(ctx);
    }

    ngx_http_leerpoort_observe(ctx->missed
                               ? &ngx_http_leerpoort_counters->own_miss
                               : &ngx_http_leerpoort_counters->own_hit,
                               ctx->own_ns + ngx_http_leerpoort_now_ns()
                               - ctx->began, 1);

    if (outcome == LP_REDIRECT) {
#ifdef LEERPOORT_MUTANT
        ngx_http_leerpoort_mutate(&ctx->location);
#endif
        return ngx_http_leerpoort_send_redirect(r, &ctx->location);
    }

    if (outcome == LP_LOGIN) {
        return ngx_http_leerpoort_login(ctx);
    }

    status = lp_outcome_status(outcome);

    if (status == NGX_HTTP_UNAUTHORIZED
        && ngx_http_leerpoort_header_literal(r, "WWW-Authenticate",
               "Bearer error=\"invalid_token\"") == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_leerpoort_page(ctx, outcome, status);
}


ngx_int_t
ngx_http_leerpoort_bad_method(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_http_request_t  *r;

    r = ctx->request;

    if (ngx_http_leerpoort_prepare(ctx, LP_BAD_REQUEST) != NGX_OK
        || ngx_http_leerpoort_header_literal(r, "Allow", "GET, HEAD") == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_leerpoort_page(ctx, LP_BAD_REQUEST, NGX_HTTP_NOT_ALLOWED);
}


/*
 * Counts the outcome and sets the headers that every answer has. A click that
 * has been to the worker has them already; then only the outcome changes.
 */
ngx_int_t
ngx_http_leerpoort_prepare(ngx_http_leerpoort_ctx_t *ctx,
    lp_outcome_t outcome)
{
    const char          *name;
    ngx_http_request_t  *r;

    r = ctx->request;
    name = lp_outcome_name(outcome);

    ctx->outcome = outcome;
    ctx->decided = 1;
    ngx_http_leerpoort_count(clicks[outcome]);

    if (ctx->outcome_header) {
        ctx->outcome_header->value.data = (u_char *) name;
        ctx->outcome_header->value.len = ngx_strlen(name);
        return NGX_OK;
    }

    ctx->outcome_header = ngx_http_leerpoort_header(r,
                              "Leerpoort-Outcome",
                              sizeof("Leerpoort-Outcome") - 1,
                              name, ngx_strlen(name));

    if (ctx->outcome_header == NULL
        || ngx_http_leerpoort_header_literal(r, "Cache-Control", "no-store")
           == NULL
        || ngx_http_leerpoort_header_literal(r, "Referrer-Policy",
                                             "no-referrer") == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_leerpoort_login(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_str_t                       location;
    ngx_http_request_t             *r;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    r = ctx->request;
    llcf = ngx_http_get_module_loc_conf(r, ngx_http_leerpoort_module);

    /* a program would follow to a page that it can't read */
    if (llcf->login && !ngx_http_leerpoort_is_machine(r)) {
        if (ngx_http_complex_value(r, llcf->login, &location) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (location.len) {
            return ngx_http_leerpoort_send_redirect(r, &location);
        }
    }

    if (ngx_http_leerpoort_header_literal(r, "WWW-Authenticate", "Bearer")
        == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_leerpoort_page(ctx, LP_LOGIN, NGX_HTTP_UNAUTHORIZED);
}


/*
 * Location is not set as r->headers_out.location: nginx would make one that
 * starts with "/" absolute by the Host header, which anybody can choose.
 */
static ngx_int_t
ngx_http_leerpoort_send_redirect(ngx_http_request_t *r,
    const ngx_str_t *location)
{
    ngx_http_clear_location(r);

    if (ngx_http_leerpoort_header(r, "Location", sizeof("Location") - 1,
                                  (const char *) location->data,
                                  location->len)
        == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_MOVED_TEMPORARILY;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


#ifdef LEERPOORT_MUTANT

/*
 * The fault that must never be, made on purpose, for a build that only the
 * tests load: every so many redirects of a process, one leads where the last
 * click that led elsewhere did. A rehearsal has to notice.
 */
static void
ngx_http_leerpoort_mutate(ngx_str_t *location)
{
    static size_t      lens[2]; /* this target, and the last other one */
    static u_char      targets[2][LP_LOCATION_MAX];
    static ngx_uint_t  redirects;

    if (location->len > LP_LOCATION_MAX) {
        return;
    }

    if (lens[0] != location->len
        || ngx_memcmp(targets[0], location->data, location->len) != 0)
    {
        ngx_memcpy(targets[1], targets[0], lens[0]);
        lens[1] = lens[0];
        ngx_memcpy(targets[0], location->data, location->len);
        lens[0] = location->len;
    }

    if (++redirects % LEERPOORT_MUTANT == 0 && lens[1] > 0) {
        /* static: the next click is answered after this one is sent */
        location->data = targets[1];
        location->len = lens[1];
    }
}

#endif


/* Sends a whole answer; the body must live as long as the request. */
ngx_int_t
ngx_http_leerpoort_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, const ngx_str_t *body)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;
    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, &out);
}


/* The page is served by an internal redirect that needs the context. */
ngx_uint_t
ngx_http_leerpoort_has_error_page(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *pages;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->error_pages == NULL || r->error_page) {
        return 0;
    }

    pages = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (pages[i].status == (ngx_int_t) status) {
            ngx_http_leerpoort_ctx_keep(
                ngx_http_get_module_ctx(r, ngx_http_leerpoort_module));
            return 1;
        }
    }

    return 0;
}


ngx_table_elt_t *
ngx_http_leerpoort_header(ngx_http_request_t *r, const char *name,
    size_t name_len, const char *value, size_t value_len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.data = (u_char *) name;
    h->key.len = name_len;
    h->value.data = (u_char *) value;
    h->value.len = value_len;

    return h;
}
