/*
 * leerpoort_auth: who may call an API, checked before a byte of the body is
 * read or a worker hears of the request.
 *
 * The token is looked for where a click's is, checked in full each time, and
 * must be of one of the issuers that the location names. What it says is left
 * in the request for the worker: the client and its scopes, and where the
 * issuer's tokens name persons, who that is. Nothing is asked of Redis here:
 * whether a user's tokens were revoked ("!") is for the worker to see.
 *
 * nginx has no access phase for a subrequest (of SSI, of auth_request): it
 * takes what the main request may see for allowed. That says nothing about an
 * API, so subrequests are checked one phase earlier.
 */

#include "ngx_http_leerpoort.h"

#include <jansson.h>

#define NGX_HTTP_LEERPOORT_CLIENT_MAX  256
#define NGX_HTTP_LEERPOORT_SCOPE_MAX   2048

typedef ngx_http_leerpoort_api_result_e  ngx_http_leerpoort_result_e;

static ngx_http_leerpoort_ctx_t *ngx_http_leerpoort_auth_ctx(
    ngx_http_request_t *r);
static ngx_http_leerpoort_result_e ngx_http_leerpoort_auth_check(
    ngx_http_leerpoort_ctx_t *ctx, const ngx_http_leerpoort_auth_t *auth,
    lp_jose_error_t *error);
static lp_jose_error_t ngx_http_leerpoort_auth_judge(
    ngx_http_leerpoort_ctx_t *ctx, const ngx_http_leerpoort_auth_t *auth,
    lp_token_t *token);
static ngx_http_leerpoort_result_e ngx_http_leerpoort_auth_result(
    lp_jose_error_t error);
static ngx_int_t ngx_http_leerpoort_auth_client(
    ngx_http_leerpoort_ctx_t *ctx, const json_t *claims, ngx_uint_t persons);
static ngx_int_t ngx_http_leerpoort_auth_read_scope(
    ngx_http_leerpoort_ctx_t *ctx, const json_t *claims);
static size_t ngx_http_leerpoort_append(u_char *text, size_t len,
    const json_t *scope);
static ngx_uint_t ngx_http_leerpoort_auth_may(lp_span_t scope,
    const ngx_http_leerpoort_auth_t *auth);


/* In the access phase of every request. */
ngx_int_t
ngx_http_leerpoort_auth_handler(ngx_http_request_t *r)
{
    lp_jose_error_t                 error;
    ngx_http_leerpoort_ctx_t       *ctx;
    ngx_http_leerpoort_result_e     result;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_leerpoort_module);

    if (llcf->auth == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_leerpoort_auth_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    result = ngx_http_leerpoort_auth_check(ctx, llcf->auth, &error);
    ngx_http_leerpoort_count(api[result]);

    return result == NGX_HTTP_LEERPOORT_API_PASSED
           ? NGX_OK
           : ngx_http_leerpoort_refuse(r, llcf->auth, result, error);
}


/* In the phase before that of every request. */
ngx_int_t
ngx_http_leerpoort_auth_part_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (r == r->main) {
        return NGX_DECLINED;
    }

    rc = ngx_http_leerpoort_auth_handler(r);

    return rc == NGX_OK ? NGX_DECLINED : rc; /* others have a say as well */
}


/* A subrequest's is its own: what its token says is not the main request's. */
static ngx_http_leerpoort_ctx_t *
ngx_http_leerpoort_auth_ctx(ngx_http_request_t *r)
{
    ngx_http_leerpoort_ctx_t  *ctx;

    ctx = r == r->main
          ? ngx_http_leerpoort_ctx(r)
          : ngx_http_get_module_ctx(r, ngx_http_leerpoort_module);

    if (ctx == NULL) {
        ctx = ngx_http_leerpoort_ctx_create(r);
        if (ctx == NULL) {
            return NULL;
        }

        ctx->api = 1;

        if (r == r->main) {
            ngx_http_leerpoort_ctx_keep(ctx);
        }
    }

    ngx_http_set_ctx(r, ctx, ngx_http_leerpoort_module);

    return ctx;
}


