/*
 * The module as nginx sees it: its directives, what is checked when all of them
 * are read, the life of a worker. What the directives mean is in
 * docs/directives.md.
 */

#include "ngx_http_leerpoort_directives.h"

static ngx_int_t ngx_http_leerpoort_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_leerpoort_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_leerpoort_init_main_conf(ngx_conf_t *cf, void *conf);
static ngx_int_t ngx_http_leerpoort_add_activation(ngx_conf_t *cf);
static ngx_int_t ngx_http_leerpoort_check_issuers(ngx_conf_t *cf,
    ngx_http_leerpoort_main_conf_t *mcf);
static ngx_uint_t ngx_http_leerpoort_names_users(
    const ngx_http_leerpoort_main_conf_t *mcf);
static void *ngx_http_leerpoort_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_leerpoort_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void ngx_http_leerpoort_merge_houses(ngx_conf_t *cf,
    ngx_http_leerpoort_loc_conf_t *prev, ngx_http_leerpoort_loc_conf_t *conf);
static ngx_int_t ngx_http_leerpoort_init_process(ngx_cycle_t *cycle);
static void ngx_http_leerpoort_exit_process(ngx_cycle_t *cycle);

ngx_http_leerpoort_counters_t  *ngx_http_leerpoort_counters;
ngx_http_leerpoort_zone_t      *ngx_http_leerpoort_zone_here;


