/*
 * Keys that sign: where they come from, which algorithms they fit, and the
 * signature itself.
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

#include "input.h"
#include "private_jwk.h"
#include "say.h"

#define KEY_FILE_MAX (64 * 1024)
#define RSA_BITS_MIN 2048
#define RSA_BITS_NEW 2048
#define SECRET_MIN   32 /* bytes, RFC 7518 section 3.2 */

static int
is_rsa_alg(lp_alg_t alg)
{
    return alg >= LP_ALG_RS256 && alg <= LP_ALG_PS512;
}

static int
is_pss(lp_alg_t alg)
{
    return alg >= LP_ALG_PS256 && alg <= LP_ALG_PS512;
}

static const EVP_MD *
digest_of(lp_alg_t alg)
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

static int
read_kid(lp_private_key_t *key, const char *kid)
{
    size_t len = kid == NULL ? 0 : strlen(kid);

    if (len > LP_KID_MAX) {
        lp_say("a kid has at most %d bytes", LP_KID_MAX);
        return -1;
    }
    memcpy(key->kid, kid == NULL ? "" : kid, len + 1);
    return 0;
}

static int
load_jwk(lp_private_key_t *key, lp_span_t text, const char *path,
         lp_alg_t *own)
{
    json_t     *jwk;
    const char *alg;
    int         rc;

    jwk = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(jwk)) {
        lp_say("%s is not one JSON object", path);
        json_decref(jwk);
        return -1;
    }
    alg = json_string_value(json_object_get(jwk, "alg"));
    if (alg != NULL) {
        *own = lp_alg_find(lp_span_of(alg));
    }
    rc = lp_jwk_read(key, jwk);
    if (rc != 0) {
        lp_say("%s is not a private JWK of a type that we sign with (RSA, "
               "P-256, P-384, P-521, Ed25519, oct), or its members do not "
               "belong together", path);
    }
    if (rc == 0) {
        rc = read_kid(key, json_string_value(json_object_get(jwk, "kid")));
    }
    json_decref(jwk);
    return rc;
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

static int
load_pem(lp_private_key_t *key, lp_span_t text, const char *path)
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
    if (key->pkey == NULL) {
        lp_say("%s is neither a JWK nor a PEM key without a password", path);
        return -1;
    }
    return 0;
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

static int
choose_alg(lp_private_key_t *key, const char *path, lp_alg_t alg)
{
    lp_alg_t fits = default_alg(key);

    if (fits == LP_ALG_UNKNOWN) {
        lp_say("%s is a key of a type or curve that we do not sign with",
               path);
        return -1;
    }
    key->alg = alg == LP_ALG_UNKNOWN ? fits : alg;
    if (key->alg != fits && !(fits == LP_ALG_RS256 && is_rsa_alg(key->alg))) {
        lp_say("%s is a key for %s, not for %s", path, lp_alg_name(fits),
               lp_alg_name(key->alg));
        return -1;
    }
    if (fits == LP_ALG_RS256
        && EVP_PKEY_get_bits(key->pkey) < RSA_BITS_MIN) {
        lp_say("%s: RSA keys of less than %d bits are refused everywhere",
               path, RSA_BITS_MIN);
        return -1;
    }
    if (fits == LP_ALG_HS256 && key->secret_len < SECRET_MIN) {
        lp_say("%s: a secret for HS256 has at least %d bytes", path,
               SECRET_MIN);
        return -1;
    }
    return 0;
}

int
lp_private_key_load(lp_private_key_t *key, const char *path, lp_alg_t alg,
                    const char *kid)
{
    lp_input_t text;
    lp_alg_t   own = LP_ALG_UNKNOWN;
    size_t     blank;
    int        rc;

    memset(key, 0, sizeof(*key));
    if (lp_input_file(&text, path, KEY_FILE_MAX) != 0) {
        return -1;
    }
    blank = strspn(text.bytes, " \t\r\n");
    rc = text.bytes[blank] == '{'
             ? load_jwk(key, lp_input_span(&text), path, &own)
             : load_pem(key, lp_input_span(&text), path);
    lp_input_free(&text);
    if (rc == 0) {
        rc = choose_alg(key, path, alg == LP_ALG_UNKNOWN ? own : alg);
    }
    if (rc == 0 && kid != NULL) {
        rc = read_kid(key, kid);
    }
    return rc;
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
        lp_say("OpenSSL could not make a key");
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

/* DER to r || s, each padded to the field's width: RFC 7518 section 3.4. */
static size_t
raw_signature(unsigned char *dst, const unsigned char *der, size_t len,
              size_t field)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long) len);
    size_t     n = 0;

    if (sig != NULL
        && BN_bn2binpad(ECDSA_SIG_get0_r(sig), dst, (int) field) > 0
        && BN_bn2binpad(ECDSA_SIG_get0_s(sig), dst + field, (int) field) > 0) {
        n = 2 * field;
    }
    ECDSA_SIG_free(sig);
    return n;
}

static int
start_signing(EVP_MD_CTX *ctx, const lp_private_key_t *key)
{
    EVP_PKEY_CTX *pkey_ctx = NULL;

    if (EVP_DigestSignInit(ctx, &pkey_ctx, digest_of(key->alg), NULL,
                           key->pkey) != 1) {
        return -1;
    }
    if (!is_pss(key->alg)) {
        return 0;
    }
    if (EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING) != 1
        || EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, RSA_PSS_SALTLEN_DIGEST)
               != 1) {
        return -1;
    }
    return 0;
}

static size_t
sign_with_pkey(const lp_private_key_t *key, unsigned char *dst, lp_span_t text)
{
    const lp_curve_t *curve = lp_curve_of_alg(key->alg);
    EVP_MD_CTX       *ctx = EVP_MD_CTX_new();
    unsigned char     made[LP_SIGNATURE_MAX];
    size_t            len = sizeof(made);

    if (ctx == NULL || start_signing(ctx, key) != 0
        || EVP_DigestSign(ctx, made, &len, (const unsigned char *) text.data,
                          text.len) != 1) {
        len = 0;
    }
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    if (len > 0 && curve != NULL) {
        return raw_signature(dst, made, len, curve->field);
    }
    memcpy(dst, made, len);
    return len;
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
