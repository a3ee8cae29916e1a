/*
 * The directives of a click: where it is, whose token, where people sign in,
 * are activated and end up.
 */

#include "ngx_http_leerpoort_directives.h"

static char *ngx_http_leerpoort_click_prefix(
    const ngx_http_core_loc_conf_t *clcf);
static char *ngx_http_leerpoort_click_target(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_leerpoort_loc_conf_t *llcf,
    const ngx_http_core_loc_conf_t *clcf);
static ngx_uint_t ngx_http_leerpoort_is_host(ngx_conf_t *cf,
    const ngx_str_t *host);


char *
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


/* What can go wrong only between directives. */
char *
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


char *
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
char *
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
char *
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


char *
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


char *
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
