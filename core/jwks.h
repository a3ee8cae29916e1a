/*
 * Sets of verification keys (RFC 7517), read once and then read-only. Each key
 * is bound to one algorithm when it is loaded; a key that may not be used is
 * left out with a reason. Private members of a published key are ignored.
 */

#ifndef LP_JWKS_H
#define LP_JWKS_H

#include "alg.h"
#include "jose_error.h"

#define LP_JWKS_TEXT_MAX (256 * 1024) /* bytes of a JWKS document */
#define LP_JWKS_KEYS_MAX 64           /* keys in it */
#define LP_KID_MAX       256          /* bytes of a key id */

typedef struct lp_jwks_s lp_jwks_t;
typedef struct lp_key_s  lp_key_t;

/*
 * Hears of each key that was left out: its place in the set (from 0) and a
 * sentence. The sentence holds no key material and no text from the document.
 */
typedef void (*lp_jwks_refused_pt)(void *data, size_t index,
                                   const char *reason);

/*
 * Reads a JWKS document.
 * algs: what the issuer may use. A key with "alg" is bound to that algorithm;
 * one without to the first of algs that fits its type and curve. A key that
 * fits none of algs is left out; an "oct" key only ever serves HS256.
 * Left out as well: RSA below 2048 or above 16384 bits, an even exponent or one
 * below 65537, points off the curve, use other than "sig", key_ops
 * without "verify", HS256 secrets below 32 bytes, every key whose kid occurs
 * twice, unknown types and curves, members of a wrong type.
 * refused: may be NULL.
 * Returns NULL when the document is no JWKS or holds no usable key; then
 * *reason is a sentence (static text). Free with lp_jwks_free().
 */
lp_jwks_t *lp_jwks_parse(lp_span_t text, const lp_algs_t *algs,
                         lp_jwks_refused_pt refused, void *data,
                         const char **reason);

void lp_jwks_free(lp_jwks_t *jwks);

size_t lp_jwks_count(const lp_jwks_t *jwks);

/* 1 where a key of the set is a shared secret (HS256). */
int lp_jwks_has_secret(const lp_jwks_t *jwks);

/*
 * The key that must have signed: the one with this kid, or, where kid.data is
 * NULL, the only one bound to alg. Sets *key.
 * Returns LP_JOSE_OK, _KEY_UNKNOWN, _KEY_AMBIGUOUS or _KEY_ALG.
 */
lp_jose_error_t lp_jwks_find(const lp_jwks_t *jwks, lp_span_t kid,
                             lp_alg_t alg, const lp_key_t **key);

/*
 * Checks a signature made with the key's own algorithm over signed_text, which
 * is header, dot and payload as they were sent (RFC 7515 section 5.2).
 * ES* signatures are raw r || s of exactly twice the field's length.
 * Returns LP_JOSE_OK, _SIGNATURE or _MEMORY. Leaves no OpenSSL error queued.
 * Not for two threads at once on one set.
 */
lp_jose_error_t lp_key_verify(const lp_key_t *key, lp_span_t signed_text,
                              const unsigned char *signature, size_t len);

#endif
