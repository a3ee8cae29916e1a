/*
 * The key that signs session tokens: the first of a JWKS file of shared secrets
 * (HS256), which the edge reads too. To change it, put a new one behind the
 * first; when every edge has read it, make it the first; when the last token of
 * the old one has ended, take that out.
 */

#ifndef LP_SESSION_KEY_H
#define LP_SESSION_KEY_H

#include "../core/private_key.h"

typedef struct lp_session_key_s lp_session_key_t;

/* NULL: out of memory. Nothing is read yet. */
lp_session_key_t *lp_session_key_create(void);

/* Wipes and frees; NULL is none. */
void lp_session_key_destroy(lp_session_key_t *key);

/*
 * The key that signs now. The file is looked at once a second; one that can't
 * be used, or that others than its owner may read, is said and leaves the key
 * that was read before. NULL: there is none. Good until the next call.
 */
const lp_private_key_t *lp_session_key_signer(lp_session_key_t *key,
                                              const char *path);

#endif
