/*
 * Sessions: who has signed in, in this browser. Two things make one:
 *
 * - the session token, a JWS (HS256) that lives some minutes, in the cookie
 *   __Host-leerpoort; the edge checks it like any other token, without Redis;
 * - the session itself, in Redis, under the hash of a secret in the cookie
 *   __Host-leerpoort-session. It holds the ids, sealed. When the token has run
 *   out, a click is sent to /sso/login, finds the session and comes back with
 *   a new token: no provider is asked, nobody sees a screen.
 *
 * So a session can slide, be listed, and be ended from elsewhere; and the edge
 * need know nothing of that.
 *
 * A session ends: where its person signs out in this browser; a provider's
 * back-channel logout; where "lifetime" has passed since the sign-in, or "idle"
 * since the end of the last token; where its provider is taken out of sso.json;
 * and where an operator revoked the person's tokens after the sign-in
 * (tokens_before.h says how that is told from a sign-out elsewhere).
 */

#ifndef LP_SESSION_H
#define LP_SESSION_H

#include "sso.h"

typedef struct {
    const lp_provider_t *provider;
    lp_span_t            subject; /* sub of the id_token */
    lp_span_t            sid;     /* len 0: none */
    lp_span_t            id_token; /* for end_session; sealed; len 0: none */
} lp_session_origin_t;

/*
 * Begins a session in place of the browser's former one, and adds the cookies
 * to the answer. LP_STORE_OK, or the store's failure: then no cookie was added.
 * LP_STORE_REFUSED too where no token can be signed, and where every token of
 * the person is refused for now ("!" lies ahead, or can't be read): whoever
 * were sent back to a click would come again and again.
 */
lp_store_status_t lp_session_begin(lp_visit_t *visit, const lp_who_t *who,
                                   const lp_session_origin_t *origin);

typedef enum {
    LP_SESSION_NONE = 0, /* no session, or one that has ended */
    LP_SESSION_RENEWED,  /* the cookies are in the answer */
    LP_SESSION_FAILED    /* Redis; or no token can be signed */
} lp_session_renewal_t;

/* A new token for the session that the browser has. who: NULL, or whose it is.
   */
lp_session_renewal_t lp_session_renew(lp_visit_t *visit, lp_who_t *who);

/*
 * A session token for who, valid for life seconds, into dst (room for
 * LP_TOKEN_MAX + 1, NUL-terminated). issued: not before the user's "!". Claims:
 * iss, aud, iat, exp, jti; ids, school and role as lp_who_json(). Returns the
 * length; 0: the key can't be read, or OpenSSL failed.
 */
size_t lp_session_token(lp_sso_t *sso, const lp_who_t *who, int64_t life,
                        int64_t issued, char *dst);

/* Unix time at which a token for who may be issued: now, or a little later
   where "!" says so. LP_STORE_REFUSED: none may be, as above. */
lp_store_status_t lp_session_issue_at(lp_sso_t *sso, const lp_who_t *who,
                                      int64_t *at);

#endif
