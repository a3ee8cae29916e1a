/*
 * Signing with OpenSSL, for tests only.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "base64url.h"
#include "minting.h"

char *
mint_text(const char *format, ...)
{
    int     len;
    char   *text;
    va_list args;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert_true(len >= 0);

    text = malloc((size_t) len + 1);
    assert_non_null(text);

    va_start(args, format);
    len = vsnprintf(text, (size_t) len + 1, format, args);
    va_end(args);
    assert_true(len >= 0);

    return text;
}


char *
mint_part(const void *bytes, size_t len)
{
    char  *part;
    size_t n;

    part = malloc(LP_BASE64URL_ENCODED(len) + 1);
    assert_non_null(part);

    n = lp_base64url_encode(part, bytes, len);
    part[n] = '\0';

    return part;
}


EVP_PKEY *
mint_new_key(lp_alg_t alg)
{
    EVP_PKEY      *key;
    unsigned char  secret[32];

    switch (alg) {

    case LP_ALG_ES256:
        key = EVP_EC_gen("P-256");
        break;

    case LP_ALG_ES384:
        key = EVP_EC_gen("P-384");
        break;

    case LP_ALG_ES512:
        key = EVP_EC_gen("P-521");
        break;

    case LP_ALG_EDDSA:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        break;

    case LP_ALG_HS256:
        assert_int_equal(RAND_bytes(secret, sizeof(secret)), 1);
        key = mint_secret(secret, sizeof(secret));
        break;

    default:
        key = EVP_RSA_gen(2048);
    }

    assert_non_null(key);

    return key;
}


EVP_PKEY *
mint_key(lp_alg_t alg)
{
    static EVP_PKEY *keys[LP_ALGS];

    if (keys[alg] == NULL) {
        keys[alg] = mint_new_key(alg);
    }

    return keys[alg];
}


EVP_PKEY *
mint_secret(const void *bytes, size_t len)
{
    EVP_PKEY *key;

    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, bytes, len);
    assert_non_null(key);

    return key;
}


static char *
bn_part(EVP_PKEY *key, const char *name, size_t size)
{
    char          *part;
    BIGNUM        *bn;
    unsigned char  bytes[2048];

    bn = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &bn), 1);

    if (size == 0) {
        size = (size_t) BN_num_bytes(bn);
    }

    assert_int_equal(BN_bn2binpad(bn, bytes, (int) size), (int) size);
    BN_free(bn);

    part = mint_part(bytes, size);

    return part;
}


/* Two members, both base64url; either may be NULL in the end. */
static char *
jwk_of(const char *members, const char *kind, const char *name1, char *part1,
       const char *name2, char *part2)
{
    char *jwk;

    jwk = part2 == NULL
              ? mint_text("{%s%s,\"%s\":\"%s\"}", members, kind, name1, part1)
              : mint_text("{%s%s,\"%s\":\"%s\",\"%s\":\"%s\"}", members, kind,
                          name1, part1, name2, part2);
    free(part1);
    free(part2);

    return jwk;
}


char *
mint_jwk(EVP_PKEY *key, const char *members)
{
    size_t         size;
    const char    *kind;
    unsigned char  raw[64];

    size = sizeof(raw);

    if (EVP_PKEY_is_a(key, "RSA")) {
        return jwk_of(members, "\"kty\":\"RSA\"",
                      "n", bn_part(key, OSSL_PKEY_PARAM_RSA_N, 0),
                      "e", bn_part(key, OSSL_PKEY_PARAM_RSA_E, 0));
    }

    if (EVP_PKEY_is_a(key, "ED25519")) {
        assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &size), 1);
        return jwk_of(members, "\"kty\":\"OKP\",\"crv\":\"Ed25519\"",
                      "x", mint_part(raw, size), NULL, NULL);
    }

    if (EVP_PKEY_is_a(key, "HMAC")) {
        assert_int_equal(EVP_PKEY_get_raw_private_key(key, raw, &size), 1);
        return jwk_of(members, "\"kty\":\"oct\"", "k", mint_part(raw, size),
                      NULL, NULL);
    }

    size = (size_t) (EVP_PKEY_get_bits(key) + 7) / 8;
    kind = size == 32   ? "\"kty\":\"EC\",\"crv\":\"P-256\""
           : size == 48 ? "\"kty\":\"EC\",\"crv\":\"P-384\""
                        : "\"kty\":\"EC\",\"crv\":\"P-521\"";

    return jwk_of(members, kind,
                  "x", bn_part(key, OSSL_PKEY_PARAM_EC_PUB_X, size),
                  "y", bn_part(key, OSSL_PKEY_PARAM_EC_PUB_Y, size));
}


static const EVP_MD *
digest_of(lp_alg_t alg)
{
    switch (alg) {

    case LP_ALG_EDDSA:
        return NULL;

    case LP_ALG_RS384:
    case LP_ALG_PS384:
    case LP_ALG_ES384:
        return EVP_sha384();

    case LP_ALG_RS512:
    case LP_ALG_PS512:
    case LP_ALG_ES512:
        return EVP_sha512();

    default:
        return EVP_sha256();
    }
}


/* DER to r || s, in place. */
static size_t
raw_ecdsa(unsigned char *sig, size_t len, EVP_PKEY *key)
{
    int                  size;
    ECDSA_SIG           *parsed;
    const unsigned char *p;

    p = sig;
    size = (EVP_PKEY_get_bits(key) + 7) / 8;

    parsed = d2i_ECDSA_SIG(NULL, &p, (long) len);
    assert_non_null(parsed);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(parsed), sig, size), size);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(parsed), sig + size, size),
                     size);
    ECDSA_SIG_free(parsed);

    return 2 * (size_t) size;
}


size_t
mint_signature(unsigned char *sig, EVP_PKEY *key, lp_alg_t alg,
               const char *text, size_t len)
{
    size_t        sig_len;
    EVP_MD_CTX   *ctx;
    EVP_PKEY_CTX *options;

    sig_len = 2048;
    ctx = EVP_MD_CTX_new();
    assert_non_null(ctx);
    assert_int_equal(EVP_DigestSignInit(ctx, &options, digest_of(alg), NULL,
                                        key), 1);

    if (alg == LP_ALG_PS256 || alg == LP_ALG_PS384 || alg == LP_ALG_PS512) {
        assert_int_equal(
            EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(
            EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST),
            1);
    }

    assert_int_equal(EVP_DigestSign(ctx, sig, &sig_len,
                                    (const unsigned char *) text, len), 1);
    EVP_MD_CTX_free(ctx);

    if (EVP_PKEY_is_a(key, "EC")) {
        sig_len = raw_ecdsa(sig, sig_len, key);
    }

    return sig_len;
}


char *
mint_token_bytes(EVP_PKEY *key, lp_alg_t alg, lp_span_t header,
                 lp_span_t payload)
{
    char          *a, *b, *c, *text, *token;
    size_t         len;
    unsigned char  sig[2048];

    a = mint_part(header.data, header.len);
    b = mint_part(payload.data, payload.len);
    text = mint_text("%s.%s", a, b);

    len = mint_signature(sig, key, alg, text, strlen(text));
    c = mint_part(sig, len);
    token = mint_text("%s.%s", text, c);

    free(c);
    free(text);
    free(b);
    free(a);

    return token;
}


char *
mint_token(EVP_PKEY *key, lp_alg_t alg, const char *header,
           const char *payload)
{
    return mint_token_bytes(key, alg, lp_span_of(header),
                            lp_span_of(payload));
}
