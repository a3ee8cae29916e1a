/*
 * Sessions as Redis has them (docs/data-model.md):
 *
 *     session:{NN}:<hash>  the session, under the hash of the browser's secret
 *     subs:{NN}:<hash>     sorted set: a subject's sessions at its provider
 *     sids:{NN}:<hash>     those of one sid; both by time of sign-in
 */

#ifndef LP_SESSION_STORE_H
#define LP_SESSION_STORE_H

#include "secret.h"
#include "sso.h"
#include "tokens_before.h"

#define LP_SESSIONS_MAX 50 /* of one subject; the oldest one makes room */
#define LP_INDEXES      2  /* subs:, sids: */

typedef enum { LP_BY_SUBJECT = 0, LP_BY_SID } lp_session_index_t;

/* A session's name: LP_SECRET_HASH_LEN characters. */
typedef struct {
    char text[LP_SECRET_HASH_LEN];
} lp_session_hash_t;

typedef struct {
    lp_session_hash_t hash;
    lp_owner_t        owner;
    char              provider[LP_PROVIDER_NAME_MAX + 1];
    int64_t           at;    /* sign-in: iat of its first token */
    int64_t           until; /* the end, whatever happens */
    int64_t           used;  /* iat of its last token */
    /* its places in the indexes; text[0] NUL: in none */
    lp_session_hash_t index[LP_INDEXES];
} lp_session_t;

/* Names; each returns the length, at most LP_KEY_MAX. */
size_t lp_session_key(char *dst, const lp_session_hash_t *hash);
size_t lp_session_index_key(char *dst, lp_session_index_t index,
                            const lp_session_hash_t *hash);

/* The name of a subject or sid of an issuer, keyed: they could be guessed. 0;
   -1: too long, or OpenSSL failed. */
int lp_session_index_hash(lp_session_hash_t *hash, lp_sso_t *sso,
                          lp_session_index_t index, lp_span_t issuer,
                          lp_span_t subject);

/* The session that the browser's cookie names. 0; -1: it has none. */
int lp_session_of_browser(lp_session_hash_t *hash, const lp_visit_t *visit);

/*
 * Adds WATCH and the question for a session: two replies. lp_session_read()
 * reads them, the first being the at-th of the run. 0; -1: there is no such
 * session, or it isn't whole. *who: what is sealed in it; lives as the reply.
 */
void lp_session_ask(lp_store_t *store, const lp_session_hash_t *hash);
int  lp_session_read(lp_session_t *session, lp_span_t *who,
                     const lp_store_t *store, const lp_session_hash_t *hash,
                     unsigned at);

/*
 * Ends sessions: they are deleted, and every token of their people is refused
 * that was issued before now, and those of the sessions themselves whenever
 * they were. Names that are no session any more are passed over; so are, where
 * without_sid, sessions that have a sid. OK, or why it is not known to be done;
 * doing it again is safe.
 */
lp_store_status_t lp_sessions_end(lp_sso_t *sso,
                                  const lp_session_hash_t *list, unsigned n,
                                  int without_sid);

/* Those of an index into list (room for LP_SESSIONS_MAX). */
lp_store_status_t lp_sessions_list(lp_sso_t *sso, lp_session_index_t index,
                                   const lp_session_hash_t *hash,
                                   lp_session_hash_t *list, unsigned *n);

/* Adds to a transaction the end of one alone. */
void lp_session_delete(lp_store_t *store, const lp_session_t *session);

#endif
