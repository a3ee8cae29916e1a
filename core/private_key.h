/*
 * Signing keys: private JWKs (RFC 7517, 7518, 8037) and PEM. Whoever signs has
 * one: the command, the token endpoint, sessions, launch tickets at the edge.
 */

#ifndef LP_PRIVATE_KEY_H
#define LP_PRIVATE_KEY_H

#include <openssl/evp.h>

#include "jwks.h"

#define LP_SECRET_MAX    512 /* bytes of an HS256 secret */
#define LP_SIGNATURE_MAX 2048 /* RSA of 16384 bits */
#define LP_KEY_TEXT_MAX  (64 * 1024) /* bytes of a key's file */

typedef struct {
    EVP_PKEY     *pkey; /* NULL: a shared secret */
    unsigned char secret[LP_SECRET_MAX];
    size_t        secret_len;
    int           is_private;
    lp_alg_t      alg; /* what it signs; never LP_ALG_UNKNOWN */
    char          kid[LP_KID_MAX + 1]; /* empty: none */
} lp_private_key_t;

/*
 * Reads a key's text, a JWK or PEM. alg: the algorithm asked for,
 * LP_ALG_UNKNOWN for the key's own (its "alg", else RS256, ES* by the curve,
 * EdDSA, HS256); kid: its name, NULL for its own. Refuses what no verifier of
 * ours would take. Returns 0; -1 with *reason, which stands behind the name of
 * the file ("is not one JSON object") and holds nothing of the key.
 * lp_private_key_free() must follow either way.
 */
int lp_private_key_read(lp_private_key_t *key, lp_span_t text, lp_alg_t alg,
                        const char *kid, const char **reason);

/*
 * Makes a key for alg; kid NULL: its thumbprint (RFC 7638).
 * Returns 0; -1 where kid is longer than LP_KID_MAX, or OpenSSL failed.
 * lp_private_key_free() must follow either way.
 */
int lp_private_key_new(lp_private_key_t *key, lp_alg_t alg, const char *kid);

void lp_private_key_free(lp_private_key_t *key);

/*
 * Signs text; dst has room for LP_SIGNATURE_MAX bytes. ES* gives raw r || s.
 * Returns the signature's length; 0 when OpenSSL failed.
 */
size_t lp_private_key_sign(const lp_private_key_t *key, unsigned char *dst,
                           lp_span_t text);

/* What signing with alg is made of, for lp_signer_t as well. */

/* The digest; NULL: EdDSA, which takes the text itself. */
const EVP_MD *lp_sign_digest(lp_alg_t alg);

/* Sets RSA's padding, where alg is RSA's. Returns 0 or -1. */
int lp_sign_padding(EVP_PKEY_CTX *ctx, lp_alg_t alg);

/* What OpenSSL made as a JWS has it: of ES*, DER to r || s (RFC 7518 section
   3.4). Returns its length, 0 on failure. */
size_t lp_sign_raw(unsigned char *dst, const unsigned char *made, size_t len,
                   lp_alg_t alg);

#endif
