/*
 * Secrets that browsers carry, and what stands in Redis for them: a hash, so
 * that who reads Redis can't come back as anybody.
 */

#ifndef LP_SECRET_H
#define LP_SECRET_H

#include "../core/span.h"

#define LP_RANDOM_LEN      43 /* characters: 32 bytes in base64url */
#define LP_SECRET_HASH_LEN 22

/* A new secret: LP_RANDOM_LEN characters and a NUL; -1: OpenSSL failed. */
int lp_random(char *dst);

/* LP_SECRET_HASH_LEN characters of a SHA-256 of salt and secret, without a
   NUL. Returns 0, -1. */
int lp_secret_hash(char *dst, const char *salt, lp_span_t secret);

/* lp_key_of() of the kind and the hash. Returns the length; 0: OpenSSL
   failed. */
size_t lp_secret_key(char *dst, const char *kind, const char *salt,
                     lp_span_t secret);

#endif
