/*
 * Keys that sign: how they are read and made, which algorithms they fit, and
 * the signature itself.
 */

#include "private_key.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "private_jwk.h"

#define TEXT(number)    TEXT_OF(number)
#define TEXT_OF(number) #number

#define RSA_BITS_MIN 2048
#define RSA_BITS_NEW 2048
#define SECRET_MIN   32 /* bytes, RFC 7518 section 3.2 */

static const char long_kid[] = "has a kid of more than " TEXT(LP_KID_MAX)
                               " bytes";

static int
is_rsa_alg(lp_alg_t alg)
{
    return alg >= LP_ALG_RS256 && alg <= LP_ALG_PS512;
}

static int
read_kid(lp_private_key_t *key, const char *kid)
{
    size_t len = kid == NULL ? 0 : strlen(kid);

    if (len > LP_KID_MAX) {
        return -1;
    }
    memcpy(key->kid, kid == NULL ? "" : kid, len + 1);
    return 0;
}

/* These return NULL, or what is wrong, to stand behind the file's name. */

static const char *
read_jwk(lp_private_key_t *key, lp_span_t text, lp_alg_t *own)
{
    json_t     *jwk;
    const char *alg, *wrong = NULL;

    jwk = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(jwk)) {
        json_decref(jwk);
        return "is not one JSON object";
    }
    alg = json_string_value(json_object_get(jwk, "alg"));
    if (alg != NULL) {
        *own = lp_alg_find(lp_span_of(alg));
    }
    if (lp_jwk_read(key, jwk) != 0) {
        wrong = "is not a private JWK of a type that we sign with (RSA, P-256,"
                " P-384, P-521, Ed25519, oct), or its members do not belong "
                "together";
    } else if (read_kid(key,
                        json_string_value(json_object_get(jwk, "kid")))
               != 0) {
        wrong = long_kid;
    }
    json_decref(jwk);
    return wrong;
}

/* Reading PEM. */

/* An encrypted file is refused: nobody sits there to type its password. */
static int
no_password(char *dst, int cap, int writing, void *data) /* NOLINT */
{
    (void) dst;
    (void) cap;
    (void) writing;
    (void) data;
    return -1;
}

static const char *
read_pem(lp_private_key_t *key, lp_span_t text)
{
    BIO *bio = BIO_new_mem_buf(text.data, (int) text.len);

    key->is_private = 1;
    key->pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    if (key->pkey == NULL && bio != NULL) {
        key->is_private = 0;
        (void) BIO_reset(bio);
        key->pkey = PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
    }
    BIO_free(bio);
    ERR_clear_error();
    return key->pkey == NULL
               ? "is neither a JWK nor a PEM key without a password"
               : NULL;
}

/* Which algorithms a key fits. */

static lp_alg_t
default_alg(const lp_private_key_t *key)
{
    const lp_curve_t *curve;
    char              group[32];

    if (key->pkey == NULL) {
        return LP_ALG_HS256;
    }
    if (EVP_PKEY_is_a(key->pkey, "RSA")) {
        return LP_ALG_RS256;
    }
    if (EVP_PKEY_is_a(key->pkey, "ED25519")) {
        return LP_ALG_EDDSA;
    }
    if (EVP_PKEY_is_a(key->pkey, "EC")
        && EVP_PKEY_get_group_name(key->pkey, group, sizeof(group), NULL)
               == 1) {
        curve = lp_curve_of_group(group);
        return curve == NULL ? LP_ALG_UNKNOWN : curve->alg;
    }
    return LP_ALG_UNKNOWN;
}

/* Of an algorithm asked for that the key does not fit. */
static const char *const is_for[LP_ALGS] = {
    [LP_ALG_RS256] = "is a key for RS* and PS*, not for that algorithm",
    [LP_ALG_ES256] = "is a key for ES256, not for that algorithm",
    [LP_ALG_ES384] = "is a key for ES384, not for that algorithm",
    [LP_ALG_ES512] = "is a key for ES512, not for that algorithm",
    [LP_ALG_EDDSA] = "is a key for EdDSA, not for that algorithm",
    [LP_ALG_HS256] = "is a key for HS256, not for that algorithm",
};

static const char *
choose_alg(lp_private_key_t *key, lp_alg_t alg)
{
    lp_alg_t fits = default_alg(key);

    if (fits == LP_ALG_UNKNOWN) {
        return "is a key of a type or curve that we do not sign with";
    }
    key->alg = alg == LP_ALG_UNKNOWN ? fits : alg;
    if (key->alg != fits && !(fits == LP_ALG_RS256 && is_rsa_alg(key->alg))) {
        return is_for[fits];
    }
    if (fits == LP_ALG_RS256
        && EVP_PKEY_get_bits(key->pkey) < RSA_BITS_MIN) {
        return "is an RSA key of less than " TEXT(RSA_BITS_MIN)
               " bits, which is refused everywhere";
    }
    if (fits == LP_ALG_HS256 && key->secret_len < SECRET_MIN) {
        return "is too short: a secret for HS256 has at least "
               TEXT(SECRET_MIN) " bytes";
    }
    return NULL;
}

