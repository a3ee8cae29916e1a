/*
 * The variables of a click. They are set once the click is decided, and found
 * again after internal redirects, so that the worker's location, an error page
 * and the log see the same.
 */

#include "ngx_http_leerpoort.h"

static ngx_int_t ngx_http_leerpoort_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static lp_span_t ngx_http_leerpoort_variable_text(
    ngx_http_leerpoort_ctx_t *ctx, uintptr_t data);
static lp_span_t ngx_http_leerpoort_mirror_text(
    const ngx_http_leerpoort_ctx_t *ctx);
static ngx_int_t ngx_http_leerpoort_return(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

enum {
    NGX_HTTP_LEERPOORT_VAR_OUTCOME,
    NGX_HTTP_LEERPOORT_VAR_MIRROR,
    NGX_HTTP_LEERPOORT_VAR_PRODUCT,
    NGX_HTTP_LEERPOORT_VAR_SCHOOL,
    NGX_HTTP_LEERPOORT_VAR_USER,
    NGX_HTTP_LEERPOORT_VAR_ENTITLEMENT
};

static ngx_http_variable_t  ngx_http_leerpoort_variables[] = {

    { ngx_string("leerpoort_outcome"), NULL, ngx_http_leerpoort_variable,
      NGX_HTTP_LEERPOORT_VAR_OUTCOME, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_mirror"), NULL, ngx_http_leerpoort_variable,
      NGX_HTTP_LEERPOORT_VAR_MIRROR, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_product"), NULL, ngx_http_leerpoort_variable,
      NGX_HTTP_LEERPOORT_VAR_PRODUCT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_school"), NULL, ngx_http_leerpoort_variable,
      NGX_HTTP_LEERPOORT_VAR_SCHOOL, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_user"), NULL, ngx_http_leerpoort_variable,
      NGX_HTTP_LEERPOORT_VAR_USER, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_entitlement"), NULL, ngx_http_leerpoort_variable,
      NGX_HTTP_LEERPOORT_VAR_ENTITLEMENT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_return"), NULL, ngx_http_leerpoort_return,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_http_leerpoort_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_leerpoort_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_leerpoort_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    lp_span_t                  text;
    ngx_http_leerpoort_ctx_t  *ctx;

    ctx = ngx_http_leerpoort_ctx(r);
    text.data = NULL;

    if (ctx) {
        text = ngx_http_leerpoort_variable_text(ctx, data);
    }

    if (text.data == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = (u_char *) text.data;
    v->len = text.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* data NULL: not known, or not for this click. */
static lp_span_t
ngx_http_leerpoort_variable_text(ngx_http_leerpoort_ctx_t *ctx,
    uintptr_t data)
{
    lp_span_t  none;

    none.data = NULL;
    none.len = 0;

    switch (data) {

    case NGX_HTTP_LEERPOORT_VAR_OUTCOME:
        return ctx->decided ? lp_span_of(lp_outcome_name(ctx->outcome)) : none;

    case NGX_HTTP_LEERPOORT_VAR_MIRROR:
        return ctx->school_known ? ngx_http_leerpoort_mirror_text(ctx) : none;

    case NGX_HTTP_LEERPOORT_VAR_PRODUCT:
        return ctx->click.product;

    case NGX_HTTP_LEERPOORT_VAR_SCHOOL:
        return ctx->school_known ? ctx->school : none;

    case NGX_HTTP_LEERPOORT_VAR_USER:
        if (ctx->identified) {
            return (lp_span_t) { ctx->identity.users[0], LP_USER_KEY_LEN };
        }
        return none;

    default: /* NGX_HTTP_LEERPOORT_VAR_ENTITLEMENT */
        if (ctx->entitled) {
            return (lp_span_t) { ctx->entitlement, LP_ENTITLEMENT_LEN };
        }
        return none;
    }
}


static lp_span_t
ngx_http_leerpoort_mirror_text(const ngx_http_leerpoort_ctx_t *ctx)
{
    if (ctx->stale) {
        return lp_span("STALE");
    }

    return ctx->missed ? lp_span("MISS") : lp_span("HIT");
}


/*
 * The click's own absolute URL, with every byte but the unreserved ones
 * (RFC 3986 section 2.3) percent-encoded, so that it fits into any query.
 */
static ngx_int_t
ngx_http_leerpoort_return(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                         *p;
    size_t                          len;
    uintptr_t                       escapes;
    ngx_str_t                       parts[2];
    ngx_uint_t                      i;
    ngx_http_leerpoort_ctx_t       *ctx;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    ctx = ngx_http_leerpoort_ctx(r);
    llcf = ngx_http_get_module_loc_conf(r, ngx_http_leerpoort_module);

    if (ctx == NULL || ctx->click.product.data == NULL
        || llcf->public_url.len == 0)
    {
        v->not_found = 1;
        return NGX_OK;
    }

    parts[0] = llcf->public_url;
    parts[1] = r->unparsed_uri;
    len = 0;

    for (i = 0; i < 2; i++) {
        escapes = ngx_escape_uri(NULL, parts[i].data, parts[i].len,
                                 NGX_ESCAPE_URI_COMPONENT);
        len += parts[i].len + 2 * escapes;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    v->len = len;

    for (i = 0; i < 2; i++) {
        p = (u_char *) ngx_escape_uri(p, parts[i].data, parts[i].len,
                                      NGX_ESCAPE_URI_COMPONENT);
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
