/*
 * One SSL_CTX for an engine, and a stack of sessions. Servers hand out tickets
 * behind the handshake, more than one with TLS 1.3; each arrives through
 * OpenSSL's callback and is put on the stack, the oldest falls out at the
 * bottom. Whoever resumes takes the newest. A session of TLS 1.3 is used once
 * (RFC 8446, appendix C.4); one of TLS 1.2 goes back onto the stack.
 */

#include "tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define SESSIONS 1024

struct lp_tls_s {
    SSL_CTX        *ctx;
    const lp_aim_t *aim;
    int             numeric; /* the name is an address */
    SSL_SESSION    *session[SESSIONS]; /* a ring */
    unsigned        top; /* where the next one goes */
    unsigned        n;
};

static int set_up(lp_tls_t *tls);
static int set_trust(lp_tls_t *tls);
static int keep_session(SSL *ssl, SSL_SESSION *session);
static SSL_SESSION *take_session(lp_tls_t *tls);
static int name_it(const lp_tls_t *tls, SSL *ssl);


lp_tls_t *
lp_tls_create(const lp_aim_t *aim)
{
    unsigned char address[sizeof(struct in6_addr)];
    lp_tls_t     *tls = calloc(1, sizeof(*tls));

    if (tls == NULL) {
        return NULL;
    }
    tls->aim = aim;
    tls->numeric = inet_pton(AF_INET, aim->name, address) == 1
                   || inet_pton(AF_INET6, aim->name, address) == 1;

    if (set_up(tls) != 0) {
        lp_tls_destroy(tls);
        return NULL;
    }
    return tls;
}


static int
set_up(lp_tls_t *tls)
{
    static const unsigned char http11[] = "\x08http/1.1";

    errno = ENOMEM;
    tls->ctx = SSL_CTX_new(TLS_client_method());
    if (tls->ctx == NULL
        || SSL_CTX_set_alpn_protos(tls->ctx, http11, sizeof(http11) - 1) != 0)
    {
        return -1;
    }

    SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE
                                   | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                                   | SSL_MODE_RELEASE_BUFFERS);
    /* many servers close without a word */
    SSL_CTX_set_options(tls->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(tls->ctx, 1);
    SSL_CTX_set_quiet_shutdown(tls->ctx, 1);
    SSL_CTX_set_session_cache_mode(tls->ctx,
                                   SSL_SESS_CACHE_CLIENT
                                       | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(tls->ctx, keep_session);
    SSL_CTX_set_app_data(tls->ctx, tls);

    return set_trust(tls);
}


static int
set_trust(lp_tls_t *tls)
{
    if (tls->aim->insecure && tls->aim->loopback) {
        SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_NONE, NULL);
        return 0;
    }

    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
    errno = ENOENT;
    if (tls->aim->ca != NULL) {
        return SSL_CTX_load_verify_file(tls->ctx, tls->aim->ca) == 1 ? 0 : -1;
    }
    return SSL_CTX_set_default_verify_paths(tls->ctx) == 1 ? 0 : -1;
}


void
lp_tls_destroy(lp_tls_t *tls)
{
    if (tls == NULL) {
        return;
    }
    while (tls->n > 0) {
        SSL_SESSION_free(take_session(tls));
    }
    SSL_CTX_free(tls->ctx);
    free(tls);
}


SSL *
lp_tls_open(lp_tls_t *tls, int fd, int resume)
{
    SSL         *ssl = SSL_new(tls->ctx);
    SSL_SESSION *session;

    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || name_it(tls, ssl) != 0) {
        SSL_free(ssl);
        return NULL;
    }

    if (resume && tls->n > 0) {
        session = take_session(tls);
        SSL_set_session(ssl, session);
        SSL_SESSION_free(session);
    }

    SSL_set_connect_state(ssl);
    return ssl;
}


/* An address is verified as one, and is no name to be sent (RFC 6066). */
static int
name_it(const lp_tls_t *tls, SSL *ssl)
{
    const char *name = tls->aim->name;

    if (tls->numeric) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1
               ? 0 : -1;
    }
    return SSL_set_tlsext_host_name(ssl, name) == 1
                   && SSL_set1_host(ssl, name) == 1
               ? 0 : -1;
}


int
lp_tls_opened(SSL *ssl)
{
    SSL_SESSION *session;

    if (!SSL_session_reused(ssl)) {
        return 0;
    }

    if (SSL_version(ssl) < TLS1_3_VERSION) {
        session = SSL_get1_session(ssl);
        if (session != NULL && !keep_session(ssl, session)) {
            SSL_SESSION_free(session);
        }
    }
    return 1;
}


void
lp_tls_close(SSL *ssl)
{
    /* without it OpenSSL holds that the session was broken off */
    if (SSL_is_init_finished(ssl)) {
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    ERR_clear_error();
}


/* 1: the reference is ours now. */
static int
keep_session(SSL *ssl, SSL_SESSION *session)
{
    lp_tls_t *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (!SSL_SESSION_is_resumable(session)) {
        return 0;
    }

    if (tls->n == SESSIONS) {
        SSL_SESSION_free(tls->session[tls->top]);
        tls->n--;
    }
    tls->session[tls->top] = session;
    tls->top = (tls->top + 1) % SESSIONS;
    tls->n++;
    return 1;
}


static SSL_SESSION *
take_session(lp_tls_t *tls)
{
    tls->top = (tls->top + SESSIONS - 1) % SESSIONS;
    tls->n--;
    return tls->session[tls->top];
}
