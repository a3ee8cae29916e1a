/*
 * leerpoort_key_socket: a token whose key is unknown may be the first of a new
 * key. leerpoort-keys is told so by a datagram with the issuer's identifier,
 * and fetches the issuer's keys anew; the file changes, and is read again
 * (ngx_http_leerpoort_jwks.c).
 *
 * The token that tells has been refused already, and nobody waits: whether the
 * datagram arrives does not matter to a click. Anybody can make tokens with
 * unknown keys, so each worker asks for an issuer once a second at most, and
 * leerpoort-keys has its own measure.
 */

#include "ngx_http_leerpoort_directives.h"

static ngx_err_t ngx_http_leerpoort_key_send(const ngx_addr_t *to,
    lp_span_t text);


/* leerpoort_key_socket unix:/path */
char *
ngx_http_leerpoort_key_socket(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leerpoort_main_conf_t *mcf = conf;

    ngx_url_t   u;
    ngx_str_t  *value;

    if (mcf->key_socket.sockaddr) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ngx_memzero(&u, sizeof(ngx_url_t));
    u.url = value[1];

    if (ngx_strncmp(value[1].data, "unix:/", 6) != 0
        || ngx_parse_url(cf->pool, &u) != NGX_OK
        || u.addrs[0].sockaddr->sa_family != AF_UNIX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"leerpoort_key_socket\" must be like "
                           "\"unix:/run/leerpoort/keys.sock\", not \"%V\"%s%s",
                           &value[1], u.err ? ": " : "", u.err ? u.err : "");
        return NGX_CONF_ERROR;
    }

    mcf->key_socket = u.addrs[0];

    return NGX_CONF_OK;
}


/* A token of the issuer named a key that is not in its file. */
void
ngx_http_leerpoort_key_ask(ngx_http_leerpoort_main_conf_t *mcf,
    ngx_http_leerpoort_issuer_t *issuer)
{
    ngx_err_t  err;

    static ngx_err_t  said; /* why the last one was not heard */

    if (mcf->key_socket.sockaddr == NULL || issuer->own
        || issuer->asked_at == ngx_time())
    {
        return;
    }

    issuer->asked_at = ngx_time();
    err = ngx_http_leerpoort_key_send(&mcf->key_socket, issuer->rules.iss);

    if (err == 0) {
        ngx_http_leerpoort_count(keys_asked);

    } else {
        ngx_http_leerpoort_count(keys_not_asked);

        if (err != said) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, err,
                          "leerpoort: leerpoort-keys can't be asked for keys "
                          "at \"%V\": new keys come by its schedule alone",
                          &mcf->key_socket.name);
        }
    }

    said = err;
}


/* Returns 0, or why nobody hears it: an error of the system. */
static ngx_err_t
ngx_http_leerpoort_key_send(const ngx_addr_t *to, lp_span_t text)
{

    static int  fd = -1; /* this worker's, from the first time on */

    if (fd == -1) {
        fd = socket(AF_UNIX, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    }

    if (fd == -1
        || sendto(fd, text.data, text.len, MSG_DONTWAIT|MSG_NOSIGNAL,
                  to->sockaddr, to->socklen)
           == -1)
    {
        return ngx_errno;
    }

    return 0;
}
