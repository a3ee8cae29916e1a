/*
 * TLS as a browser does it: the name is sent and verified, HTTP/1.1 is asked
 * for, and sessions are kept to be resumed.
 */

#ifndef LP_LOAD_TLS_H
#define LP_LOAD_TLS_H

#include <openssl/ssl.h>

#include "engine.h"

typedef struct lp_tls_s lp_tls_t;

/* NULL: the CA file can't be read, or out of memory; errno says which. */
lp_tls_t *lp_tls_create(const lp_aim_t *aim);
void lp_tls_destroy(lp_tls_t *tls);

/* On a socket, before the handshake. resume: with one of the sessions that are
   kept, where there is one. NULL: out of memory. */
SSL *lp_tls_open(lp_tls_t *tls, int fd, int resume);

/* The handshake is done. Returns 1 where a session was resumed. */
int lp_tls_opened(SSL *ssl);

/* Says nothing to the other side, as browsers do; the session stays good. */
void lp_tls_close(SSL *ssl);

#endif
