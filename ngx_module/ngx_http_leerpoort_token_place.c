/*
 * Where the token is in a request: where leerpoort_token says, else in the
 * header Authorization, else in a session's cookie.
 */

#include "ngx_http_leerpoort.h"

static ngx_int_t ngx_http_leerpoort_usual_place(ngx_http_request_t *r,
    lp_span_t *token, ngx_uint_t *tossed);
static ngx_int_t ngx_http_leerpoort_cookie(ngx_http_request_t *r,
    lp_span_t name, ngx_str_t *value);
static ngx_int_t ngx_http_leerpoort_cookie_of(const ngx_str_t *header,
    lp_span_t name, ngx_str_t *value);
static ngx_int_t ngx_http_leerpoort_bearer(ngx_http_request_t *r,
    lp_span_t *token);
static void ngx_http_leerpoort_strip_scheme(lp_span_t *token);


/*
 * The first place that holds a token has it, good or bad. *tossed: another host
 * may have put it there. NGX_DECLINED: there is none.
 */
ngx_int_t
ngx_http_leerpoort_find_token(ngx_http_request_t *r, lp_span_t *token,
    ngx_uint_t *tossed)
{
    ngx_str_t                       value;
    ngx_uint_t                      i;
    ngx_http_complex_value_t       *cv;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    *tossed = 0;
    llcf = ngx_http_get_module_loc_conf(r, ngx_http_leerpoort_module);

    if (llcf->tokens == NULL) {
        return ngx_http_leerpoort_usual_place(r, token, tossed);
    }

    cv = llcf->tokens->elts;

    for (i = 0; i < llcf->tokens->nelts; i++) {
        if (ngx_http_complex_value(r, &cv[i], &value) != NGX_OK) {
            return NGX_DECLINED;
        }

        if (value.len) {
            *token = ngx_http_leerpoort_span(&value);
            ngx_http_leerpoort_strip_scheme(token);
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* Where no leerpoort_token says: the header, then the session's cookie. */
static ngx_int_t
ngx_http_leerpoort_usual_place(ngx_http_request_t *r, lp_span_t *token,
    ngx_uint_t *tossed)
{
    ngx_str_t  value;

    if (ngx_http_leerpoort_bearer(r, token) == NGX_OK) {
        return NGX_OK;
    }

    if (ngx_http_leerpoort_cookie(r, lp_span("__Host-leerpoort="), &value)
        != NGX_OK)
    {
        if (ngx_http_leerpoort_cookie(r, lp_span("leerpoort="), &value)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        *tossed = 1;
    }

    *token = ngx_http_leerpoort_span(&value);
    ngx_http_leerpoort_strip_scheme(token);

    return NGX_OK;
}


/*
 * Is what was verified a session of ours in a cookie that any host below the
 * same domain can set? Whoever has such a host could have somebody be signed in
 * as himself, and have a code given away. Ours come with the prefix, where the
 * site is https; a portal's tokens are where the portal puts them.
 */
ngx_uint_t
ngx_http_leerpoort_is_tossed(const ngx_http_leerpoort_ctx_t *ctx,
    ngx_uint_t tossed)
{
    ngx_http_leerpoort_issuer_t     *issuers;
    ngx_http_leerpoort_loc_conf_t   *llcf;
    ngx_http_leerpoort_main_conf_t  *mcf;

    if (!tossed) {
        return 0;
    }

    mcf = ngx_http_get_module_main_conf(ctx->request,
                                        ngx_http_leerpoort_module);
    llcf = ngx_http_get_module_loc_conf(ctx->request,
                                        ngx_http_leerpoort_module);
    issuers = mcf->issuers.elts;

    return issuers[ctx->identity.issuer].own
           && llcf->public_url.len > 8
           && ngx_strncmp(llcf->public_url.data, "https://", 8) == 0;
}


/*
 * The session token that the browser keeps: that of a cookie with the prefix
 * "__Host-" (RFC 6265bis section 4.1.3), which nobody but this very host can
 * have set, before that of a plain one. NGX_DECLINED: there is none.
 *
 * nginx' own reader of cookies takes names in any case, and goes through values
 * by the byte: 0.3 us of a token's 450.
 */
ngx_int_t
ngx_http_leerpoort_session(ngx_http_request_t *r, ngx_str_t *value)
{
    return ngx_http_leerpoort_cookie(r, lp_span("__Host-leerpoort="), value)
           == NGX_OK
           ? NGX_OK
           : ngx_http_leerpoort_cookie(r, lp_span("leerpoort="), value);
}


/*
 * Takes a token that was refused out of the browser, where it came from a
 * session's cookie: the next click is sent to sign in, where whoever still has
 * a session gets a new one. NGX_DECLINED: it came from elsewhere.
 */
ngx_int_t
ngx_http_leerpoort_drop_session(ngx_http_leerpoort_ctx_t *ctx)
{
    ngx_str_t    value;
    const char  *gone;

    if (ngx_http_leerpoort_cookie(ctx->request, lp_span("__Host-leerpoort="),
                                  &value)
        == NGX_OK)
    {
        gone = "__Host-leerpoort=; Path=/; Max-Age=0; HttpOnly; "
               "SameSite=Lax; Secure";

    } else if (ngx_http_leerpoort_cookie(ctx->request, lp_span("leerpoort="),
                                         &value)
               == NGX_OK)
    {
        gone = "leerpoort=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax";

    } else {
        return NGX_DECLINED;
    }

    if (ctx->token.data != (char *) value.data) {
        return NGX_DECLINED;
    }

    return ngx_http_leerpoort_header(ctx->request, "Set-Cookie",
                                     sizeof("Set-Cookie") - 1, gone,
                                     ngx_strlen(gone))
           ? NGX_OK : NGX_ERROR;
}


/* The first cookie of that name that is not empty. name ends with "=". */
static ngx_int_t
ngx_http_leerpoort_cookie(ngx_http_request_t *r, lp_span_t name,
    ngx_str_t *value)
{
#if (nginx_version >= 1023000)
    ngx_table_elt_t  *h;

    for (h = r->headers_in.cookie; h; h = h->next) {
        if (ngx_http_leerpoort_cookie_of(&h->value, name, value) == NGX_OK) {
            return NGX_OK;
        }
    }
#else
    ngx_uint_t         i;
    ngx_table_elt_t  **h;

    h = r->headers_in.cookies.elts;

    for (i = 0; i < r->headers_in.cookies.nelts; i++) {
        if (ngx_http_leerpoort_cookie_of(&h[i]->value, name, value) == NGX_OK)
        {
            return NGX_OK;
        }
    }
#endif

    return NGX_DECLINED;
}


/* In one header: "a=b; c=d". */
static ngx_int_t
ngx_http_leerpoort_cookie_of(const ngx_str_t *header, lp_span_t name,
    ngx_str_t *value)
{
    u_char  *p, *end, *last;

    p = header->data;
    last = p + header->len;

    while (p < last) {
        while (p < last && *p == ' ') {
            p++;
        }

        end = memchr(p, ';', last - p);
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) > name.len
            && ngx_memcmp(p, name.data, name.len) == 0)
        {
            value->data = p + name.len;
            value->len = end - value->data;
            return NGX_OK;
        }

        p = end + 1;
    }

    return NGX_DECLINED;
}


/*
 * "Authorization: Bearer <token>" (RFC 6750 section 2.1). Another scheme is
 * somebody else's business. A bearer token that is empty is a token.
 */
static ngx_int_t
ngx_http_leerpoort_bearer(ngx_http_request_t *r, lp_span_t *token)
{
    ngx_str_t  *value;

    if (r->headers_in.authorization == NULL) {
        return NGX_DECLINED;
    }

    value = &r->headers_in.authorization->value;
    *token = ngx_http_leerpoort_span(value);
    ngx_http_leerpoort_strip_scheme(token);

    return token->len < value->len ? NGX_OK : NGX_DECLINED;
}


/* Takes "Bearer" and the blanks after it away, if they are there. */
static void
ngx_http_leerpoort_strip_scheme(lp_span_t *token)
{
    size_t  len;

    len = sizeof("Bearer") - 1;

    if (token->len < len
        || ngx_strncasecmp((u_char *) token->data, (u_char *) "Bearer", len)
           != 0
        || (token->len > len && token->data[len] != ' '))
    {
        return;
    }

    while (len < token->len && token->data[len] == ' ') {
        len++;
    }

    token->data += len;
    token->len -= len;
}
