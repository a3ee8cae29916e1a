/*
 * From the members of a JWK (RFC 7517, 7518 section 6, 8037) to a public key
 * that OpenSSL can use, for keys strong and sound enough to be believed.
 * Part of jwks.c's work, apart because each type has its own arithmetic.
 */

#ifndef LP_PUBLIC_KEY_H
#define LP_PUBLIC_KEY_H

#include <jansson.h>
#include <openssl/evp.h>

/* Bytes of the longest member: an RSA modulus of 16384 bits and some zeros. */
#define LP_JWK_BYTES_MAX 2112

/*
 * Decodes the member called name into dst (room for LP_JWK_BYTES_MAX) and sets
 * *len. Returns 0; -1 when it is absent, no string, not strict base64url, empty
 * or too long.
 */
int lp_jwk_bytes(unsigned char *dst, size_t *len, const json_t *jwk,
                 const char *name);

/*
 * Each returns a key, to be freed with EVP_PKEY_free(), or NULL and *reason, a
 * sentence (static text). They may leave errors in OpenSSL's queue.
 *
 * RSA: 2048 to 16384 bits, odd; the exponent odd, 65537 to 64 bits.
 */
EVP_PKEY *lp_public_key_rsa(const json_t *jwk, const char **reason);

/* group: OpenSSL's name of the curve; size: bytes of a coordinate. */
EVP_PKEY *lp_public_key_ec(const json_t *jwk, const char *group, size_t size,
                           const char **reason);

/* Ed25519: canonical, on the curve, not one of the points of small order. */
EVP_PKEY *lp_public_key_ed25519(const json_t *jwk, const char **reason);

#endif
