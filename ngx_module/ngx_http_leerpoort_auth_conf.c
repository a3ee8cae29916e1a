/*
 * leerpoort_auth as it is configured: which issuers, which scopes. The check
 * itself is in ngx_http_leerpoort_auth.c.
 */

#include "ngx_http_leerpoort_directives.h"

#define NGX_HTTP_LEERPOORT_REFRESH  200  /* ms between looks at the keys */

static char *ngx_http_leerpoort_auth_scopes(ngx_conf_t *cf,
    ngx_http_leerpoort_auth_t *auth, ngx_str_t *value);
static char *ngx_http_leerpoort_auth_scope(ngx_conf_t *cf,
    ngx_http_leerpoort_auth_t *auth, u_char *p, u_char *last);
static char *ngx_http_leerpoort_auth_issuer(ngx_conf_t *cf,
    ngx_http_leerpoort_auth_t *auth, ngx_str_t *value);
static ngx_int_t ngx_http_leerpoort_auth_resolve(ngx_conf_t *cf,
    ngx_http_leerpoort_main_conf_t *mcf, ngx_http_leerpoort_auth_t *auth);
static void ngx_http_leerpoort_auth_tick(ngx_event_t *ev);


/* leerpoort_auth issuer... [scope=a,b] */
char *
ngx_http_leerpoort_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leerpoort_loc_conf_t *llcf = conf;

    char                             *rv;
    ngx_str_t                        *value;
    ngx_uint_t                        i;
    ngx_http_leerpoort_auth_t        *auth, **known;
    ngx_http_leerpoort_main_conf_t   *mcf;

    if (llcf->auth) {
        return "is duplicate: name all issuers and scopes in one line";
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_leerpoort_module);
    auth = ngx_pcalloc(cf->pool, sizeof(ngx_http_leerpoort_auth_t));
    known = ngx_array_push(&mcf->auths);

    if (auth == NULL || known == NULL
        || ngx_array_init(&auth->names, cf->pool, 2, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&auth->scopes, cf->pool, 2, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    *known = auth;
    llcf->auth = auth;
    auth->file = cf->conf_file->file.name;
    auth->line = cf->conf_file->line;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rv = ngx_strncmp(value[i].data, "scope=", 6) == 0
             ? ngx_http_leerpoort_auth_scopes(cf, auth, &value[i])
             : ngx_http_leerpoort_auth_issuer(cf, auth, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return auth->names.nelts ? NGX_CONF_OK : "names no issuer";
}


/* scope=a,b */
static char *
ngx_http_leerpoort_auth_scopes(ngx_conf_t *cf,
    ngx_http_leerpoort_auth_t *auth, ngx_str_t *value)
{
    u_char  *p, *last, *comma;

    if (auth->scopes.nelts) {
        return "has a second \"scope=\": name all scopes in one, as in "
               "\"scope=a,b\"";
    }

    p = value->data + 6;
    last = value->data + value->len;

    for ( ;; ) {
        comma = ngx_strlchr(p, last, ',');

        if (ngx_http_leerpoort_auth_scope(cf, auth, p, comma ? comma : last)
            != NGX_CONF_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "empty or invalid scope in \"%V\" of "
                               "\"leerpoort_auth\"", value);
            return NGX_CONF_ERROR;
        }

        if (comma == NULL) {
            break;
        }

        p = comma + 1;
    }

    /* for people and for the challenge: with blanks */
    auth->wanted.len = value->len - 6;
    auth->wanted.data = ngx_pnalloc(cf->pool, auth->wanted.len);
    if (auth->wanted.data == NULL) {
        return NGX_CONF_ERROR;
    }

    for (p = value->data + 6; p < last; p++) {
        auth->wanted.data[p - value->data - 6] = *p == ',' ? ' ' : *p;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_leerpoort_auth_scope(ngx_conf_t *cf,
    ngx_http_leerpoort_auth_t *auth, u_char *p, u_char *last)
{
    ngx_str_t  *scope;

    if (p == last
        || !ngx_http_leerpoort_is_scope((char *) p, last - p, 0))
    {
        return NGX_CONF_ERROR;
    }

    scope = ngx_array_push(&auth->scopes);
    if (scope == NULL) {
        return NGX_CONF_ERROR;
    }

    scope->data = p;
    scope->len = last - p;

    return NGX_CONF_OK;
}


static char *
ngx_http_leerpoort_auth_issuer(ngx_conf_t *cf,
    ngx_http_leerpoort_auth_t *auth, ngx_str_t *value)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    name = auth->names.elts;

    for (i = 0; i < auth->names.nelts; i++) {
        if (name[i].len == value->len
            && ngx_strncmp(name[i].data, value->data, value->len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate issuer \"%V\" in "
                               "\"leerpoort_auth\"", value);
            return NGX_CONF_ERROR;
        }
    }

    name = ngx_array_push(&auth->names);
    if (name == NULL) {
        return NGX_CONF_ERROR;
    }

    *name = *value;

    return NGX_CONF_OK;
}


/*
 * When all is configured: finds the issuers, which may stand below the
 * locations, and what else the check needs.
 */
ngx_int_t
ngx_http_leerpoort_auth_init(ngx_conf_t *cf,
    ngx_http_leerpoort_main_conf_t *mcf)
{
    ngx_uint_t                   i;
    ngx_http_handler_pt         *handler;
    ngx_http_leerpoort_auth_t  **auth;
    ngx_http_core_main_conf_t   *cmcf;

    auth = mcf->auths.elts;

    for (i = 0; i < mcf->auths.nelts; i++) {
        if (ngx_http_leerpoort_auth_resolve(cf, mcf, auth[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (mcf->auths.nelts == 0) {
        return NGX_OK;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    handler = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (handler == NULL) {
        return NGX_ERROR;
    }

    *handler = ngx_http_leerpoort_auth_handler;

    handler = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (handler == NULL) {
        return NGX_ERROR;
    }

    *handler = ngx_http_leerpoort_auth_part_handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_leerpoort_auth_resolve(ngx_conf_t *cf,
    ngx_http_leerpoort_main_conf_t *mcf, ngx_http_leerpoort_auth_t *auth)
{
    ngx_str_t                    *name;
    ngx_uint_t                    i, n, persons;
    const char                   *missing;
    ngx_http_leerpoort_issuer_t  *issuer;

    name = auth->names.elts;
    issuer = mcf->issuers.elts;
    persons = 0;

    for (i = 0; i < auth->names.nelts; i++) {

        for (n = 0; n < mcf->issuers.nelts; n++) {
            if (issuer[n].name.len == name[i].len
                && ngx_strncmp(issuer[n].name.data, name[i].data, name[i].len)
                   == 0)
            {
                break;
            }
        }

        if (n == mcf->issuers.nelts) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown issuer \"%V\" in \"leerpoort_auth\": there "
                          "is no such leerpoort_issuer block in %V:%ui",
                          &name[i], &auth->file, auth->line);
            return NGX_ERROR;
        }

        auth->issuers |= (uint32_t) 1 << n;
        persons |= issuer[n].rules.n_users > 0;
    }

    missing = mcf->shm_zone == NULL ? "leerpoort_zone"
              : persons && mcf->pepper == NULL ? "leerpoort_pepper" : NULL;

    if (missing) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"leerpoort_auth\" needs \"%s\" in the http block in "
                      "%V:%ui", missing, &auth->file, auth->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* For an nginx worker without clicks, whose link would look at the keys. */
void
ngx_http_leerpoort_auth_start(ngx_cycle_t *cycle,
    ngx_http_leerpoort_main_conf_t *mcf)
{
    static ngx_event_t  tick;

    if (mcf->auths.nelts == 0 || tick.timer_set) {
        return;
    }

    tick.handler = ngx_http_leerpoort_auth_tick;
    tick.data = mcf;
    tick.log = cycle->log;
    tick.cancelable = 1;

    ngx_http_leerpoort_jwks_refresh(mcf, cycle->log);
    ngx_add_timer(&tick, NGX_HTTP_LEERPOORT_REFRESH);
}


static void
ngx_http_leerpoort_auth_tick(ngx_event_t *ev)
{
    ngx_http_leerpoort_jwks_refresh(ev->data, ev->log);
    ngx_add_timer(ev, NGX_HTTP_LEERPOORT_REFRESH);
}
