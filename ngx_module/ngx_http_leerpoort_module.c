/*
 * The module as nginx sees it: directives, configuration, life of a worker.
 * What the directives mean is in docs/directives.md.
 */

#include "ngx_http_leerpoort.h"

#define NGX_HTTP_LEERPOORT_REDIS_TIMEOUT  50 /* ms */
#define NGX_HTTP_LEERPOORT_PASSWORD_MAX   1024

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
static char *ngx_http_leerpoort_click(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_leerpoort_click_prefix(
    const ngx_http_core_loc_conf_t *clcf);
static char *ngx_http_leerpoort_click_target(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_leerpoort_loc_conf_t *llcf,
    const ngx_http_core_loc_conf_t *clcf);
static char *ngx_http_leerpoort_token(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_leerpoort_check_click(ngx_conf_t *cf,
    ngx_http_leerpoort_loc_conf_t *conf);
static char *ngx_http_leerpoort_login_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_leerpoort_public_url(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_leerpoort_activate_uri(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_uint_t ngx_http_leerpoort_is_host(ngx_conf_t *cf,
    const ngx_str_t *host);
static char *ngx_http_leerpoort_content_hosts(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_leerpoort_redis_address(ngx_conf_t *cf,
    ngx_http_leerpoort_redis_conf_t *redis, ngx_str_t *value);
static char *ngx_http_leerpoort_redis_parameter(ngx_conf_t *cf,
    ngx_http_leerpoort_redis_conf_t *redis, ngx_str_t *value);
static char *ngx_http_leerpoort_redis_password(ngx_conf_t *cf,
    ngx_http_leerpoort_redis_conf_t *redis, ngx_str_t *file);

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


/* What can go wrong only between directives. */
static char *
ngx_http_leerpoort_check_click(ngx_conf_t *cf,
    ngx_http_leerpoort_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler != ngx_http_leerpoort_click_handler) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "another directive answers the requests of the location "
                      "with \"leerpoort_click\" (proxy_pass, "
                      "leerpoort_metrics ...) in %V:%ui",
                      &conf->click_file, conf->click_line);
        return NGX_CONF_ERROR;
    }

    if (conf->auth) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"leerpoort_click\" checks its tokens itself, without "
                      "\"leerpoort_auth\", in %V:%ui",
                      &conf->click_file, conf->click_line);
        return NGX_CONF_ERROR;
    }

    if (conf->login && conf->public_url.len == 0
        && ngx_strstr(conf->login->value.data, "leerpoort_return"))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"leerpoort_login\" uses $leerpoort_return, which "
                      "needs \"leerpoort_public_url\" for the "
                      "\"leerpoort_click\" in %V:%ui",
                      &conf->click_file, conf->click_line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
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


static char *
ngx_http_leerpoort_click(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leerpoort_loc_conf_t *llcf = conf;

    char                            *rv;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_leerpoort_main_conf_t  *mcf;

    if (llcf->click != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    rv = cf->args->nelts == 1
         ? ngx_http_leerpoort_click_prefix(clcf)
         : ngx_http_leerpoort_click_target(cf, cmd, llcf, clcf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    clcf->handler = ngx_http_leerpoort_click_handler;
    llcf->click = 1;
    llcf->click_file = cf->conf_file->file.name;
    llcf->click_line = cf->conf_file->line;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_leerpoort_module);

    if (mcf->click_line == 0) {
        mcf->click_file = llcf->click_file;
        mcf->click_line = llcf->click_line;
    }

    return NGX_CONF_OK;
}


/* The product stands below the prefix. */
static char *
ngx_http_leerpoort_click_prefix(const ngx_http_core_loc_conf_t *clcf)
{
#if (NGX_PCRE)
    if (clcf->regex) {
        return "needs a location with a plain prefix, as in \"location /go/\"";
    }
#endif

    if (clcf->named || clcf->exact_match || clcf->noname) {
        return "needs a location with a plain prefix, as in \"location /go/\"";
    }

    return NGX_CONF_OK;
}


/* The product stands in a value; the location needs a URI to come back to. */
static char *
ngx_http_leerpoort_click_target(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_leerpoort_loc_conf_t *llcf, const ngx_http_core_loc_conf_t *clcf)
{
    ngx_http_leerpoort_main_conf_t  *mcf;

    static ngx_str_t  request_uri = ngx_string("request_uri");
    static ngx_str_t  content_length = ngx_string("content_length");

    if (clcf->named || clcf->noname) {
        return "with a value needs a location with a path, as in "
               "\"location = /lti/click\"";
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_leerpoort_module);

    mcf->request_uri = ngx_http_get_variable_index(cf, &request_uri);
    mcf->content_length = ngx_http_get_variable_index(cf, &content_length);

    if (mcf->request_uri == NGX_ERROR || mcf->content_length == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_set_complex_value_slot(cf, cmd, llcf);
}


static char *
ngx_http_leerpoort_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leerpoort_loc_conf_t *llcf = conf;

    ngx_str_t                         *value;
    ngx_uint_t                         i;
    ngx_http_complex_value_t          *cv;
    ngx_http_compile_complex_value_t   ccv;

    if (llcf->tokens != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    llcf->tokens = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                    sizeof(ngx_http_complex_value_t));
    if (llcf->tokens == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strstr(value[i].data, "$arg")
            || ngx_strstr(value[i].data, "$query_string"))
        {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "a token in a query string (\"%V\") ends up in "
                               "logs and histories: use a header or a cookie",
                               &value[i]);
        }

        cv = ngx_array_push(llcf->tokens);
        if (cv == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
        ccv.cf = cf;
        ccv.value = &value[i];
        ccv.complex_value = cv;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* leerpoort_login url | off */
static char *
ngx_http_leerpoort_login_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leerpoort_loc_conf_t *llcf = conf;

    u_char     *url;
    ngx_str_t  *value;

    value = cf->args->elts;
    url = value[1].data;

    if (value[1].len == 0 || ngx_strcmp(url, "off") == 0) {
        if (llcf->login != NGX_CONF_UNSET_PTR) {
            return "is duplicate";
        }

        llcf->login = NULL;
        return NGX_CONF_OK;
    }

    if (url[0] != '$' && url[0] != '/'
        && ngx_strncmp(url, "http://", 7) != 0
        && ngx_strncmp(url, "https://", 8) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"leerpoort_login\" must be an https URL, a path "
                           "of this server, or \"off\", not \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    return ngx_http_set_complex_value_slot(cf, cmd, conf);
}


/* http is allowed: what is behind a proxy that ends TLS may be tried out. */
static char *
ngx_http_leerpoort_public_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leerpoort_loc_conf_t *llcf = conf;

    u_char     *last;
    ngx_str_t  *value, *url, rest;

    if (llcf->public_url.data) {
        return "is duplicate";
    }

    value = cf->args->elts;
    url = &llcf->public_url;
    *url = value[1];

    if (url->len > 0 && url->data[url->len - 1] == '/') {
        url->len--;
    }

    rest = *url;
    last = rest.data + rest.len;

    if (rest.len > 7 && ngx_strncmp(rest.data, "http://", 7) == 0) {
        rest.data += 7;

    } else if (rest.len > 8 && ngx_strncmp(rest.data, "https://", 8) == 0) {
        rest.data += 8;
    }

    rest.len = last - rest.data;

    if (rest.len < url->len
        && ngx_strlchr(rest.data, last, '?') == NULL
        && ngx_strlchr(rest.data, last, '#') == NULL
        && ngx_http_leerpoort_is_host(cf, &rest))
    {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"leerpoort_public_url\" must be like "
                       "\"https://toegang.example\", not \"%V\"",
                       &value[1]);

    return NGX_CONF_ERROR;
}


/* Does this, after "https://", make a URL that may be a target? */
static ngx_uint_t
ngx_http_leerpoort_is_host(ngx_conf_t *cf, const ngx_str_t *host)
{
    u_char     *p;
    ngx_str_t   url;
    lp_hosts_t  any;

    url.len = sizeof("https://") - 1 + host->len;
    url.data = ngx_pnalloc(cf->temp_pool, url.len);
    if (url.data == NULL) {
        return 0;
    }

    p = ngx_cpymem(url.data, "https://", sizeof("https://") - 1);
    ngx_memcpy(p, host->data, host->len);

    any.list = NULL;
    any.n = 0;

    return lp_target_check(ngx_http_leerpoort_span(&url), 0, &any)
           == LP_TARGET_OK;
}


static char *
ngx_http_leerpoort_activate_uri(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_leerpoort_loc_conf_t *llcf = conf;

    ngx_str_t  *value;

    if (llcf->activate.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0
        || (value[1].data[0] != '/' && value[1].data[0] != '@'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"leerpoort_activate\" must be the URI of an "
                           "internal location, as in \"/activate\", not "
                           "\"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    llcf->activate = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_leerpoort_content_hosts(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_leerpoort_loc_conf_t *llcf = conf;

    lp_span_t   *host;
    ngx_str_t   *value, name;
    ngx_uint_t   i;

    if (llcf->content_hosts != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    llcf->content_hosts = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                           sizeof(lp_span_t));
    if (llcf->content_hosts == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        name = value[i];
        if (name.len > 2 && ngx_strncmp(name.data, "*.", 2) == 0) {
            name.data += 2;
            name.len -= 2;
        }

        if (strcspn((char *) name.data, "/?#") < name.len
            || !ngx_http_leerpoort_is_host(cf, &name))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"leerpoort_content_hosts\" takes hosts, as "
                               "in \"www.uitgever.nl\" or \"*.uitgever.nl\", "
                               "not \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        host = ngx_array_push(llcf->content_hosts);
        *host = ngx_http_leerpoort_span(&value[i]);
    }

    return NGX_CONF_OK;
}


/* leerpoort_redis address [timeout=] [user=] [password_file=] */
char *
ngx_http_leerpoort_redis_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leerpoort_main_conf_t *mcf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (mcf->redis.text.data) {
        return "is duplicate";
    }

    mcf->redis.timeout = NGX_HTTP_LEERPOORT_REDIS_TIMEOUT;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rv = ngx_strlchr(value[i].data, value[i].data + value[i].len, '=')
             ? ngx_http_leerpoort_redis_parameter(cf, &mcf->redis, &value[i])
             : ngx_http_leerpoort_redis_address(cf, &mcf->redis, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (mcf->redis.text.data == NULL) {
        return "has no address: \"unix:/path\" or \"host:port\"";
    }

    if (mcf->redis.user.len && mcf->redis.password.len == 0) {
        return "has \"user=\" without \"password_file=\"";
    }

    return NGX_CONF_OK;
}


/* Names are resolved here, once: the worker can't wait for that. */
static char *
ngx_http_leerpoort_redis_address(ngx_conf_t *cf,
    ngx_http_leerpoort_redis_conf_t *redis, ngx_str_t *value)
{
    ngx_url_t  u;

    if (redis->text.data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"leerpoort_redis\" takes one address; \"%V\" is "
                           "a second", value);
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = *value;
    u.default_port = 6379;

    if (ngx_strncmp(value->data, "sentinel:", 9) == 0
        || ngx_strncmp(value->data, "cluster:", 8) == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": \"leerpoort_redis\" does not know "
                           "sentinel: and cluster: yet", value);
        return NGX_CONF_ERROR;
    }

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in the address \"%V\" of \"leerpoort_redis\"",
                           u.err ? u.err : "no host", value);
        return NGX_CONF_ERROR;
    }

    redis->text = *value;
    redis->sockaddr = u.addrs[0].sockaddr;
    redis->socklen = u.addrs[0].socklen;

    return NGX_CONF_OK;
}


static char *
ngx_http_leerpoort_redis_parameter(ngx_conf_t *cf,
    ngx_http_leerpoort_redis_conf_t *redis, ngx_str_t *value)
{
    ngx_int_t  ms;
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "timeout=", 8) == 0) {
        s.data = value->data + 8;
        s.len = value->len - 8;

        ms = ngx_parse_time(&s, 0);
        if (ms == NGX_ERROR || ms == 0 || ms > 60000) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid \"%V\" of \"leerpoort_redis\": it "
                               "takes 1ms to 60s", value);
            return NGX_CONF_ERROR;
        }

        redis->timeout = ms;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "user=", 5) == 0) {
        redis->user.data = value->data + 5;
        redis->user.len = value->len - 5;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "password_file=", 14) == 0) {
        s.data = value->data + 14;
        s.len = value->len - 14;
        return ngx_http_leerpoort_redis_password(cf, redis, &s);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown parameter \"%V\" of \"leerpoort_redis\": it "
                       "knows timeout=, user= and password_file=", value);

    return NGX_CONF_ERROR;
}


/* The first line of the file. */
static char *
ngx_http_leerpoort_redis_password(ngx_conf_t *cf,
    ngx_http_leerpoort_redis_conf_t *redis, ngx_str_t *file)
{
    size_t            len;
    u_char           *text;
    ngx_file_info_t   fi;

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    text = ngx_http_leerpoort_read_file(cf->pool, file,
                                        NGX_HTTP_LEERPOORT_PASSWORD_MAX,
                                        &len, &fi);
    if (text == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "can't read the password file \"%V\" of "
                           "\"leerpoort_redis\"", file);
        return NGX_CONF_ERROR;
    }

    if (ngx_file_access(&fi) & 0077) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the password file \"%V\" may be read by others: "
                           "chmod 0600", file);
        return NGX_CONF_ERROR;
    }

    redis->password.data = text;
    redis->password.len = 0;

    while (redis->password.len < len && text[redis->password.len] != '\n'
           && text[redis->password.len] != '\r')
    {
        redis->password.len++;
    }

    if (redis->password.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the password file \"%V\" is empty", file);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