/* *error: why the token was refused, where it was. */
static ngx_http_leerpoort_result_e
ngx_http_leerpoort_auth_check(ngx_http_leerpoort_ctx_t *ctx,
    const ngx_http_leerpoort_auth_t *auth, lp_jose_error_t *error)
{
    lp_span_t   text;
    lp_token_t  token;
    ngx_uint_t  tossed;

    *error = LP_JOSE_OK;
    ctx->identified = 0;
    ctx->school_known &= !ctx->api; /* a click's stays with the click */
    ctx->client.len = 0;
    ctx->scope.len = 0;

    if (ngx_http_leerpoort_find_token(ctx->request, &text, &tossed)
        != NGX_OK)
    {
        return NGX_HTTP_LEERPOORT_API_NO_TOKEN;
    }

    ctx->token = text;
    ctx->identified_at = ngx_time();

    *error = lp_token_open(&token, text);

    if (*error == LP_JOSE_OK) {
        *error = ngx_http_leerpoort_auth_judge(ctx, auth, &token);
    }

    lp_token_close(&token);

    if (*error != LP_JOSE_OK) {
        ngx_http_leerpoort_count(refused[*error]);
        return ngx_http_leerpoort_auth_result(*error);
    }

    if (ngx_http_leerpoort_is_tossed(ctx, tossed)) {
        return NGX_HTTP_LEERPOORT_API_NO_TOKEN;
    }

    if (!ngx_http_leerpoort_auth_may(ctx->scope, auth)) {
        return NGX_HTTP_LEERPOORT_API_NO_SCOPE;
    }

    ctx->identified = 1;

    if (ctx->api && ctx->identity.school_type_len == 0) {
        ctx->school.data = ctx->identity.school;
        ctx->school.len = ctx->identity.school_len;
        ctx->school_known = 1;
    }

    return NGX_HTTP_LEERPOORT_API_PASSED;
}


/* An issuer that is not named here is as good as unknown. */
static lp_jose_error_t
ngx_http_leerpoort_auth_judge(ngx_http_leerpoort_ctx_t *ctx,
    const ngx_http_leerpoort_auth_t *auth, lp_token_t *token)
{
    lp_jose_error_t                  error;
    ngx_http_leerpoort_issuer_t     *issuer;
    ngx_http_leerpoort_main_conf_t  *mcf;

    if (token->iss.data == NULL) {
        return LP_JOSE_ISS_MISSING;
    }

    mcf = ngx_http_get_module_main_conf(ctx->request,
                                        ngx_http_leerpoort_module);
    issuer = ngx_http_leerpoort_issuer_of(mcf, token->iss);

    if (issuer == NULL
        || !(auth->issuers & (uint32_t) 1 << issuer->index))
    {
        return LP_JOSE_ISS_WRONG;
    }

    if (issuer->doubtful) {
        return LP_JOSE_KEY_UNKNOWN;
    }

    error = lp_token_check(token, &issuer->rules, ngx_time());

    if (error == LP_JOSE_KEY_UNKNOWN) {
        ngx_http_leerpoort_key_ask(mcf, issuer);
    }

    if (error == LP_JOSE_OK) {
        error = ngx_http_leerpoort_identity_of(mcf, issuer, token,
                                               &ctx->identity);
    }

    if (error == LP_JOSE_OK
        && (ngx_http_leerpoort_auth_client(ctx, token->claims,
                                           issuer->rules.n_users > 0)
            != NGX_OK
            || ngx_http_leerpoort_auth_read_scope(ctx, token->claims)
               != NGX_OK))
    {
        return LP_JOSE_MEMORY;
    }

    return error;
}


static ngx_http_leerpoort_result_e
ngx_http_leerpoort_auth_result(lp_jose_error_t error)
{
    switch (error) {

    case LP_JOSE_EXPIRED:
    case LP_JOSE_TOO_OLD:
        return NGX_HTTP_LEERPOORT_API_EXPIRED;

    case LP_JOSE_MEMORY:
        return NGX_HTTP_LEERPOORT_API_UNAVAILABLE;

    default:
        return NGX_HTTP_LEERPOORT_API_BAD_TOKEN;
    }
}


/*
 * azp, else client_id, else sub: but never the sub of a person. The first that
 * is there counts, also when it can't be a client's name.
 */
