/*
 * A seller's session with the API: an access token that is renewed before it
 * ends, and requests that carry it.
 */

#ifndef LP_SELLER_SESSION_H
#define LP_SELLER_SESSION_H

#include "../workers/http_client.h"

/* What entitlements of a run are for; `seed` puts it in the catalogue. */
#define LP_SELLER_PRODUCT "load-api-0001"

typedef struct {
    const char *url;       /* of the edge; http only to this machine */
    const char *client_id;
    const char *key;       /* a private key: JWK or PEM */
    const char *token_url; /* the audience of assertions, and where tokens are
                              asked for; NULL: url + "/oauth/token" */
    const char *ca;        /* PEM; NULL: the system's */
} lp_seller_options_t;

typedef struct lp_session_s lp_session_t;

/*
 * Gets the first token, which may take some seconds; the options must live on.
 * total_ms: for one exchange. NULL after lp_say().
 */
lp_session_t *lp_session_open(const lp_seller_options_t *options,
                              long total_ms);
void lp_session_close(lp_session_t *session);

/*
 * Sends a body to a path of the API; done is called from lp_session_run().
 * Returns 0; -1: out of memory.
 */
int lp_session_send(lp_session_t *session, const char *method,
                    const char *path, const char *type, lp_span_t body,
                    lp_http_done_t done, void *owner);

/* Works on what was sent, waits up to wait_ms, renews the token where that is
   due. */
void lp_session_run(lp_session_t *session, int wait_ms);

/* The token was refused: another one is asked for. */
void lp_session_refused(lp_session_t *session);

/* Requests that have not ended, those for tokens not counted. */
unsigned lp_session_running(const lp_session_t *session);

#endif
