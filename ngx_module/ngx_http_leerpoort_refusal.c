/*
 * What leerpoort_auth answers to those that it does not let pass, in Edu-V's
 * form: {"status", "statusMessage"}, and in HTTP's (RFC 6750 section 3).
 *
 * It tells a stranger nothing that helps to forge a token: one with a wrong
 * signature is refused in the same words as one of an issuer that nobody knows.
 */

#include "ngx_http_leerpoort.h"

/* Edu-V's status codes. */
#define NGX_HTTP_LEERPOORT_CODE_SCOPE  21
#define NGX_HTTP_LEERPOORT_CODE_OTHER  99

/* A refusal: the parameters of "WWW-Authenticate: Bearer", and a sentence. */
typedef struct {
    const char  *challenge;
    const char  *text;
} ngx_http_leerpoort_words_t;

static ngx_http_leerpoort_words_t ngx_http_leerpoort_refusal_words(
    lp_jose_error_t error);
static ngx_int_t ngx_http_leerpoort_challenge(ngx_http_request_t *r,
    const char *parameters, const ngx_str_t *scope);
static ngx_int_t ngx_http_leerpoort_refusal_send(ngx_http_request_t *r,
    ngx_uint_t status, const char *text, const ngx_str_t *scope);


/* Returns what the access handler is to return. */
ngx_int_t
ngx_http_leerpoort_refuse(ngx_http_request_t *r,
    const ngx_http_leerpoort_auth_t *auth,
    ngx_http_leerpoort_api_result_e result, lp_jose_error_t error)
{
    ngx_int_t                   rc;
    ngx_uint_t                  status;
    const ngx_str_t            *scope;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_leerpoort_words_t  words;

    status = NGX_HTTP_UNAUTHORIZED;
    scope = NULL;

    if (result == NGX_HTTP_LEERPOORT_API_NO_TOKEN) {
        words.challenge = "";
        words.text = "there is no access token";

    } else if (result == NGX_HTTP_LEERPOORT_API_NO_SCOPE) {
        status = NGX_HTTP_FORBIDDEN;
        scope = &auth->wanted;
        words.challenge = " error=\"insufficient_scope\"";
        words.text = "the access token has none of the scopes ";

    } else if (result == NGX_HTTP_LEERPOORT_API_UNAVAILABLE) {
        status = NGX_HTTP_SERVICE_UNAVAILABLE;
        words.text = "try again later";

    } else {
        words = ngx_http_leerpoort_refusal_words(error);
    }

    rc = status == NGX_HTTP_SERVICE_UNAVAILABLE
         ? ngx_http_leerpoort_header_literal(r, "Retry-After", "5") != NULL
         : ngx_http_leerpoort_challenge(r, words.challenge, scope);

    if (!rc) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r != r->main) {
        return status; /* the main request says it in its own words */
    }

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY
        && status != NGX_HTTP_SERVICE_UNAVAILABLE)
    {
        return status; /* something else may let the request pass */
    }

    return ngx_http_leerpoort_refusal_send(r, status, words.text, scope);
}


/* Short classes; nothing of the token. */
static ngx_http_leerpoort_words_t
ngx_http_leerpoort_refusal_words(lp_jose_error_t error)
{
    ngx_http_leerpoort_words_t  words;

#define ngx_http_leerpoort_invalid(description)                               \
    " error=\"invalid_token\", error_description=\"" description "\""

    switch (error) {

    case LP_JOSE_EXPIRED:
    case LP_JOSE_TOO_OLD:
        words.challenge = ngx_http_leerpoort_invalid("expired");
        words.text = "the access token has expired";
        break;

    case LP_JOSE_NOT_BEFORE:
    case LP_JOSE_IAT_AHEAD:
        words.challenge = ngx_http_leerpoort_invalid("not valid yet");
        words.text = "the access token is not valid yet";
        break;

    case LP_JOSE_AUD_MISSING:
    case LP_JOSE_AUD_TYPE:
    case LP_JOSE_AUD_WRONG:
        words.challenge = ngx_http_leerpoort_invalid("audience");
        words.text = "the access token is for another audience";
        break;

    default:
        words.challenge = ngx_http_leerpoort_invalid("invalid");
        words.text = "the access token is malformed, or not signed by an "
                     "issuer that counts here";
    }

    return words;
}


/* Returns 0 without memory. nginx knows the header, so that "satisfy any" can
   take it back. */
static ngx_int_t
ngx_http_leerpoort_challenge(ngx_http_request_t *r,
    const char *parameters, const ngx_str_t *scope)
{
    u_char           *p;
    ngx_str_t         value;
    ngx_table_elt_t  *h;

    value.len = sizeof("Bearer") - 1 + ngx_strlen(parameters)
                + (scope ? sizeof(", scope=\"\"") - 1 + scope->len : 0);

    value.data = ngx_pnalloc(r->pool, value.len);
    if (value.data == NULL) {
        return 0;
    }

    p = ngx_sprintf(value.data, "Bearer%s", parameters);

    if (scope) {
        ngx_sprintf(p, ", scope=\"%V\"", scope);
    }

    h = ngx_http_leerpoort_header(r, "WWW-Authenticate",
                                  sizeof("WWW-Authenticate") - 1,
                                  (const char *) value.data, value.len);
    r->headers_out.www_authenticate = h;

    return h != NULL;
}


/*
 * The answer itself, or the status where error_page has one. The body is
 * thrown away as it comes; who waits for a "100 Continue" gets none.
 */
static ngx_int_t
ngx_http_leerpoort_refusal_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *text, const ngx_str_t *scope)
{
    ngx_int_t   rc;
    ngx_str_t   body, none;
    ngx_uint_t  code;

    ngx_str_null(&none);

    if (ngx_http_leerpoort_header_literal(r, "API-Version", "1.0.0") == NULL
        || ngx_http_leerpoort_header_literal(r, "Cache-Control", "no-store")
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* what leads people to a page, a sign-in say, leads programs nowhere */
    if (!ngx_http_leerpoort_is_machine(r)
        && ngx_http_leerpoort_has_error_page(r, status))
    {
        return status;
    }

    code = status == NGX_HTTP_SERVICE_UNAVAILABLE
           ? NGX_HTTP_LEERPOORT_CODE_OTHER : NGX_HTTP_LEERPOORT_CODE_SCOPE;

    body.len = sizeof("{\"status\":,\"statusMessage\":\"\"}\n")
               + NGX_INT_T_LEN + ngx_strlen(text) + (scope ? scope->len : 0);

    body.data = ngx_pnalloc(r->pool, body.len);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.len = ngx_sprintf(body.data,
                           "{\"status\":%ui,\"statusMessage\":\"%s%V\"}\n",
                           code, text, scope ? scope : &none)
               - body.data;

    r->expect_tested = 1;

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }

    rc = ngx_http_leerpoort_send(r, status, "application/json", &body);
    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}
