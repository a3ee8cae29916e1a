/*
 * Keys as JWKs (RFC 7517, 7518 section 6, 8037). A JWK's members are numbers in
 * base64url; OpenSSL takes and gives them by name. Which member is which
 * number stands in one table, read in both directions.
 */

#include "private_jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "base64url.h"
#include "json.h"

#define NUMBER_MAX    2048 /* bytes: RSA of 16384 bits */
#define ED25519_BYTES 32
#define EC_FIELD_MAX  66   /* bytes of a P-521 coordinate */

typedef struct {
    const char *member; /* of the JWK */
    const char *param;  /* of OpenSSL */
    int         is_private;
} number_t;

static const number_t rsa_numbers[] = {
    {"n", OSSL_PKEY_PARAM_RSA_N, 0},
    {"e", OSSL_PKEY_PARAM_RSA_E, 0},
    {"d", OSSL_PKEY_PARAM_RSA_D, 1},
    {"p", OSSL_PKEY_PARAM_RSA_FACTOR1, 1},
    {"q", OSSL_PKEY_PARAM_RSA_FACTOR2, 1},
    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1, 1},
    {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2, 1},
    {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1, 1},
};

#define N_RSA_NUMBERS (sizeof(rsa_numbers) / sizeof(rsa_numbers[0]))

static const lp_curve_t curves[] = {
    {"P-256", "prime256v1", LP_ALG_ES256, 32},
    {"P-384", "secp384r1", LP_ALG_ES384, 48},
    {"P-521", "secp521r1", LP_ALG_ES512, 66},
};

#define N_CURVES (sizeof(curves) / sizeof(curves[0]))

const lp_curve_t *
lp_curve_of_alg(lp_alg_t alg)
{
    unsigned i;

    for (i = 0; i < N_CURVES; i++) {
        if (curves[i].alg == alg) {
            return &curves[i];
        }
    }
    return NULL;
}

const lp_curve_t *
lp_curve_of_group(const char *group)
{
    unsigned i;

    for (i = 0; i < N_CURVES; i++) {
        if (strcmp(curves[i].group, group) == 0) {
            return &curves[i];
        }
    }
    return NULL;
}

/* Reading */

/* Decodes a string member; returns its length, 0 where it is not usable. */
static size_t
read_member(const json_t *jwk, const char *name, unsigned char *dst,
            size_t cap)
{
    const json_t *value = json_object_get(jwk, name);
    lp_span_t     text;
    size_t        len;

    if (!json_is_string(value)) {
        return 0;
    }
    text = lp_json_text(value);
    return lp_base64url_decode(dst, cap, &len, text) == 0 ? len : 0;
}

static BIGNUM *
read_number(const json_t *jwk, const char *name)
{
    unsigned char bytes[NUMBER_MAX];
    BIGNUM       *number;
    size_t        len;

    len = read_member(jwk, name, bytes, sizeof(bytes));
    if (len == 0) {
        return NULL;
    }
    number = BN_bin2bn(bytes, (int) len, NULL);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return number;
}

