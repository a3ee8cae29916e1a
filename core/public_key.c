/*
 * Public keys out of JWKs. OpenSSL checks much, but not all: it accepts RSA
 * exponents that we do not, and any 32 bytes as an Ed25519 key, among
 * them the points of small order, for which anybody can make signatures.
 */

#include "public_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "base64url.h"
#include "json.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 16384 /* OPENSSL_RSA_MAX_MODULUS_BITS */
#define RSA_E_MIN    17 /* bits: 65537, as NIST SP 800-56B section 6.2 asks */
#define RSA_E_MAX    64
#define EC_SIZE_MAX  66 /* P-521 */
#define ED25519_SIZE 32

static const char *rsa_weakness(const BIGNUM *n, const BIGNUM *e);
static OSSL_PARAM *rsa_params(const BIGNUM *n, const BIGNUM *e);
static EVP_PKEY *sound_key(const char *type, OSSL_PARAM *params);
static int ed25519_sound(const unsigned char *key);
static int ed25519_strong(const BIGNUM *t, const BIGNUM *p, BN_CTX *ctx);

static const char unsound[] = "The key is not sound: a point off its curve, "
                              "or a modulus that OpenSSL refuses.";

int
lp_jwk_bytes(unsigned char *dst, size_t *len, const json_t *jwk,
             const char *name)
{
    json_t   *member;
    lp_span_t text;

    member = json_object_get(jwk, name);
    if (!json_is_string(member)) {
        return -1;
    }

    text = lp_json_text(member);

    if (text.len == 0) {
        return -1;
    }

    return lp_base64url_decode(dst, LP_JWK_BYTES_MAX, len, text);
}


EVP_PKEY *
lp_public_key_rsa(const json_t *jwk, const char **reason)
{
    size_t         n_len, e_len;
    BIGNUM        *n, *e;
    EVP_PKEY      *key;
    OSSL_PARAM    *params;
    unsigned char  n_bytes[LP_JWK_BYTES_MAX], e_bytes[LP_JWK_BYTES_MAX];

    if (lp_jwk_bytes(n_bytes, &n_len, jwk, "n") != 0
        || lp_jwk_bytes(e_bytes, &e_len, jwk, "e") != 0)
    {
        *reason = "n or e is absent, not strict base64url, or too long.";
        return NULL;
    }

    key = NULL;
    params = NULL;
    n = BN_bin2bn(n_bytes, (int) n_len, NULL);
    e = BN_bin2bn(e_bytes, (int) e_len, NULL);

    if (n == NULL || e == NULL) {
        *reason = "Memory ran out.";
        goto out;
    }

    *reason = rsa_weakness(n, e);
    if (*reason != NULL) {
        goto out;
    }

    params = rsa_params(n, e);
    key = params == NULL ? NULL : sound_key("RSA", params);
    *reason = key == NULL ? unsound : NULL;

out:

    OSSL_PARAM_free(params);
    BN_free(e);
    BN_free(n);

    return key;
}


static const char *
rsa_weakness(const BIGNUM *n, const BIGNUM *e)
{
    if (BN_num_bits(n) < RSA_BITS_MIN) {
        return "The RSA modulus is shorter than 2048 bits.";
    }

    if (BN_num_bits(n) > RSA_BITS_MAX) {
        return "The RSA modulus is longer than 16384 bits.";
    }

    if (!BN_is_odd(n)) {
        return "The RSA modulus is even.";
    }

    if (!BN_is_odd(e)) {
        return "The RSA exponent is even.";
    }

    if (BN_num_bits(e) > RSA_E_MAX) {
        return "The RSA exponent is longer than 64 bits.";
    }

    if (BN_num_bits(e) < RSA_E_MIN) {
        return "The RSA exponent is below 65537.";
    }

    return NULL;
}