/* A JWK begins with a brace. */
static int
is_json(lp_span_t text)
{
    size_t i = 0;

    while (i < text.len && strchr(" \t\r\n", text.data[i]) != NULL
           && text.data[i] != '\0') {
        i++;
    }
    return i < text.len && text.data[i] == '{';
}

int
lp_private_key_read(lp_private_key_t *key, lp_span_t text, lp_alg_t alg,
                    const char *kid, const char **reason)
{
    lp_alg_t own = LP_ALG_UNKNOWN;

    memset(key, 0, sizeof(*key));
    *reason = text.len > LP_KEY_TEXT_MAX ? "is too long for a key"
              : is_json(text)            ? read_jwk(key, text, &own)
                                         : read_pem(key, text);
    if (*reason == NULL) {
        *reason = choose_alg(key, alg == LP_ALG_UNKNOWN ? own : alg);
    }
    if (*reason == NULL && kid != NULL && read_kid(key, kid) != 0) {
        *reason = long_kid;
    }
    return *reason == NULL ? 0 : -1;
}

/* Making keys. */

static EVP_PKEY *
generate(lp_alg_t alg)
{
    const lp_curve_t *curve = lp_curve_of_alg(alg);

    if (is_rsa_alg(alg)) {
        return EVP_RSA_gen(RSA_BITS_NEW);
    }
    if (curve != NULL) {
        return EVP_EC_gen(curve->group);
    }
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

int
lp_private_key_new(lp_private_key_t *key, lp_alg_t alg, const char *kid)
{
    int ok;

    memset(key, 0, sizeof(*key));
    key->alg = alg;
    key->is_private = 1;
    if (alg == LP_ALG_HS256) {
        key->secret_len = SECRET_MIN;
        ok = RAND_bytes(key->secret, SECRET_MIN) == 1;
    } else {
        key->pkey = generate(alg);
        ok = key->pkey != NULL;
    }
    if (!ok) {
        ERR_clear_error();
        return -1;
    }
    return kid == NULL ? lp_jwk_thumbprint(key) : read_kid(key, kid);
}

void
lp_private_key_free(lp_private_key_t *key)
{
    EVP_PKEY_free(key->pkey);
    OPENSSL_cleanse(key, sizeof(*key));
}

/* Signing. */

const EVP_MD *
lp_sign_digest(lp_alg_t alg)
{
    switch (alg) {
    case LP_ALG_RS384:
    case LP_ALG_PS384:
    case LP_ALG_ES384:
        return EVP_sha384();
    case LP_ALG_RS512:
    case LP_ALG_PS512:
    case LP_ALG_ES512:
        return EVP_sha512();
    case LP_ALG_EDDSA:
        return NULL;
    default:
        return EVP_sha256();
    }
}

int
lp_sign_padding(EVP_PKEY_CTX *ctx, lp_alg_t alg)
{
    if (!is_rsa_alg(alg)) {
        return 0;
    }
    if (alg < LP_ALG_PS256) {
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 ? 0
                                                                         : -1;
    }
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1
                   && EVP_PKEY_CTX_set_rsa_pss_saltlen(
                          ctx, RSA_PSS_SALTLEN_DIGEST)
                          == 1
               ? 0
               : -1;
}

size_t
lp_sign_raw(unsigned char *dst, const unsigned char *made, size_t len,
            lp_alg_t alg)
{
    const lp_curve_t *curve = lp_curve_of_alg(alg);
    ECDSA_SIG        *sig;
    size_t            n = 0;

    if (curve == NULL) {
        memcpy(dst, made, len);
        return len;
    }
    sig = d2i_ECDSA_SIG(NULL, &made, (long) len);
    if (sig != NULL
        && BN_bn2binpad(ECDSA_SIG_get0_r(sig), dst, (int) curve->field) > 0
        && BN_bn2binpad(ECDSA_SIG_get0_s(sig), dst + curve->field,
                        (int) curve->field)
               > 0) {
        n = 2 * curve->field;
    }
    ECDSA_SIG_free(sig);
    return n;
}

static size_t
sign_with_pkey(const lp_private_key_t *key, unsigned char *dst, lp_span_t text)
{
    EVP_MD_CTX   *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pkey_ctx = NULL;
    unsigned char made[LP_SIGNATURE_MAX];
    size_t        len = sizeof(made);

    if (ctx == NULL
        || EVP_DigestSignInit(ctx, &pkey_ctx, lp_sign_digest(key->alg), NULL,
                              key->pkey)
               != 1
        || lp_sign_padding(pkey_ctx, key->alg) != 0
        || EVP_DigestSign(ctx, made, &len, (const unsigned char *) text.data,
                          text.len)
               != 1) {
        len = 0;
    }
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return len == 0 ? 0 : lp_sign_raw(dst, made, len, key->alg);
}

size_t
lp_private_key_sign(const lp_private_key_t *key, unsigned char *dst,
                    lp_span_t text)
{
    unsigned len = 0;

    if (key->pkey != NULL) {
        return sign_with_pkey(key, dst, text);
    }
    if (HMAC(EVP_sha256(), key->secret, (int) key->secret_len,
             (const unsigned char *) text.data, text.len, dst, &len) == NULL) {
        return 0;
    }
    return len;
}
