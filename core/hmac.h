/*
 * HMAC-SHA256 with a key that stays: for HS256 and for user keys.
 */

#ifndef LP_HMAC_H
#define LP_HMAC_H

#include <openssl/evp.h>

#include "span.h"

#define LP_HMAC_SIZE 32 /* bytes */

/*
 * Returns a context keyed with key, which is copied; NULL when OpenSSL failed.
 * EVP_MAC_CTX_free() wipes the key and frees.
 */
EVP_MAC_CTX *lp_hmac_create(lp_span_t key);

/*
 * Writes the LP_HMAC_SIZE bytes of the MAC over n parts, one after the other.
 * Returns 0; -1 when OpenSSL failed. Leaves no OpenSSL error queued.
 */
int lp_hmac(unsigned char *dst, EVP_MAC_CTX *ctx, const lp_span_t *parts,
            unsigned n);

#endif
