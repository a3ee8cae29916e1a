/*
 * Leerpoort's own signing keys: a folder with a private JWK for each, and
 * jwks.json, the public ones, which the edge reads and the world may fetch. A
 * new key is published first and signs later; an old one signs no more and
 * is published until the last token that it signed has ended.
 */

#ifndef LP_KEY_RING_H
#define LP_KEY_RING_H

#include <stdint.h>

#include "../core/private_key.h"

typedef struct lp_key_ring_s lp_key_ring_t;

/* NULL, and *reason: no folder, or no key that may sign. */
lp_key_ring_t *lp_key_ring_open(const char *folder, const char **reason);

/* NULL is none. */
void lp_key_ring_close(lp_key_ring_t *ring);

/* The key that signs at now; the folder is looked at again when it changed.
   NULL: none. Good until the next call. */
const lp_private_key_t *lp_key_ring_signer(lp_key_ring_t *ring, int64_t now);

#endif
