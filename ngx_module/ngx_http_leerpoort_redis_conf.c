/*
 * leerpoort_redis: where Redis is, and as whom.
 */

#include "ngx_http_leerpoort_directives.h"

#define NGX_HTTP_LEERPOORT_REDIS_TIMEOUT  50 /* ms */
#define NGX_HTTP_LEERPOORT_PASSWORD_MAX   1024

static char *ngx_http_leerpoort_redis_address(ngx_conf_t *cf,
    ngx_http_leerpoort_redis_conf_t *redis, ngx_str_t *value);
static char *ngx_http_leerpoort_redis_parameter(ngx_conf_t *cf,
    ngx_http_leerpoort_redis_conf_t *redis, ngx_str_t *value);
static char *ngx_http_leerpoort_redis_password(ngx_conf_t *cf,
    ngx_http_leerpoort_redis_conf_t *redis, ngx_str_t *file);


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