static EVP_PKEY *
pkey_from(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx;
    EVP_PKEY     *pkey = NULL;

    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (ctx == NULL || params == NULL || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

/* n, e and d must be there; the factors, which make it quick, all or none. */
static EVP_PKEY *
read_rsa(const json_t *jwk)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM     *params = NULL;
    EVP_PKEY       *pkey = NULL;
    BIGNUM         *numbers[N_RSA_NUMBERS] = {NULL};
    unsigned        i, n = 0;

    for (i = 0; build != NULL && i < N_RSA_NUMBERS; i++) {
        numbers[i] = read_number(jwk, rsa_numbers[i].member);
        if (numbers[i] == NULL) {
            break;
        }
        n += OSSL_PARAM_BLD_push_BN(build, rsa_numbers[i].param, numbers[i])
             == 1;
    }
    if (n == N_RSA_NUMBERS
        || (n == 3 && json_object_get(jwk, "p") == NULL
            && json_object_get(jwk, "q") == NULL)) {
        params = OSSL_PARAM_BLD_to_param(build);
        pkey = pkey_from("RSA", params);
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    for (i = 0; i < N_RSA_NUMBERS; i++) {
        BN_clear_free(numbers[i]);
    }
    return pkey;
}

static const lp_curve_t *
curve_of_jwk(const json_t *jwk)
{
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    unsigned    i;

    for (i = 0; crv != NULL && i < N_CURVES; i++) {
        if (strcmp(curves[i].crv, crv) == 0) {
            return &curves[i];
        }
    }
    return NULL;
}

/* The public point must be the private number's own. */
static int
is_pair(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    int           ok = ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static EVP_PKEY *
read_ec(const json_t *jwk)
{
    const lp_curve_t *curve = curve_of_jwk(jwk);
    OSSL_PARAM_BLD   *build;
    OSSL_PARAM       *params = NULL;
    EVP_PKEY         *pkey = NULL;
    BIGNUM           *d;
    unsigned char     point[1 + 2 * EC_FIELD_MAX];
    size_t            f;

    if (curve == NULL) {
        return NULL;
    }
    f = curve->field;
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    d = read_number(jwk, "d");
    build = OSSL_PARAM_BLD_new();
    if (d != NULL && build != NULL
        && read_member(jwk, "x", point + 1, f) == f
        && read_member(jwk, "y", point + 1 + f, f) == f
        && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
                                           curve->group, 0) == 1
        && OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY,
                                            point, 1 + 2 * f) == 1
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1) {
        params = OSSL_PARAM_BLD_to_param(build);
        pkey = pkey_from("EC", params);
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_clear_free(d);
    if (pkey != NULL && !is_pair(pkey)) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    return pkey;
}

static EVP_PKEY *
read_okp(const json_t *jwk)
{
    const char   *crv = json_string_value(json_object_get(jwk, "crv"));
    unsigned char d[ED25519_BYTES];
    EVP_PKEY     *pkey;

    if (crv == NULL || strcmp(crv, "Ed25519") != 0
        || read_member(jwk, "d", d, sizeof(d)) != sizeof(d)) {
        return NULL;
    }
    pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, d, sizeof(d));
    OPENSSL_cleanse(d, sizeof(d));
    return pkey;
}

int
lp_jwk_read(lp_private_key_t *key, const json_t *jwk)
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));

    key->is_private = 1;
    if (kty != NULL && strcmp(kty, "oct") == 0) {
        key->secret_len = read_member(jwk, "k", key->secret, LP_SECRET_MAX);
        return key->secret_len == 0 ? -1 : 0;
    }
    if (kty != NULL && strcmp(kty, "RSA") == 0) {
        key->pkey = read_rsa(jwk);
    } else if (kty != NULL && strcmp(kty, "EC") == 0) {
        key->pkey = read_ec(jwk);
    } else if (kty != NULL && strcmp(kty, "OKP") == 0) {
        key->pkey = read_okp(jwk);
    }
    return key->pkey == NULL ? -1 : 0;
}

/* Writing */

static int
set_bytes(json_t *jwk, const char *name, const unsigned char *bytes,
          size_t len)
{
    char   text[LP_BASE64URL_ENCODED(NUMBER_MAX)];
    size_t n = lp_base64url_encode(text, bytes, len);

    return json_object_set_new(jwk, name, json_stringn(text, n));
}