static OSSL_PARAM *
rsa_params(const BIGNUM *n, const BIGNUM *e)
{
    OSSL_PARAM     *params;
    OSSL_PARAM_BLD *builder;

    builder = OSSL_PARAM_BLD_new();
    if (builder == NULL) {
        return NULL;
    }

    params = NULL;

    if (OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1
        && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
    {
        params = OSSL_PARAM_BLD_to_param(builder);
    }

    OSSL_PARAM_BLD_free(builder);

    return params;
}


/* Makes the key and lets OpenSSL check all that it can. */
static EVP_PKEY *
sound_key(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY     *key;
    EVP_PKEY_CTX *maker, *checker;

    key = NULL;
    checker = NULL;

    maker = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (maker == NULL || EVP_PKEY_fromdata_init(maker) != 1
        || EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        goto out;
    }

    checker = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (checker == NULL || EVP_PKEY_public_check(checker) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }

out:

    EVP_PKEY_CTX_free(checker);
    EVP_PKEY_CTX_free(maker);

    return key;
}


EVP_PKEY *
lp_public_key_ec(const json_t *jwk, const char *group, size_t size,
                 const char **reason)
{
    char          name[16];
    size_t        x_len, y_len;
    EVP_PKEY     *key;
    OSSL_PARAM    params[3];
    unsigned char x[LP_JWK_BYTES_MAX], y[LP_JWK_BYTES_MAX];
    unsigned char point[1 + 2 * EC_SIZE_MAX];

    /* RFC 7518 section 6.2.1.2: leading zeros are not left out */
    if (lp_jwk_bytes(x, &x_len, jwk, "x") != 0
        || lp_jwk_bytes(y, &y_len, jwk, "y") != 0
        || x_len != size || y_len != size || size > EC_SIZE_MAX
        || strlen(group) >= sizeof(name))
    {
        *reason = "x or y is absent, not strict base64url, or not of the "
                  "length that the curve asks for.";
        return NULL;
    }

    point[0] = 0x04; /* uncompressed: SEC 1 section 2.3.3 */
    memcpy(point + 1, x, size);
    memcpy(point + 1 + size, y, size);
    memcpy(name, group, strlen(group) + 1);

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
                                                 name, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                                  point, 1 + 2 * size);
    params[2] = OSSL_PARAM_construct_end();

    key = sound_key("EC", params);
    *reason = key == NULL ? unsound : NULL;

    return key;
}


EVP_PKEY *
lp_public_key_ed25519(const json_t *jwk, const char **reason)
{
    size_t        len;
    EVP_PKEY     *key;
    unsigned char x[LP_JWK_BYTES_MAX];

    if (lp_jwk_bytes(x, &len, jwk, "x") != 0 || len != ED25519_SIZE) {
        *reason = "x is absent or not 32 bytes of strict base64url.";
        return NULL;
    }

    if (!ed25519_sound(x)) {
        *reason = "The Ed25519 key is no point of the curve, or one of small "
                  "order.";
        return NULL;
    }

    key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, len);
    *reason = key == NULL ? unsound : NULL;

    return key;
}


/*
 * RFC 8032 section 5.1.3: a key is y, little endian, and the sign of x in the
 * highest bit. 1 where y < p = 2^255 - 19 and ed25519_strong() agrees; 0
 * otherwise, also when memory runs out.
 */
static int
ed25519_sound(const unsigned char *key)
{
    int           sound;
    BIGNUM       *y, *p;
    BN_CTX       *ctx;
    unsigned char bytes[ED25519_SIZE];

    memcpy(bytes, key, ED25519_SIZE);
    bytes[ED25519_SIZE - 1] &= 0x7f;

    sound = 0;
    p = BN_new();
    ctx = BN_CTX_new();
    y = BN_lebin2bn(bytes, ED25519_SIZE, NULL);

    if (p != NULL && ctx != NULL && y != NULL && BN_set_bit(p, 255) == 1
        && BN_sub_word(p, 19) == 1 && BN_cmp(y, p) < 0
        && BN_mod_sqr(y, y, p, ctx) == 1)
    {
        sound = ed25519_strong(y, p, ctx);
    }

    BN_free(y);
    BN_CTX_free(ctx);
    BN_free(p);

    return sound;
}


/*
 * t: y^2. The curve is -x^2 + y^2 = 1 + d x^2 y^2 with d = -121665/121666, so
 * x^2 = 121666 (t - 1) / (121666 - 121665 t), which must be a square; the
 * product has the same Legendre symbol as the quotient.
 * Points of order 1 and 2 have t = 1; of order 4, t = 0; of order 8, a double
 * of order 4, hence x^2 = -y^2 and 121665 t^2 - 243332 t + 121666 = 0.
 */
static int
ed25519_strong(const BIGNUM *t, const BIGNUM *p, BN_CTX *ctx)
{
    int     ok;
    BIGNUM *a, *b;

    if (BN_is_zero(t) || BN_is_one(t)) {
        return 0;
    }

    BN_CTX_start(ctx);
    a = BN_CTX_get(ctx);
    b = BN_CTX_get(ctx);

    /* a = 121665 t - 243332, then a t + 121666 */
    ok = b != NULL && BN_copy(a, t) != NULL && BN_mul_word(a, 121665) == 1
         && BN_sub_word(a, 243332) == 1 && BN_mod_mul(a, a, t, p, ctx) == 1
         && BN_add_word(a, 121666) == 1 && BN_nnmod(a, a, p, ctx) == 1
         && !BN_is_zero(a);

    /* a = 121666 (t - 1), b = 121665 t - 121666 with the sign turned */
    ok = ok && BN_copy(a, t) != NULL && BN_sub_word(a, 1) == 1
         && BN_mul_word(a, 121666) == 1 && BN_copy(b, t) != NULL
         && BN_mul_word(b, 121665) == 1 && BN_sub_word(b, 121666) == 1
         && BN_mod_mul(a, a, b, p, ctx) == 1 && BN_sub(a, p, a) == 1
         && BN_kronecker(a, p, ctx) == 1;

    BN_CTX_end(ctx);

    return ok;
}
