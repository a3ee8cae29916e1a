/*
 * leerpoort_ticket: launch tickets, for products whose publisher wants one. The
 * Location of a redirect gets a signed ticket (core/ticket.h), by which the
 * publisher knows that the click came through here, and whose it is by a
 * pseudonym of its own.
 *
 * The keys are those of a folder that "leerpoort key rotate" keeps. They are
 * read with the configuration, by root, as a certificate's key is: workers
 * can't read them. So a rotation is followed by a reload. Which of them signs
 * is a matter of time, as for everybody who signs with the folder.
 *
 * A link without its ticket is never sent: where there can be none, the click
 * does not end as a redirect.
 */

#include "ngx_http_leerpoort_directives.h"

#include "key_folder.h"
#include "ticket.h"

#define NGX_HTTP_LEERPOORT_TICKET_LIFE      60         /* s */
#define NGX_HTTP_LEERPOORT_TICKET_LIFE_MAX  (10 * 60)  /* s: far below
                                                   LP_FOLDER_AFTERLIFE */
#define NGX_HTTP_LEERPOORT_PARAMETER_MAX    32

typedef struct {
    int64_t       from;    /* Unix time; signs until the next one does */
    lp_signer_t  *signer;
} ngx_http_leerpoort_signer_t;

struct ngx_http_leerpoort_ticket_s {
    ngx_str_t     folder;
    lp_span_t     issuer;
    lp_span_t     parameter;
    time_t        life;
    ngx_uint_t    n;
    ngx_http_leerpoort_signer_t  signers[LP_FOLDER_KEYS_MAX];
};

/* What is said of the folder's files. */
typedef struct {
    ngx_conf_t   *cf;
    ngx_uint_t    exposed;
} ngx_http_leerpoort_heard_t;

static char *ngx_http_leerpoort_ticket_parameter(ngx_conf_t *cf,
    ngx_http_leerpoort_ticket_t *ticket, const ngx_str_t *value);
static char *ngx_http_leerpoort_ticket_keys(ngx_conf_t *cf,
    ngx_http_leerpoort_ticket_t *ticket);
static void ngx_http_leerpoort_ticket_heard(void *data, const char *path,
    const char *what, int left_out);
static char *ngx_http_leerpoort_ticket_signers(ngx_conf_t *cf,
    ngx_http_leerpoort_ticket_t *ticket, const lp_key_folder_t *folder);
static void ngx_http_leerpoort_ticket_no_key(ngx_conf_t *cf,
    ngx_str_t *folder, ngx_uint_t left_out);
static void ngx_http_leerpoort_ticket_free(void *data);
static ngx_int_t ngx_http_leerpoort_ticket_none(
    ngx_http_leerpoort_ctx_t *ctx, lp_outcome_t outcome, const char *why);
static lp_signer_t *ngx_http_leerpoort_ticket_signer(
    const ngx_http_leerpoort_ticket_t *ticket);


