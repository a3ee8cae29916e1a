/*
 * Signing keys as JWKs, in both directions.
 */

#ifndef LP_PRIVATE_JWK_H
#define LP_PRIVATE_JWK_H

#include <jansson.h>

#include "private_key.h"

typedef struct {
    const char *crv;   /* RFC 7518's name */
    const char *group; /* OpenSSL's */
    lp_alg_t    alg;
    size_t      field; /* bytes of a coordinate */
} lp_curve_t;

/* NULL where alg is no ES*, or the group none of theirs. */
const lp_curve_t *lp_curve_of_alg(lp_alg_t alg);
const lp_curve_t *lp_curve_of_group(const char *group);

/*
 * Sets pkey or secret from a private JWK. Returns 0; -1 where it is none, or
 * its members do not belong together.
 */
int lp_jwk_read(lp_private_key_t *key, const json_t *jwk);

/*
 * The key as a JWK, with its private members or without. NULL where it can't be
 * written: memory, a kid that is not UTF-8, or the public half of a secret.
 * A new reference.
 */
json_t *lp_jwk_write(const lp_private_key_t *key, int with_private);

/* Sets the key's kid to its thumbprint (RFC 7638). Returns 0 or -1. */
int lp_jwk_thumbprint(lp_private_key_t *key);

#endif
