/*
 * A secret is random, so that a plain hash of it is enough. The salt says what
 * the secret is for: one of a sign-in is not one of a launch.
 */

#include "secret.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "../core/base64url.h"
#include "../core/keys.h"

#define RANDOM_BYTES 32
#define HASH_SIZE    32
#define HASH_BYTES   16 /* of them are kept */

int
lp_random(char *dst)
{
    unsigned char bytes[RANDOM_BYTES];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return -1;
    }
    dst[lp_base64url_encode(dst, bytes, sizeof(bytes))] = '\0';
    return 0;
}

int
lp_secret_hash(char *dst, const char *salt, lp_span_t secret)
{
    unsigned char digest[HASH_SIZE];
    EVP_MD_CTX   *context = EVP_MD_CTX_new();
    int           made;

    made = context != NULL
           && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1
           && EVP_DigestUpdate(context, salt, strlen(salt)) == 1
           && EVP_DigestUpdate(context, secret.data, secret.len) == 1
           && EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    if (!made) {
        return -1;
    }
    lp_base64url_encode(dst, digest, HASH_BYTES);
    return 0;
}

size_t
lp_secret_key(char *dst, const char *kind, const char *salt, lp_span_t secret)
{
    char hash[LP_SECRET_HASH_LEN];

    return lp_secret_hash(hash, salt, secret) == 0
               ? lp_key_of(dst, kind, (lp_span_t) {hash, sizeof(hash)}) : 0;
}