/* leerpoort_ticket off | keys=folder issuer=text [life=] [parameter=] */
char *
ngx_http_leerpoort_ticket(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_leerpoort_loc_conf_t *llcf = conf;

    char                         *rv;
    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_http_leerpoort_ticket_t  *ticket;

    if (llcf->ticket != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        llcf->ticket = NULL;
        return NGX_CONF_OK;
    }

    ticket = ngx_pcalloc(cf->pool, sizeof(ngx_http_leerpoort_ticket_t));
    if (ticket == NULL) {
        return NGX_CONF_ERROR;
    }

    ticket->life = NGX_HTTP_LEERPOORT_TICKET_LIFE;
    ticket->parameter = lp_span("ticket");

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_leerpoort_ticket_parameter(cf, ticket, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (ticket->folder.len == 0 || ticket->issuer.len == 0) {
        return "needs \"keys=\" and \"issuer=\"";
    }

    llcf->ticket = ticket;

    return ngx_http_leerpoort_ticket_keys(cf, ticket);
}


static char *
ngx_http_leerpoort_ticket_parameter(ngx_conf_t *cf,
    ngx_http_leerpoort_ticket_t *ticket, const ngx_str_t *value)
{
    size_t      n;
    u_char     *p;
    ngx_str_t   rest;
    ngx_uint_t  i;

    p = ngx_strlchr(value->data, value->data + value->len, '=');
    n = p ? (size_t) (p + 1 - value->data) : 0;
    rest.data = value->data + n;
    rest.len = value->len - n;

    if (n == 5 && ngx_strncmp(value->data, "keys=", n) == 0) {
        ticket->folder = rest;
        return rest.len > 0
               && ngx_conf_full_name(cf->cycle, &ticket->folder, 1) == NGX_OK
               ? NGX_CONF_OK : "needs \"keys=\" and \"issuer=\"";
    }

    if (n == 7 && ngx_strncmp(value->data, "issuer=", n) == 0) {
        ticket->issuer = ngx_http_leerpoort_span(&rest);
        return lp_ticket_text_valid(ticket->issuer)
               ? NGX_CONF_OK
               : "takes an \"issuer=\" of 1 to 256 visible characters";
    }

    if (n == 5 && ngx_strncmp(value->data, "life=", n) == 0) {
        ticket->life = ngx_parse_time(&rest, 1);
        return ticket->life >= 1
               && ticket->life <= NGX_HTTP_LEERPOORT_TICKET_LIFE_MAX
               ? NGX_CONF_OK : "takes a \"life=\" of 1s to 10m";
    }

    if (n == 10 && ngx_strncmp(value->data, "parameter=", n) == 0) {
        ticket->parameter = ngx_http_leerpoort_span(&rest);

        for (i = 0; i < rest.len; i++) {
            if (!isalnum(rest.data[i]) && rest.data[i] != '_'
                && rest.data[i] != '-')
            {
                break;
            }
        }

        return i > 0 && i == rest.len && i <= NGX_HTTP_LEERPOORT_PARAMETER_MAX
               ? NGX_CONF_OK
               : "takes a \"parameter=\" of 1 to 32 letters, digits, \"_\" "
                 "and \"-\"";
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown parameter \"%V\" of \"leerpoort_ticket\": it "
                       "knows keys=, issuer=, life= and parameter=", value);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_leerpoort_ticket_keys(ngx_conf_t *cf,
    ngx_http_leerpoort_ticket_t *ticket)
{
    int                          rc;
    char                        *rv;
    lp_key_folder_t              folder;
    ngx_pool_cleanup_t          *cln;
    ngx_http_leerpoort_heard_t   heard;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_leerpoort_ticket_free;
    cln->data = ticket;

    heard.cf = cf;
    heard.exposed = 0;

    rc = lp_key_folder_read(&folder, (char *) ticket->folder.data,
                            ngx_http_leerpoort_ticket_heard, &heard);

    if (rc != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "can't read the folder of keys \"%V\" of "
                           "\"leerpoort_ticket\"", &ticket->folder);
        rv = NGX_CONF_ERROR;

    } else {
        rv = heard.exposed
             ? NGX_CONF_ERROR
             : ngx_http_leerpoort_ticket_signers(cf, ticket, &folder);
    }

    lp_key_folder_free(&folder);

    return rv;
}


static void
ngx_http_leerpoort_ticket_heard(void *data, const char *path,
    const char *what, int left_out)
{
    ngx_http_leerpoort_heard_t *heard = data;

    heard->exposed |= !left_out;

    ngx_conf_log_error(left_out ? NGX_LOG_WARN : NGX_LOG_EMERG, heard->cf, 0,
                       "the key \"%s\" of \"leerpoort_ticket\" %s", path,
                       what);
}


/* Those that sign now or later. */
static char *
ngx_http_leerpoort_ticket_signers(ngx_conf_t *cf,
    ngx_http_leerpoort_ticket_t *ticket, const lp_key_folder_t *folder)
{
    int                           i;
    lp_alg_t                      alg;
    ngx_http_leerpoort_signer_t  *signer;

    i = lp_key_folder_signer(folder, ngx_time());

    if (i == -1) {
        ngx_http_leerpoort_ticket_no_key(cf, &ticket->folder,
                                         folder->left_out);
        return NGX_CONF_ERROR;
    }

    for ( /* void */ ; (unsigned) i < folder->n; i++) {
        signer = &ticket->signers[ticket->n];
        signer->from = folder->keys[i].from;
        signer->signer = lp_signer_create(&folder->keys[i].key,
                                          LP_TICKET_TYPE);

        if (signer->signer == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"leerpoort_ticket\" can't sign with the key "
                               "\"%s\" in \"%V\"",
                               folder->keys[i].key.kid, &ticket->folder);
            return NGX_CONF_ERROR;
        }

        ticket->n++;
        alg = lp_signer_alg(signer->signer);

        if (alg >= LP_ALG_RS256 && alg <= LP_ALG_PS512) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"leerpoort_ticket\" signs with %s, which "
                               "takes ten times as long as ES256 (the key "
                               "\"%s\" in \"%V\")", lp_alg_name(alg),
                               folder->keys[i].key.kid, &ticket->folder);
        }
    }

    return NGX_CONF_OK;
}


