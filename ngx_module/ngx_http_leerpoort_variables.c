/*
 * The variables of a click, and of an API request behind leerpoort_auth. They
 * are set once the click is decided or the token checked, and found again after
 * internal redirects, so that the worker's location, an error page and the log
 * see the same.
 */

#include "ngx_http_leerpoort.h"

static ngx_int_t ngx_http_leerpoort_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_leerpoort_variable_is(ngx_http_variable_value_t *v,
    const void *data, size_t len);
static lp_span_t ngx_http_leerpoort_variable_text(
    ngx_http_leerpoort_ctx_t *ctx, uintptr_t data);
static lp_span_t ngx_http_leerpoort_mirror_text(
    const ngx_http_leerpoort_ctx_t *ctx);
static ngx_int_t ngx_http_leerpoort_made(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_leerpoort_users(ngx_http_leerpoort_ctx_t *ctx,
    ngx_str_t *text);
static ngx_int_t ngx_http_leerpoort_school_alias(
    ngx_http_leerpoort_ctx_t *ctx, ngx_str_t *text);
static ngx_int_t ngx_http_leerpoort_token_iat(ngx_http_leerpoort_ctx_t *ctx,
    ngx_str_t *text);
static ngx_int_t ngx_http_leerpoort_return(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_leerpoort_session_token(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

enum {
    NGX_HTTP_LEERPOORT_VAR_OUTCOME,
    NGX_HTTP_LEERPOORT_VAR_MIRROR,
    NGX_HTTP_LEERPOORT_VAR_PRODUCT,
    NGX_HTTP_LEERPOORT_VAR_SCHOOL,
    NGX_HTTP_LEERPOORT_VAR_USER,
    NGX_HTTP_LEERPOORT_VAR_ROLE,
    NGX_HTTP_LEERPOORT_VAR_CLIENT,
    NGX_HTTP_LEERPOORT_VAR_SCOPE,
    NGX_HTTP_LEERPOORT_VAR_RIGHT,
    NGX_HTTP_LEERPOORT_VAR_CODE,
    NGX_HTTP_LEERPOORT_VAR_REASON,
    NGX_HTTP_LEERPOORT_VAR_ENTITLEMENT
};

/* Values that are put together when they are asked for. */
enum {
    NGX_HTTP_LEERPOORT_VAR_USERS,
    NGX_HTTP_LEERPOORT_VAR_SCHOOL_ALIAS,
    NGX_HTTP_LEERPOORT_VAR_TOKEN_IAT,
    NGX_HTTP_LEERPOORT_VAR_PERSON
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

    { ngx_string("leerpoort_right"), NULL, ngx_http_leerpoort_variable,
      NGX_HTTP_LEERPOORT_VAR_RIGHT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_role"), NULL, ngx_http_leerpoort_variable,
      NGX_HTTP_LEERPOORT_VAR_ROLE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_code"), NULL, ngx_http_leerpoort_variable,
      NGX_HTTP_LEERPOORT_VAR_CODE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_reason"), NULL, ngx_http_leerpoort_variable,
      NGX_HTTP_LEERPOORT_VAR_REASON, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_client"), NULL, ngx_http_leerpoort_variable,
      NGX_HTTP_LEERPOORT_VAR_CLIENT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_scope"), NULL, ngx_http_leerpoort_variable,
      NGX_HTTP_LEERPOORT_VAR_SCOPE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_users"), NULL, ngx_http_leerpoort_made,
      NGX_HTTP_LEERPOORT_VAR_USERS, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_school_alias"), NULL, ngx_http_leerpoort_made,
      NGX_HTTP_LEERPOORT_VAR_SCHOOL_ALIAS, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_token_iat"), NULL, ngx_http_leerpoort_made,
      NGX_HTTP_LEERPOORT_VAR_TOKEN_IAT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_person"), NULL, ngx_http_leerpoort_made,
      NGX_HTTP_LEERPOORT_VAR_PERSON, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_return"), NULL, ngx_http_leerpoort_return,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("leerpoort_session"), NULL, ngx_http_leerpoort_session_token,
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

    return ngx_http_leerpoort_variable_is(v, text.data, text.len);
}


static ngx_int_t
ngx_http_leerpoort_variable_is(ngx_http_variable_value_t *v, const void *data,
    size_t len)
{
    v->data = (u_char *) data;
    v->len = len;
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
        if (ctx->decided) {
            return lp_span_of(lp_outcome_name(ctx->outcome));
        }

        /* no click: a page of leerpoort_page */
        return ctx->outcome_header
               ? ngx_http_leerpoort_span(&ctx->outcome_header->value) : none;

    case NGX_HTTP_LEERPOORT_VAR_MIRROR:
        return ctx->school_known && !ctx->api
               ? ngx_http_leerpoort_mirror_text(ctx) : none;

    case NGX_HTTP_LEERPOORT_VAR_PRODUCT:
        return ctx->click.product;

    case NGX_HTTP_LEERPOORT_VAR_SCHOOL:
        return ctx->school_known ? ctx->school : none;

    case NGX_HTTP_LEERPOORT_VAR_USER:
        if (ctx->identified && ctx->identity.n_users > 0) {
            return (lp_span_t) { ctx->identity.users[0], LP_USER_KEY_LEN };
        }
        return none;

    case NGX_HTTP_LEERPOORT_VAR_ROLE:
        if (ctx->identified && ctx->identity.n_users > 0) {
            return ctx->identity.employee ? lp_span("employee")
                                          : lp_span("student");
        }
        return none;

    case NGX_HTTP_LEERPOORT_VAR_CODE:
        return ctx->coded ? (lp_span_t) { ctx->code, LP_SUPPORT_CODE_LEN }
                          : none;

    case NGX_HTTP_LEERPOORT_VAR_REASON:
        return ctx->reason != LP_JOSE_OK
               ? lp_span_of(lp_jose_error_name(ctx->reason)) : none;

    case NGX_HTTP_LEERPOORT_VAR_CLIENT:
        return ctx->client;

    case NGX_HTTP_LEERPOORT_VAR_SCOPE:
        return ctx->scope;

    case NGX_HTTP_LEERPOORT_VAR_RIGHT:
        if (ctx->entitled) {
            return ctx->open ? lp_span("open") : lp_span("own");
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


static ngx_int_t
ngx_http_leerpoort_made(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_int_t                  rc;
    ngx_str_t                  text;
    ngx_http_leerpoort_ctx_t  *ctx;

    ctx = ngx_http_leerpoort_ctx(r);

    if (ctx == NULL || !ctx->identified) {
        rc = NGX_DECLINED;

    } else if (data == NGX_HTTP_LEERPOORT_VAR_USERS) {
        rc = ngx_http_leerpoort_users(ctx, &text);

    } else if (data == NGX_HTTP_LEERPOORT_VAR_SCHOOL_ALIAS) {
        rc = ngx_http_leerpoort_school_alias(ctx, &text);

    } else if (data == NGX_HTTP_LEERPOORT_VAR_TOKEN_IAT) {
        rc = ngx_http_leerpoort_token_iat(ctx, &text);

    } else {
        rc = ngx_http_leerpoort_person(ctx, &text);
    }

    if (rc != NGX_OK) {
        v->not_found = 1;
        return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    return ngx_http_leerpoort_variable_is(v, text.data, text.len);
}


/* All user keys, with commas between them. */
static ngx_int_t
ngx_http_leerpoort_users(ngx_http_leerpoort_ctx_t *ctx, ngx_str_t *text)
{
    u_char    *p;
    unsigned   i;

    if (ctx->identity.n_users == 0) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(ctx->request->pool,
                    ctx->identity.n_users * (LP_USER_KEY_LEN + 1));
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for (i = 0; i < ctx->identity.n_users; i++) {
        if (i > 0) {
            *p++ = ',';
        }
        p = ngx_cpymem(p, ctx->identity.users[i], LP_USER_KEY_LEN);
    }

    text->len = p - text->data;

    return NGX_OK;
}


/* "OIE_CODE:11ZZ", where no more than that is known of the school. */
static ngx_int_t
ngx_http_leerpoort_school_alias(ngx_http_leerpoort_ctx_t *ctx,
    ngx_str_t *text)
{
    u_char                         *p;
    ngx_http_leerpoort_identity_t  *identity;

    identity = &ctx->identity;

    if (identity->school_type_len == 0
        || (ctx->school_known && ctx->school.len > 0))
    {
        return NGX_DECLINED;
    }

    text->len = identity->school_type_len + 1 + identity->school_len;

    p = ngx_pnalloc(ctx->request->pool, text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;
    p = ngx_cpymem(p, identity->school_type, identity->school_type_len);
    *p++ = ':';
    ngx_memcpy(p, identity->school, identity->school_len);

    return NGX_OK;
}


/* 0: the token does not say. */
static ngx_int_t
ngx_http_leerpoort_token_iat(ngx_http_leerpoort_ctx_t *ctx, ngx_str_t *text)
{
    text->data = ngx_pnalloc(ctx->request->pool, NGX_INT64_LEN);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = ngx_sprintf(text->data, "%L", ctx->identity.iat)
                - text->data;

    return NGX_OK;
}


/*
 * The click's own absolute URL, with every byte but the unreserved ones
 * (RFC 3986 section 2.3) percent-encoded, so that it fits into any query. What
 * a value of leerpoort_click names has no URL of its own.
 */
static ngx_int_t
ngx_http_leerpoort_return(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                         *p, *text;
    size_t                          len;
    uintptr_t                       escapes;
    ngx_str_t                       parts[2];
    ngx_uint_t                      i;
    ngx_http_leerpoort_ctx_t       *ctx;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    ctx = ngx_http_leerpoort_ctx(r);
    llcf = ngx_http_get_module_loc_conf(r, ngx_http_leerpoort_module);

    if (ctx == NULL || ctx->click.product.data == NULL || ctx->target.data
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

    text = p;

    for (i = 0; i < 2; i++) {
        p = (u_char *) ngx_escape_uri(p, parts[i].data, parts[i].len,
                                      NGX_ESCAPE_URI_COMPONENT);
    }

    return ngx_http_leerpoort_variable_is(v, text, len);
}


/* Of any request, a click or not. */
static ngx_int_t
ngx_http_leerpoort_session_token(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  text;

    if (ngx_http_leerpoort_session(r, &text) != NGX_OK) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_leerpoort_variable_is(v, text.data, text.len);
}