static ngx_command_t  ngx_http_leerpoort_commands[] = {

    { ngx_string("leerpoort_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_leerpoort_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("leerpoort_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_leerpoort_redis_conf,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("leerpoort_pepper"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_leerpoort_pepper,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("leerpoort_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_leerpoort_issuer,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("leerpoort_key_socket"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_leerpoort_key_socket,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("leerpoort_usage"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_http_leerpoort_usage,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("leerpoort_click"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_leerpoort_click,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_leerpoort_loc_conf_t, target),
      NULL },

    { ngx_string("leerpoort_token"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_leerpoort_token,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("leerpoort_login"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_leerpoort_login_url,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_leerpoort_loc_conf_t, login),
      NULL },

    { ngx_string("leerpoort_public_url"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_leerpoort_public_url,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("leerpoort_pages"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_leerpoort_pages,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("leerpoort_page"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_leerpoort_standing,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("leerpoort_activate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_leerpoort_activate_uri,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("leerpoort_content_hosts"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_leerpoort_content_hosts,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("leerpoort_token_time"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_leerpoort_loc_conf_t, token_time),
      NULL },

    { ngx_string("leerpoort_mirror_time"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_leerpoort_loc_conf_t, mirror_time),
      NULL },

    { ngx_string("leerpoort_stale"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_leerpoort_loc_conf_t, stale),
      NULL },

    { ngx_string("leerpoort_ticket"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_leerpoort_ticket,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("leerpoort_auth"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_leerpoort_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("leerpoort_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_leerpoort_metrics,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_leerpoort_module_ctx = {
    ngx_http_leerpoort_add_variables,      /* preconfiguration */
    ngx_http_leerpoort_postconfiguration,  /* postconfiguration */

    ngx_http_leerpoort_create_main_conf,   /* create main configuration */
    ngx_http_leerpoort_init_main_conf,     /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_leerpoort_create_loc_conf,    /* create location configuration */
    ngx_http_leerpoort_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_leerpoort_module = {
    NGX_MODULE_V1,
    &ngx_http_leerpoort_module_ctx,        /* module context */
    ngx_http_leerpoort_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_leerpoort_init_process,       /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_leerpoort_exit_process,       /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_leerpoort_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_leerpoort_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_leerpoort_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    /* room for all: their addresses must not change */
    if (ngx_array_init(&mcf->issuers, cf->pool, NGX_HTTP_LEERPOORT_ISSUERS,
                       sizeof(ngx_http_leerpoort_issuer_t))
        != NGX_OK
        || ngx_array_init(&mcf->auths, cf->pool, 4,
                          sizeof(ngx_http_leerpoort_auth_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return mcf;
}


static char *
ngx_http_leerpoort_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_leerpoort_main_conf_t *mcf = conf;

    char  reason[LP_HOUSE_REASON_MAX];

    ngx_http_leerpoort_issuer_print(mcf);

    mcf->houses = ngx_http_leerpoort_houses(cf, (lp_span_t) { NULL, 0 },
                                            reason);

    return mcf->houses ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* Whoever answers clicks needs these; the message names the first of them. */
static ngx_int_t
ngx_http_leerpoort_postconfiguration(ngx_conf_t *cf)
{
    const char                      *missing;
    ngx_http_leerpoort_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_leerpoort_module);

    if (ngx_http_leerpoort_auth_init(cf, mcf) != NGX_OK
        || ngx_http_leerpoort_check_issuers(cf, mcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (mcf->metrics_line && mcf->shm_zone == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"leerpoort_metrics\" needs \"leerpoort_zone\" in the "
                      "http block in %V:%ui", &mcf->metrics_file,
                      mcf->metrics_line);
        return NGX_ERROR;
    }

    if (mcf->click_line == 0) {
        return NGX_OK;
    }

    missing = mcf->shm_zone == NULL ? "leerpoort_zone"
              : mcf->redis.sockaddr == NULL ? "leerpoort_redis"
              : mcf->pepper == NULL ? "leerpoort_pepper"
              : !ngx_http_leerpoort_names_users(mcf) ? "leerpoort_issuer"
              : NULL;

    if (missing) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"leerpoort_click\" needs \"%s\" in the http block in "
                      "%V:%ui", missing, &mcf->click_file, mcf->click_line);
        return NGX_ERROR;
    }

    return ngx_http_leerpoort_add_activation(cf);
}


/* Clicks on their way to the worker are met in two phases. */
static ngx_int_t
ngx_http_leerpoort_add_activation(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *handler;
    ngx_http_core_main_conf_t  *cmcf;

    static const ngx_uint_t  phases[] = {
        NGX_HTTP_REWRITE_PHASE, NGX_HTTP_PREACCESS_PHASE
    };

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
        handler = ngx_array_push(&cmcf->phases[phases[i]].handlers);
        if (handler == NULL) {
            return NGX_ERROR;
        }

        *handler = ngx_http_leerpoort_activation_handler;
    }

    return NGX_OK;
}


/* An issuer without "user" is for leerpoort_auth alone, and must be there. */
static ngx_int_t
ngx_http_leerpoort_check_issuers(ngx_conf_t *cf,
    ngx_http_leerpoort_main_conf_t *mcf)
{
    uint32_t                       named;
    ngx_uint_t                     i;
    ngx_http_leerpoort_auth_t    **auth;
    ngx_http_leerpoort_issuer_t   *issuer;

    named = 0;
    auth = mcf->auths.elts;

    for (i = 0; i < mcf->auths.nelts; i++) {
        named |= auth[i]->issuers;
    }

    issuer = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        if (issuer[i].rules.n_users == 0 && !(named & (uint32_t) 1 << i)) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "no \"user\" in leerpoort_issuer \"%V\", which no "
                          "\"leerpoort_auth\" names either, in %V:%ui",
                          &issuer[i].name, &issuer[i].file, issuer[i].line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Does any issuer say whose click it is? */
static ngx_uint_t
ngx_http_leerpoort_names_users(const ngx_http_leerpoort_main_conf_t *mcf)
{
    ngx_uint_t                    i;
    ngx_http_leerpoort_issuer_t  *issuer;

    issuer = mcf->issuers.elts;

    for (i = 0; i < mcf->issuers.nelts; i++) {
        if (issuer[i].rules.n_users > 0) {
            return 1;
        }
    }

    return 0;
}


static void *
ngx_http_leerpoort_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_leerpoort_loc_conf_t  *llcf;

    llcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_leerpoort_loc_conf_t));
    if (llcf == NULL) {
        return NULL;
    }

    llcf->click = NGX_CONF_UNSET;
    llcf->tokens = NGX_CONF_UNSET_PTR;
    llcf->login = NGX_CONF_UNSET_PTR;
    llcf->content_hosts = NGX_CONF_UNSET_PTR;
    llcf->ticket = NGX_CONF_UNSET_PTR;
    llcf->token_time = NGX_CONF_UNSET;
    llcf->mirror_time = NGX_CONF_UNSET;
    llcf->stale = NGX_CONF_UNSET;

    return llcf;
}


static char *
ngx_http_leerpoort_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_leerpoort_loc_conf_t *prev = parent;
    ngx_http_leerpoort_loc_conf_t *conf = child;

    ngx_conf_merge_ptr_value(conf->tokens, prev->tokens, NULL);
    ngx_conf_merge_ptr_value(conf->login, prev->login, NULL);
    ngx_conf_merge_str_value(conf->public_url, prev->public_url, "");
    ngx_conf_merge_str_value(conf->activate, prev->activate, "");
    ngx_http_leerpoort_merge_houses(cf, prev, conf);
    ngx_conf_merge_ptr_value(conf->content_hosts, prev->content_hosts, NULL);
    ngx_conf_merge_ptr_value(conf->ticket, prev->ticket, NULL);
    ngx_conf_merge_sec_value(conf->token_time, prev->token_time, 300);
    ngx_conf_merge_sec_value(conf->mirror_time, prev->mirror_time, 60);
    ngx_conf_merge_sec_value(conf->stale, prev->stale, 3600);

    if (conf->auth == NULL) {
        conf->auth = prev->auth; /* also in "if" and "limit_except" */
    }

    if (conf->content_hosts) {
        conf->hosts.list = conf->content_hosts->elts;
        conf->hosts.n = conf->content_hosts->nelts;
    }

    return conf->click == 1 ? ngx_http_leerpoort_check_click(cf, conf)
                            : NGX_CONF_OK;
}


/* Without leerpoort_pages: the built-in style. */
static void
ngx_http_leerpoort_merge_houses(ngx_conf_t *cf,
    ngx_http_leerpoort_loc_conf_t *prev, ngx_http_leerpoort_loc_conf_t *conf)
{
    ngx_http_leerpoort_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_leerpoort_module);

    if (prev->houses == NULL) {
        prev->houses = mcf->houses;
    }

    if (conf->houses == NULL) {
        conf->houses = prev->houses;
    }
}


static ngx_int_t
ngx_http_leerpoort_init_process(ngx_cycle_t *cycle)
{
    ngx_http_leerpoort_main_conf_t  *mcf;

    /* cache managers and loaders have no clicks */
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_leerpoort_module);

    if (mcf == NULL || mcf->shm_zone == NULL) {
        return NGX_OK;
    }

    ngx_http_leerpoort_zone_here = mcf->shm_zone->data;
    ngx_http_leerpoort_counters =
        &ngx_http_leerpoort_zone_here->sh->counters[ngx_worker
                                             % NGX_HTTP_LEERPOORT_COUNTERS];

    if (mcf->click_line == 0) {
        ngx_http_leerpoort_auth_start(cycle, mcf);
        return NGX_OK;
    }

    ngx_http_leerpoort_click_init();

    ngx_http_leerpoort_mirror_init(cycle, mcf);
    ngx_http_leerpoort_link_init(cycle, mcf);
    ngx_http_leerpoort_usage_init(cycle, mcf);

    return NGX_OK;
}


static void
ngx_http_leerpoort_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_leerpoort_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_leerpoort_module);

    if (ngx_http_leerpoort_zone_here && mcf && mcf->click_line) {
        ngx_http_leerpoort_usage_exit();
        ngx_http_leerpoort_link_exit();
        ngx_http_leerpoort_mirror_exit();
    }
}
