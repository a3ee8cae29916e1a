/*
 * leerpoort_page: a location that answers with one page whatever is asked: the
 * one to which error_page leads where leerpoort-sso or a worker is gone. It is
 * written here, so that it needs neither.
 */

#include "ngx_http_leerpoort_directives.h"

#include "problem.h"

static ngx_int_t ngx_http_leerpoort_standing_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_leerpoort_standing_headers(
    ngx_http_leerpoort_ctx_t *ctx, lp_problem_t problem);


/* leerpoort_page problem */
char *
ngx_http_leerpoort_standing(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leerpoort_loc_conf_t *llcf = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    (void) cmd;

    if (llcf->standing) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < LP_PROBLEMS; i++) {
        if (lp_problem_exists(i) && lp_problem_status(i) >= 400
            && value[1].len == ngx_strlen(lp_problem_name(i))
            && ngx_memcmp(value[1].data, lp_problem_name(i), value[1].len)
               == 0)
        {
            llcf->standing = i;
        }
    }

    if (llcf->standing == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "there is no page \"%V\": leerpoort_page takes "
                           "names such as busy and unavailable", &value[1]);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_leerpoort_standing_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_leerpoort_standing_handler(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_http_leerpoort_ctx_t       *ctx;
    ngx_http_leerpoort_loc_conf_t  *llcf;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    llcf = ngx_http_get_module_loc_conf(r, ngx_http_leerpoort_module);
    ctx = ngx_http_leerpoort_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_leerpoort_ctx_create(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->api = 1;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_leerpoort_module);

    if (ngx_http_leerpoort_standing_headers(ctx, llcf->standing) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_leerpoort_page(ctx, (lp_outcome_t) llcf->standing,
                                   lp_problem_status(llcf->standing));
}


/* A click that an error_page led here has its own already. */
static ngx_int_t
ngx_http_leerpoort_standing_headers(ngx_http_leerpoort_ctx_t *ctx,
    lp_problem_t problem)
{
    const char  *name;

    name = lp_problem_name(problem);

    if (ctx->outcome_header) {
        return NGX_OK;
    }

    ctx->outcome_header = ngx_http_leerpoort_header(ctx->request,
                              "Leerpoort-Outcome",
                              sizeof("Leerpoort-Outcome") - 1, name,
                              ngx_strlen(name));

    return ctx->outcome_header
           && ngx_http_leerpoort_header_literal(ctx->request, "Cache-Control",
                                                "no-store")
           && ngx_http_leerpoort_header_literal(ctx->request,
                                                "Referrer-Policy",
                                                "no-referrer")
           ? NGX_OK : NGX_ERROR;
}
