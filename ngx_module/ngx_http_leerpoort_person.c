/*
 * $leerpoort_person: the ids of the person whose token this is, as Edu-V's
 * UserReference, for the worker that seals them into a message.
 *
 * Only user keys are remembered of a token, so that no id of a person stays in
 * shared memory. The ids are read from the token anew when somebody asks for
 * the variable, which is once in a licence's life; and the token is checked
 * anew, at the time at which it was found good, so that nothing is believed
 * because of where it was found.
 */

#include "ngx_http_leerpoort.h"

static ngx_int_t ngx_http_leerpoort_person_write(ngx_http_request_t *r,
    const lp_token_t *token, ngx_str_t *json);
static size_t ngx_http_leerpoort_person_size(const lp_token_t *token);
static const lp_id_t *ngx_http_leerpoort_person_master(
    const lp_token_t *token);
static u_char *ngx_http_leerpoort_person_ids(u_char *p,
    const lp_token_t *token);
static u_char *ngx_http_leerpoort_quote(u_char *p, lp_span_t text);

#define ngx_http_leerpoort_put(p, literal)                                    \
    ngx_cpymem(p, literal, sizeof(literal) - 1)


/*
 * Writes the JSON into the request's pool. NGX_DECLINED: there is no person,
 * or the token would not be believed any more; NGX_ERROR: no memory.
 */
ngx_int_t
ngx_http_leerpoort_person(ngx_http_leerpoort_ctx_t *ctx, ngx_str_t *json)
{
    ngx_int_t                        rc;
    lp_token_t                       token;
    ngx_http_leerpoort_issuer_t     *issuer;
    ngx_http_leerpoort_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(ctx->request,
                                        ngx_http_leerpoort_module);

    if (!ctx->identified || ctx->identity.n_users == 0
        || ctx->identity.issuer >= mcf->issuers.nelts)
    {
        return NGX_DECLINED;
    }

    issuer = mcf->issuers.elts;
    issuer += ctx->identity.issuer;
    rc = NGX_DECLINED;

    if (lp_token_open(&token, ctx->token) == LP_JOSE_OK
        && !issuer->doubtful
        && lp_token_check(&token, &issuer->rules, ctx->identified_at)
           == LP_JOSE_OK)
    {
        rc = ngx_http_leerpoort_person_write(ctx->request, &token, json);
    }

    lp_token_close(&token);

    return rc;
}


static ngx_int_t
ngx_http_leerpoort_person_write(ngx_http_request_t *r,
    const lp_token_t *token, ngx_str_t *json)
{
    u_char         *p;
    const lp_id_t  *master;

    if (token->n_users == 0) {
        return NGX_DECLINED;
    }

    json->data = ngx_pnalloc(r->pool, ngx_http_leerpoort_person_size(token));
    if (json->data == NULL) {
        return NGX_ERROR;
    }

    p = json->data;
    *p++ = '{';

    master = ngx_http_leerpoort_person_master(token);
    if (master) {
        p = ngx_http_leerpoort_put(p, "\"userMasterIdentifier\":");
        p = ngx_http_leerpoort_quote(p, master->id);
    }

    p = ngx_http_leerpoort_person_ids(p, token);
    *p++ = '}';

    json->len = p - json->data;

    return NGX_OK;
}


/* An upper bound: every byte of an id may take two. */
static size_t
ngx_http_leerpoort_person_size(const lp_token_t *token)
{
    size_t    size;
    unsigned  i;

    size = sizeof("{\"userMasterIdentifier\":,\"userIds\":[]}");

    for (i = 0; i < token->n_users; i++) {
        size += sizeof("{\"userId\":\"\",\"userIdType\":\"\"},")
                + 2 * token->users[i].id.len
                + 2 * token->users[i].id_type.len;
    }

    return size;
}


/* The ECK iD; NULL: there is none. */
static const lp_id_t *
ngx_http_leerpoort_person_master(const lp_token_t *token)
{
    unsigned  i;

    for (i = 0; i < token->n_users; i++) {
        if (lp_span_equal(token->users[i].id_type, lp_span("ECK"))) {
            return &token->users[i];
        }
    }

    return NULL;
}


/* All other ids; without any, the member is left out. */
static u_char *
ngx_http_leerpoort_person_ids(u_char *p, const lp_token_t *token)
{
    unsigned        i, n;
    const lp_id_t  *id;

    n = 0;

    for (i = 0; i < token->n_users; i++) {
        id = &token->users[i];

        if (lp_span_equal(id->id_type, lp_span("ECK"))) {
            continue;
        }

        if (n++ > 0) {
            *p++ = ',';

        } else {
            if (p[-1] != '{') {
                *p++ = ',';
            }
            p = ngx_http_leerpoort_put(p, "\"userIds\":[");
        }

        p = ngx_http_leerpoort_put(p, "{\"userId\":");
        p = ngx_http_leerpoort_quote(p, id->id);
        p = ngx_http_leerpoort_put(p, ",\"userIdType\":");
        p = ngx_http_leerpoort_quote(p, id->id_type);
        *p++ = '}';
    }

    if (n > 0) {
        *p++ = ']';
    }

    return p;
}


/* A JSON string (RFC 8259 section 7); ids have no control bytes. */
static u_char *
ngx_http_leerpoort_quote(u_char *p, lp_span_t text)
{
    size_t  i;

    *p++ = '"';

    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\') {
            *p++ = '\\';
        }
        *p++ = (u_char) text.data[i];
    }

    *p++ = '"';

    return p;
}