/* width 0: as many bytes as the number needs. */
static int
set_number(json_t *jwk, const char *name, EVP_PKEY *pkey, const char *param,
           size_t width)
{
    unsigned char bytes[NUMBER_MAX];
    BIGNUM       *number = NULL;
    size_t        len;
    int           rc = -1;

    if (EVP_PKEY_get_bn_param(pkey, param, &number) != 1) {
        return -1;
    }
    len = width == 0 ? (size_t) BN_num_bytes(number) : width;
    if (len <= sizeof(bytes)
        && BN_bn2binpad(number, bytes, (int) len) == (int) len) {
        rc = set_bytes(jwk, name, bytes, len);
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    BN_clear_free(number);
    return rc;
}

static int
write_rsa(json_t *jwk, EVP_PKEY *pkey, int with_private)
{
    unsigned i;
    int      rc;

    rc = json_object_set_new(jwk, "kty", json_string("RSA"));
    for (i = 0; rc == 0 && i < N_RSA_NUMBERS; i++) {
        if (with_private || !rsa_numbers[i].is_private) {
            rc = set_number(jwk, rsa_numbers[i].member, pkey,
                            rsa_numbers[i].param, 0);
        }
    }
    return rc;
}

static int
write_ec(json_t *jwk, EVP_PKEY *pkey, const lp_curve_t *curve,
         int with_private)
{
    int rc;

    rc = json_object_set_new(jwk, "kty", json_string("EC"));
    rc |= json_object_set_new(jwk, "crv", json_string(curve->crv));
    rc |= set_number(jwk, "x", pkey, OSSL_PKEY_PARAM_EC_PUB_X, curve->field);
    rc |= set_number(jwk, "y", pkey, OSSL_PKEY_PARAM_EC_PUB_Y, curve->field);
    if (with_private) {
        rc |= set_number(jwk, "d", pkey, OSSL_PKEY_PARAM_PRIV_KEY,
                         curve->field);
    }
    return rc;
}

static int
write_okp(json_t *jwk, EVP_PKEY *pkey, int with_private)
{
    unsigned char bytes[ED25519_BYTES];
    size_t        len = sizeof(bytes);
    int           rc;

    rc = json_object_set_new(jwk, "kty", json_string("OKP"));
    rc |= json_object_set_new(jwk, "crv", json_string("Ed25519"));
    if (EVP_PKEY_get_raw_public_key(pkey, bytes, &len) != 1) {
        return -1;
    }
    rc |= set_bytes(jwk, "x", bytes, len);
    if (with_private) {
        if (EVP_PKEY_get_raw_private_key(pkey, bytes, &len) != 1) {
            return -1;
        }
        rc |= set_bytes(jwk, "d", bytes, len);
        OPENSSL_cleanse(bytes, sizeof(bytes));
    }
    return rc;
}

static int
write_oct(json_t *jwk, const lp_private_key_t *key, int with_private)
{
    if (!with_private) {
        return -1;
    }
    return json_object_set_new(jwk, "kty", json_string("oct"))
           | set_bytes(jwk, "k", key->secret, key->secret_len);
}

static int
write_members(json_t *jwk, const lp_private_key_t *key, int with_private)
{
    const lp_curve_t *curve = lp_curve_of_alg(key->alg);

    if (key->alg == LP_ALG_HS256) {
        return write_oct(jwk, key, with_private);
    }
    if (key->alg == LP_ALG_EDDSA) {
        return write_okp(jwk, key->pkey, with_private);
    }
    if (curve != NULL) {
        return write_ec(jwk, key->pkey, curve, with_private);
    }
    return write_rsa(jwk, key->pkey, with_private);
}

json_t *
lp_jwk_write(const lp_private_key_t *key, int with_private)
{
    json_t *jwk = json_object();
    int     rc;

    rc = write_members(jwk, key, with_private);
    rc |= json_object_set_new(jwk, "alg",
                              json_string(lp_alg_name(key->alg)));
    rc |= json_object_set_new(jwk, "use", json_string("sig"));
    if (key->kid[0] != '\0') {
        rc |= json_object_set_new(jwk, "kid", json_string(key->kid));
    }
    if (rc != 0) {
        json_decref(jwk);
        return NULL;
    }
    return jwk;
}

/*
 * RFC 7638: SHA-256 over the required members alone, sorted, without spaces.
 * They are what write_members() writes without the private ones, but for oct.
 */
int
lp_jwk_thumbprint(lp_private_key_t *key)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    json_t       *jwk = json_object();
    char         *text = NULL;
    size_t        n;

    if (write_members(jwk, key, key->alg == LP_ALG_HS256) == 0) {
        text = json_dumps(jwk, JSON_SORT_KEYS | JSON_COMPACT);
    }
    json_decref(jwk);
    if (text == NULL) {
        return -1;
    }
    SHA256((const unsigned char *) text, strlen(text), hash);
    OPENSSL_cleanse(text, strlen(text));
    free(text);
    n = lp_base64url_encode(key->kid, hash, sizeof(hash));
    key->kid[n] = '\0';
    return 0;
}