static ngx_int_t
ngx_http_leerpoort_auth_client(ngx_http_leerpoort_ctx_t *ctx,
    const json_t *claims, ngx_uint_t persons)
{
    size_t         i, len;
    u_char        *copy;
    const char    *text;
    const json_t  *claim;

    claim = json_object_get(claims, "azp");

    if (claim == NULL) {
        claim = json_object_get(claims, "client_id");
    }

    if (claim == NULL && !persons) {
        claim = json_object_get(claims, "sub");
    }

    text = json_string_value(claim);
    len = json_string_length(claim);

    if (text == NULL || len > NGX_HTTP_LEERPOORT_CLIENT_MAX) {
        return NGX_OK;
    }

    for (i = 0; i < len; i++) {
        if ((u_char) text[i] < 0x20 || (u_char) text[i] == 0x7f) {
            return NGX_OK;
        }
    }

    copy = ngx_pnalloc(ctx->request->pool, len + 1);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(copy, text, len);
    ctx->client.data = (const char *) copy;
    ctx->client.len = len;

    return NGX_OK;
}


/*
 * A string of scopes with blanks between them (RFC 8693 section 4.2), or an
 * array of strings, as some make it. Anything else grants nothing.
 */
static ngx_int_t
ngx_http_leerpoort_auth_read_scope(ngx_http_leerpoort_ctx_t *ctx,
    const json_t *claims)
{
    size_t         i, len;
    u_char        *text;
    const json_t  *claim;

    claim = json_object_get(claims, "scope");

    if (!json_is_string(claim) && !json_is_array(claim)) {
        return NGX_OK;
    }

    text = ngx_pnalloc(ctx->request->pool, NGX_HTTP_LEERPOORT_SCOPE_MAX);
    if (text == NULL) {
        return NGX_ERROR;
    }

    len = 0;

    if (json_is_string(claim)) {
        len = json_string_length(claim);

        if (len > NGX_HTTP_LEERPOORT_SCOPE_MAX
            || !ngx_http_leerpoort_is_scope(json_string_value(claim), len, 1))
        {
            return NGX_OK;
        }

        ngx_memcpy(text, json_string_value(claim), len);
    }

    for (i = 0; i < json_array_size(claim); i++) {
        len = ngx_http_leerpoort_append(text, len, json_array_get(claim, i));
    }

    ctx->scope.data = (const char *) text;
    ctx->scope.len = len;

    return NGX_OK;
}


/* Returns the new length; what is no single scope is passed over. */
static size_t
ngx_http_leerpoort_append(u_char *text, size_t len, const json_t *scope)
{
    size_t  n;

    n = json_string_length(scope);

    if (n == 0 || n + 1 > NGX_HTTP_LEERPOORT_SCOPE_MAX - len
        || !ngx_http_leerpoort_is_scope(json_string_value(scope), n, 0))
    {
        return len;
    }

    if (len > 0) {
        text[len++] = ' ';
    }

    ngx_memcpy(text + len, json_string_value(scope), n);

    return len + n;
}


/* Does the token's scope hold one of those that are wanted? */
static ngx_uint_t
ngx_http_leerpoort_auth_may(lp_span_t scope,
    const ngx_http_leerpoort_auth_t *auth)
{
    size_t      at, end;
    lp_span_t   one;
    ngx_str_t  *wanted;
    ngx_uint_t  i;

    wanted = auth->scopes.elts;

    for (at = 0; at < scope.len; at = end + 1) {

        for (end = at; end < scope.len && scope.data[end] != ' '; end++) {
            /* void */
        }

        one.data = scope.data + at;
        one.len = end - at;

        for (i = 0; i < auth->scopes.nelts; i++) {
            if (lp_span_equal(one, ngx_http_leerpoort_span(&wanted[i]))) {
                return 1;
            }
        }
    }

    return auth->scopes.nelts == 0;
}


/* RFC 6749 section 3.3: printable ASCII but for quotes and backslashes. */
ngx_uint_t
ngx_http_leerpoort_is_scope(const char *text, size_t len, ngx_uint_t blanks)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (text[i] == ' ' && blanks) {
            continue;
        }

        if (text[i] <= ' ' || text[i] > '~' || text[i] == '"'
            || text[i] == '\\')
        {
            return 0;
        }
    }

    return 1;
}
