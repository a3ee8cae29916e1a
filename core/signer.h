/*
 * A key that signs many compact JWSs (RFC 7515) with one header: whatever is
 * alike in all of them is made once, so that each costs little more than its
 * signature.
 */

#ifndef LP_SIGNER_H
#define LP_SIGNER_H

#include "private_key.h"

typedef struct lp_signer_s lp_signer_t;

/*
 * The header is {"alg", "kid", "typ"}. The key may be freed afterwards.
 * Returns NULL where it is a shared secret or public, or OpenSSL or memory
 * failed. To be freed by lp_signer_free().
 */
lp_signer_t *lp_signer_create(const lp_private_key_t *key, const char *typ);

void lp_signer_free(lp_signer_t *signer);

lp_alg_t lp_signer_alg(const lp_signer_t *signer);

/*
 * Writes the JWS of a payload, no NUL. cap: room at dst. Returns the length; 0
 * where it does not fit or OpenSSL failed. Leaves no OpenSSL error queued. Not
 * for two threads at once; after a fork(), each process for itself.
 */
size_t lp_signer_write(lp_signer_t *signer, char *dst, size_t cap,
                       lp_span_t payload);

#endif
