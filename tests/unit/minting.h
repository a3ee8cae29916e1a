/*
 * Keys, key sets and tokens for the tests: the signing half, which core/ does
 * not have. A failure in here fails the test that asked. What is returned
 * is freed with free() or EVP_PKEY_free().
 */

#ifndef MINTING_H
#define MINTING_H

#include <openssl/evp.h>

#include "alg.h"

/* printf into memory. */
char *mint_text(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* base64url of some bytes. */
char *mint_part(const void *bytes, size_t len);

/*
 * A key for alg; RSA of 2048 bits; for HS256 a secret of 32 bytes. The first
 * is new; the second is the same at each call, and not to be freed.
 */
EVP_PKEY *mint_new_key(lp_alg_t alg);
EVP_PKEY *mint_key(lp_alg_t alg);

EVP_PKEY *mint_secret(const void *bytes, size_t len);

/* The public JWK (for a secret, the JWK) with members, as "\"kid\":\"a\",". */
char *mint_jwk(EVP_PKEY *key, const char *members);

/* Signs as RFC 7518 says; sig has room for 2048 bytes. Returns its length. */
size_t mint_signature(unsigned char *sig, EVP_PKEY *key, lp_alg_t alg,
                      const char *text, size_t len);

/* A compact token of a header and a payload, as they stand. */
char *mint_token(EVP_PKEY *key, lp_alg_t alg, const char *header,
                 const char *payload);
char *mint_token_bytes(EVP_PKEY *key, lp_alg_t alg, lp_span_t header,
                       lp_span_t payload);

#endif
