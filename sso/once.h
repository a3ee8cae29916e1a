/*
 * What waits in Redis for a browser to come back with a secret: sealed, for a
 * while, under a hash of the secret, so that neither who reads Redis nor who
 * reads a log learns whom it is about.
 */

#ifndef LP_ONCE_H
#define LP_ONCE_H

#include "secret.h"
#include "sso.h"

#define LP_ONCE_TEXT_MAX 65536 /* bytes of the document as JSON */

/* Where somebody goes next, by a link in the frame; who links an account; what
   a teacher picks from; what was picked, with the answer. A secret of one opens
   none of the others. */
typedef enum {
    LP_ONCE_OPEN = 0,
    LP_ONCE_LINK,
    LP_ONCE_PICK,
    LP_ONCE_READY
} lp_once_t;

/*
 * Keeps document (an object, the caller's) under a new secret; secret: room
 * for LP_RANDOM_LEN + 1. OK, or the store's failure; LP_STORE_REFUSED too
 * where it is too long or can't be sealed.
 */
lp_store_status_t lp_once_put(lp_sso_t *sso, lp_once_t kind,
                              const json_t *document, char *secret);

/*
 * Reads it; take: and takes it out, so that a second one finds nothing. 1:
 * *document is set, json_decref() it; 0: unknown, old, used; -1: the store
 * failed.
 */
int lp_once_get(lp_sso_t *sso, lp_once_t kind, lp_span_t secret, int take,
                json_t **document);

#endif