/* A rotation is refused while files are there that can't be used. */
static void
ngx_http_leerpoort_ticket_no_key(ngx_conf_t *cf, ngx_str_t *folder,
    ngx_uint_t left_out)
{
    if (left_out) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"leerpoort_ticket\" finds no key in \"%V\" that "
                           "signs today: mend or remove the files named "
                           "above", folder);
        return;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"leerpoort_ticket\" finds no key in \"%V\" that "
                       "signs today: \"leerpoort key rotate --keys %V "
                       "--alg ES256\" makes one", folder, folder);
}


static void
ngx_http_leerpoort_ticket_free(void *data)
{
    ngx_http_leerpoort_ticket_t *ticket = data;

    while (ticket->n > 0) {
        lp_signer_free(ticket->signers[--ticket->n].signer);
    }
}


/*
 * Puts a ticket for the audience into the Location of *len bytes, which has
 * room for LP_LOCATION_MAX. Where there can be none, NGX_DECLINED, and
 * ctx->outcome says how the click ends instead. A click that is to be activated
 * first gets none, but is told now if there can't be one later.
 */
ngx_int_t
ngx_http_leerpoort_ticket_add(ngx_http_leerpoort_ctx_t *ctx,
    lp_span_t audience, char *location, size_t *len)
{
    char                             text[LP_TICKET_MAX];
    lp_span_t                        written;
    lp_ticket_t                      fields;
    ngx_http_leerpoort_ticket_t     *ticket;
    ngx_http_leerpoort_loc_conf_t   *llcf;
    ngx_http_leerpoort_main_conf_t  *mcf;

    llcf = ngx_http_get_module_loc_conf(ctx->request,
                                        ngx_http_leerpoort_module);
    mcf = ngx_http_get_module_main_conf(ctx->request,
                                        ngx_http_leerpoort_module);
    ticket = llcf->ticket;

    if (ticket == NULL) {
        return ngx_http_leerpoort_ticket_none(ctx, LP_UNAVAILABLE,
                   "there is no leerpoort_ticket here, but its links must "
                   "have one");
    }

    if (!lp_ticket_text_valid(audience)) {
        return ngx_http_leerpoort_ticket_none(ctx, LP_UNKNOWN_MATERIAL,
                   "its ticket is for no audience: set it with \"leerpoort "
                   "product set --ticket\"");
    }

    if (ctx->outcome != LP_REDIRECT) {
        return NGX_OK;
    }

    fields.issuer = ticket->issuer;
    fields.audience = audience;
    fields.user.data = ctx->identity.users[0];
    fields.user.len = LP_USER_KEY_LEN;
    fields.school = ctx->school;
    fields.product = ctx->click.product;
    fields.entitlement.data = ctx->entitlement;
    fields.entitlement.len = ctx->entitled ? LP_ENTITLEMENT_LEN : 0;
    fields.employee = ctx->identity.employee;
    fields.now = ngx_time();
    fields.life = ticket->life;

    written.data = text;
    written.len = lp_ticket_write(text,
                                  ngx_http_leerpoort_ticket_signer(ticket),
                                  mcf->pepper, &fields);

    if (written.len == 0) {
        return ngx_http_leerpoort_ticket_none(ctx, LP_UNAVAILABLE,
                   "its ticket could not be signed");
    }

    if (lp_ticket_append(location, len, LP_LOCATION_MAX, ticket->parameter,
                         written)
        != 0)
    {
        return ngx_http_leerpoort_ticket_none(ctx, LP_UNKNOWN_MATERIAL,
                   "the link and its ticket together are too long");
    }

    ngx_http_leerpoort_count(tickets);

    return NGX_OK;
}


static ngx_int_t
ngx_http_leerpoort_ticket_none(ngx_http_leerpoort_ctx_t *ctx,
    lp_outcome_t outcome, const char *why)
{
    ctx->outcome = outcome;
    ngx_http_leerpoort_count(tickets_failed);
    ngx_http_leerpoort_complain(ctx, "the ticket of", why);

    return NGX_DECLINED;
}


/* The first one has begun, whatever a clock says that was put back. */
static lp_signer_t *
ngx_http_leerpoort_ticket_signer(const ngx_http_leerpoort_ticket_t *ticket)
{
    ngx_uint_t  i;

    i = ticket->n - 1;

    while (i > 0 && ticket->signers[i].from > ngx_time()) {
        i--;
    }

    return ticket->signers[i].signer;
}
