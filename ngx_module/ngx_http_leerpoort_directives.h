/*
 * What nginx calls for each directive of the module (docs/directives.md has
 * them all). Each returns NGX_CONF_OK, or what is wrong.
 */

#ifndef NGX_HTTP_LEERPOORT_DIRECTIVES_H
#define NGX_HTTP_LEERPOORT_DIRECTIVES_H

#include "ngx_http_leerpoort.h"

/* of the whole of nginx */
char *ngx_http_leerpoort_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_leerpoort_redis_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_leerpoort_pepper(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_leerpoort_issuer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_leerpoort_key_socket(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_leerpoort_usage(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* of a click (ngx_http_leerpoort_click_conf.c) */
char *ngx_http_leerpoort_click(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_leerpoort_token(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_leerpoort_login_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_leerpoort_public_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_leerpoort_activate_uri(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_leerpoort_content_hosts(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_leerpoort_ticket(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* of other locations */
char *ngx_http_leerpoort_pages(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_leerpoort_standing(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_leerpoort_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_leerpoort_metrics(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* What can go wrong between the directives of one click. */
char *ngx_http_leerpoort_check_click(ngx_conf_t *cf,
    ngx_http_leerpoort_loc_conf_t *conf);

#endif
