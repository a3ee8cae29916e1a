/*
 * Key sets, and the check of a signature.
 *
 * What OpenSSL can do once is done when the set is read: digests are fetched,
 * padding is set, each key has a context that is ready to verify. RS256 then
 * takes 19.8 us instead of 23.6 with an initialisation for each token (PS256
 * 21.3 for 26.4, ES256 48.8 for 54.6; a context copied for each token lies
 * between the two), and nothing is allocated. Ed25519 has no digest to be
 * taken beforehand; its context is copied each time, which costs it nothing
 * that can be measured.
 */

#include "jwks.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "hmac.h"
#include "json.h"
#include "public_key.h"

#define SECRET_MIN   32  /* bytes: RFC 7518 section 3.2 */
#define EC_SIZE_MAX  66  /* bytes of a coordinate: P-521 */
#define EC_DER_MAX   144 /* SEQUENCE of two INTEGERs of 67 bytes */
#define ED25519_SIGN 64

struct lp_key_s {
    lp_alg_t      alg;
    int           has_kid;
    size_t        kid_len;
    char          kid[LP_KID_MAX];

    size_t        signature_len;
    EVP_PKEY     *pkey;
    EVP_MD       *md;
    EVP_MD_CTX   *hash;   /* Ed25519: a template's copy */
    EVP_PKEY_CTX *verify; /* RSA, EC */
    EVP_MD_CTX   *oneshot; /* Ed25519: the template */
    EVP_MAC_CTX  *mac;    /* HS256 */
};

struct lp_jwks_s {
    size_t   n;
    lp_key_t keys[];
};

/* What a key must be like for an algorithm. */
typedef struct {
    const char *kty;
    const char *crv;    /* NULL: has none */
    const char *digest; /* NULL: needs none */
    const char *group;  /* EC: OpenSSL's name of the curve */
    size_t      size;   /* EC: bytes of a coordinate */
} alg_key_t;

static const alg_key_t alg_keys[LP_ALGS] = {
    [LP_ALG_RS256] = {"RSA", NULL, "SHA256", NULL, 0},
    [LP_ALG_RS384] = {"RSA", NULL, "SHA384", NULL, 0},
    [LP_ALG_RS512] = {"RSA", NULL, "SHA512", NULL, 0},
    [LP_ALG_PS256] = {"RSA", NULL, "SHA256", NULL, 0},
    [LP_ALG_PS384] = {"RSA", NULL, "SHA384", NULL, 0},
    [LP_ALG_PS512] = {"RSA", NULL, "SHA512", NULL, 0},
    [LP_ALG_ES256] = {"EC", "P-256", "SHA256", "prime256v1", 32},
    [LP_ALG_ES384] = {"EC", "P-384", "SHA384", "secp384r1", 48},
    [LP_ALG_ES512] = {"EC", "P-521", "SHA512", "secp521r1", 66},
    [LP_ALG_EDDSA] = {"OKP", "Ed25519", NULL, NULL, 0},
    [LP_ALG_HS256] = {"oct", NULL, NULL, NULL, 0},
};

static json_t *read_document(lp_span_t text, lp_json_memory_t **memory,
                             const char **reason);
static int kid_is_shared(const json_t *keys, size_t index);
static const char *read_key(lp_key_t *key, const json_t *jwk,
                            const lp_algs_t *algs);
static const char *read_purpose(const json_t *jwk);
static const char *read_key_ops(const json_t *ops);
static const char *read_kid(lp_key_t *key, const json_t *jwk);
static const char *bind_alg(lp_key_t *key, const json_t *jwk,
                            const lp_algs_t *algs);
static int alg_fits(lp_alg_t alg, const char *kty, const char *crv);
static const char *read_material(lp_key_t *key, const json_t *jwk);
static const char *read_secret(lp_key_t *key, const json_t *jwk);
static const char *prepare(lp_key_t *key);
static int prepare_padding(const lp_key_t *key);
static void drop_key(lp_key_t *key);
static lp_jose_error_t verify_digest(const lp_key_t *key, lp_span_t text,
                                     const unsigned char *signature,
                                     size_t len);
static size_t ecdsa_der(unsigned char *der, const unsigned char *raw,
                        size_t size);
static size_t der_integer(unsigned char *der, const unsigned char *bytes,
                          size_t size);
static lp_jose_error_t verify_oneshot(const lp_key_t *key, lp_span_t text,
                                      const unsigned char *signature,
                                      size_t len);
static lp_jose_error_t verify_mac(const lp_key_t *key, lp_span_t text,
                                  const unsigned char *signature);
static lp_jose_error_t failure(void);

static const char no_memory[] = "Memory ran out.";

lp_jwks_t *
lp_jwks_parse(lp_span_t text, const lp_algs_t *algs,
              lp_jwks_refused_pt refused, void *data, const char **reason)
{
    size_t            i, n;
    json_t           *document, *keys;
    lp_jwks_t        *jwks;
    const char       *why;
    lp_json_memory_t *memory;

    document = read_document(text, &memory, reason);
    if (document == NULL) {
        return NULL;
    }

    keys = json_object_get(document, "keys");
    n = json_array_size(keys);

    jwks = calloc(1, sizeof(lp_jwks_t) + n * sizeof(lp_key_t));
    if (jwks == NULL) {
        *reason = no_memory;
        lp_json_release(memory);
        return NULL;
    }

    for (i = 0; i < n; i++) {

        why = kid_is_shared(keys, i)
                  ? "Another key of the set has the same kid."
                  : read_key(&jwks->keys[jwks->n], json_array_get(keys, i),
                             algs);
        if (why == NULL) {
            jwks->n++;
            continue;
        }

        drop_key(&jwks->keys[jwks->n]);

        if (refused != NULL) {
            refused(data, i, why);
        }
    }

    lp_json_release(memory);
    ERR_clear_error();

    if (jwks->n == 0) {
        *reason = "The set holds no key that may be used.";
        lp_jwks_free(jwks);
        return NULL;
    }

    return jwks;
}


/* The whole document, with an array "keys" of 1 to LP_JWKS_KEYS_MAX. */
static json_t *
read_document(lp_span_t text, lp_json_memory_t **memory, const char **reason)
{
    json_t          *document, *keys;
    lp_json_error_t  error;

    if (text.len > LP_JWKS_TEXT_MAX) {
        *reason = "The document is longer than 256 KB.";
        return NULL;
    }

    document = lp_json_read(text, memory, &error);

    if (document == NULL) {
        *reason = error == LP_JSON_MEMORY ? no_memory
                  : error == LP_JSON_TWICE
                      ? "A member stands in the document twice."
                      : "The document is not a JSON object.";
        return NULL;
    }

    keys = json_object_get(document, "keys");

    if (!json_is_array(keys)) {
        *reason = "The document is no key set: it has no array \"keys\".";

    } else if (json_array_size(keys) == 0) {
        *reason = "The set is empty.";

    } else if (json_array_size(keys) > LP_JWKS_KEYS_MAX) {
        *reason = "The set holds more than 64 keys.";

    } else {
        return document;
    }

    lp_json_release(*memory);

    return NULL;
}


/* Also when the other key is of no use: which one is meant is not ours to
   guess. */
static int
kid_is_shared(const json_t *keys, size_t index)
{
    size_t        i;
    const json_t *kid, *other;

    kid = json_object_get(json_array_get(keys, index), "kid");
    if (!json_is_string(kid)) {
        return 0;
    }

    for (i = 0; i < json_array_size(keys); i++) {
        other = json_object_get(json_array_get(keys, i), "kid");

        if (i != index && json_equal(kid, other)) {
            return 1;
        }
    }

    return 0;
}


/* Fills key, which is all zero. Returns NULL, or why it may not be used: then
   drop_key() gives back what it holds. */
static const char *
read_key(lp_key_t *key, const json_t *jwk, const lp_algs_t *algs)
{
    const char *why;

    if (!json_is_object(jwk)) {
        return "The key is not a JSON object.";
    }

    why = read_purpose(jwk);

    if (why == NULL) {
        why = read_kid(key, jwk);
    }

    if (why == NULL) {
        why = bind_alg(key, jwk, algs);
    }

    if (why == NULL) {
        why = read_material(key, jwk);
    }

    if (why == NULL && key->pkey != NULL) {
        why = prepare(key);
    }

    return why;
}


/* RFC 7517 sections 4.2 and 4.3. */
static const char *
read_purpose(const json_t *jwk)
{
    json_t *use, *ops;

    use = json_object_get(jwk, "use");

    if (use != NULL && !json_is_string(use)) {
        return "use is not a string.";
    }

    if (use != NULL && strcmp(json_string_value(use), "sig") != 0) {
        return "The key is not for signatures: use is not \"sig\".";
    }

    ops = json_object_get(jwk, "key_ops");

    return ops == NULL ? NULL : read_key_ops(ops);
}


static const char *
read_key_ops(const json_t *ops)
{
    int         verify;
    size_t      i;
    const char *op;

    if (!json_is_array(ops)) {
        return "key_ops is not an array.";
    }

    verify = 0;

    for (i = 0; i < json_array_size(ops); i++) {

        op = json_string_value(json_array_get(ops, i));
        if (op == NULL) {
            return "key_ops holds something that is not a string.";
        }

        verify |= strcmp(op, "verify") == 0;
    }

    return verify ? NULL : "key_ops does not allow verifying.";
}


static const char *
read_kid(lp_key_t *key, const json_t *jwk)
{
    json_t *kid;

    kid = json_object_get(jwk, "kid");
    if (kid == NULL) {
        return NULL;
    }

    if (!json_is_string(kid) || json_string_length(kid) > LP_KID_MAX) {
        return "kid is not a string of at most 256 bytes.";
    }

    key->has_kid = 1;
    key->kid_len = json_string_length(kid);
    memcpy(key->kid, json_string_value(kid), key->kid_len);

    return NULL;
}


/* One algorithm for one key: what RFC 8725 section 3.1 asks for. */
static const char *
bind_alg(lp_key_t *key, const json_t *jwk, const lp_algs_t *algs)
{
    json_t     *alg;
    unsigned    i;
    const char *kty, *crv;

    kty = json_string_value(json_object_get(jwk, "kty"));
    crv = json_string_value(json_object_get(jwk, "crv"));
    alg = json_object_get(jwk, "alg");

    if (kty == NULL || (alg != NULL && !json_is_string(alg))) {
        return "kty is absent, or kty or alg is not a string.";
    }

    if (alg != NULL) {
        key->alg = lp_alg_find(lp_span_of(json_string_value(alg)));

        if (!lp_algs_has(algs, key->alg)) {
            return "The key is for an algorithm that is not allowed here.";
        }

        return alg_fits(key->alg, kty, crv)
                   ? NULL
                   : "The key's type or curve does not fit its alg.";
    }

    for (i = 0; i < algs->n; i++) {
        if (alg_fits(algs->list[i], kty, crv)) {
            key->alg = algs->list[i];
            return NULL;
        }
    }

    return "No algorithm that is allowed here fits the key's type and curve.";
}


static int
alg_fits(lp_alg_t alg, const char *kty, const char *crv)
{
    const alg_key_t *like;

    like = &alg_keys[alg];

    return like->kty != NULL && strcmp(like->kty, kty) == 0
           && (like->crv == NULL
               || (crv != NULL && strcmp(like->crv, crv) == 0));
}


static const char *
read_material(lp_key_t *key, const json_t *jwk)
{
    const char      *why;
    const alg_key_t *like;

    like = &alg_keys[key->alg];

    if (key->alg == LP_ALG_HS256) {
        return read_secret(key, jwk);
    }

    why = NULL;

    if (key->alg == LP_ALG_EDDSA) {
        key->pkey = lp_public_key_ed25519(jwk, &why);
        key->signature_len = ED25519_SIGN;
        return why;
    }

    if (like->group != NULL) {
        key->pkey = lp_public_key_ec(jwk, like->group, like->size, &why);
        key->signature_len = 2 * like->size;
        return why;
    }

    key->pkey = lp_public_key_rsa(jwk, &why);

    if (key->pkey != NULL) {
        key->signature_len = (size_t) EVP_PKEY_get_size(key->pkey);
    }

    return why;
}


static const char *
read_secret(lp_key_t *key, const json_t *jwk)
{
    size_t        len;
    const char   *why;
    unsigned char secret[LP_JWK_BYTES_MAX];

    why = NULL;

    if (lp_jwk_bytes(secret, &len, jwk, "k") != 0) {
        why = "k is absent, not strict base64url, or too long.";

    } else if (len < SECRET_MIN) {
        why = "The secret is shorter than 32 bytes.";

    } else {
        key->signature_len = LP_HMAC_SIZE;
        key->mac = lp_hmac_create((lp_span_t) {(char *) secret, len});
        why = key->mac == NULL ? no_memory : NULL;
    }

    OPENSSL_cleanse(secret, sizeof(secret));

    return why;
}


/* Makes the key ready to verify, so that verifying looks nothing up. */
static const char *
prepare(lp_key_t *key)
{
    int         ok;
    const char *digest;

    digest = alg_keys[key->alg].digest;

    key->hash = EVP_MD_CTX_new();
    if (key->hash == NULL) {
        return no_memory;
    }

    if (digest == NULL) {
        key->oneshot = EVP_MD_CTX_new();
        ok = key->oneshot != NULL
             && EVP_DigestVerifyInit(key->oneshot, NULL, NULL, NULL,
                                     key->pkey) == 1;

    } else {
        key->md = EVP_MD_fetch(NULL, digest, NULL);
        key->verify = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
        ok = key->md != NULL && key->verify != NULL
             && EVP_PKEY_verify_init(key->verify) == 1
             && prepare_padding(key)
             && EVP_PKEY_CTX_set_signature_md(key->verify, key->md) == 1;
    }

    return ok ? NULL : "OpenSSL cannot verify with this key.";
}


/* PSS: MGF1 with the same digest, a salt of its length (RFC 7518, 3.5). */
static int
prepare_padding(const lp_key_t *key)
{
    switch (key->alg) {

    case LP_ALG_RS256:
    case LP_ALG_RS384:
    case LP_ALG_RS512:
        return EVP_PKEY_CTX_set_rsa_padding(key->verify,
                                            RSA_PKCS1_PADDING) == 1;

    case LP_ALG_PS256:
    case LP_ALG_PS384:
    case LP_ALG_PS512:
        return EVP_PKEY_CTX_set_rsa_padding(key->verify,
                                            RSA_PKCS1_PSS_PADDING) == 1
               && EVP_PKEY_CTX_set_rsa_mgf1_md(key->verify, key->md) == 1
               && EVP_PKEY_CTX_set_rsa_pss_saltlen(key->verify,
                                                   RSA_PSS_SALTLEN_DIGEST)
                      == 1;

    default:
        return 1;
    }
}


void
lp_jwks_free(lp_jwks_t *jwks)
{
    size_t i;

    if (jwks == NULL) {
        return;
    }

    for (i = 0; i < jwks->n; i++) {
        drop_key(&jwks->keys[i]);
    }

    free(jwks);
}


/* OpenSSL wipes the secret of a MAC itself. Leaves the key all zero. */
static void
drop_key(lp_key_t *key)
{
    EVP_MAC_CTX_free(key->mac);
    EVP_MD_CTX_free(key->oneshot);
    EVP_PKEY_CTX_free(key->verify);
    EVP_MD_CTX_free(key->hash);
    EVP_MD_free(key->md);
    EVP_PKEY_free(key->pkey);

    memset(key, 0, sizeof(lp_key_t));
}


size_t
lp_jwks_count(const lp_jwks_t *jwks)
{
    return jwks->n;
}


int
lp_jwks_has_secret(const lp_jwks_t *jwks)
{
    size_t i;

    for (i = 0; i < jwks->n; i++) {
        if (jwks->keys[i].mac != NULL) {
            return 1;
        }
    }

    return 0;
}


lp_jose_error_t
lp_jwks_find(const lp_jwks_t *jwks, lp_span_t kid, lp_alg_t alg,
             const lp_key_t **key)
{
    size_t          i;
    const lp_key_t *candidate, *found;

    found = NULL;

    for (i = 0; i < jwks->n; i++) {
        candidate = &jwks->keys[i];

        if (kid.data == NULL) {
            if (candidate->alg != alg) {
                continue;
            }

            if (found != NULL) {
                return LP_JOSE_KEY_AMBIGUOUS;
            }

            found = candidate;

        } else if (candidate->has_kid && candidate->kid_len == kid.len
                   && memcmp(candidate->kid, kid.data, kid.len) == 0)
        {
            found = candidate;
            break;
        }
    }

    if (found == NULL) {
        return LP_JOSE_KEY_UNKNOWN;
    }

    if (found->alg != alg) {
        return LP_JOSE_KEY_ALG;
    }

    *key = found;

    return LP_JOSE_OK;
}


lp_jose_error_t
lp_key_verify(const lp_key_t *key, lp_span_t signed_text,
              const unsigned char *signature, size_t len)
{
    if (len != key->signature_len) {
        return LP_JOSE_SIGNATURE;
    }

    if (key->mac != NULL) {
        return verify_mac(key, signed_text, signature);
    }

    if (key->oneshot != NULL) {
        return verify_oneshot(key, signed_text, signature, len);
    }

    return verify_digest(key, signed_text, signature, len);
}


static lp_jose_error_t
verify_digest(const lp_key_t *key, lp_span_t text,
              const unsigned char *signature, size_t len)
{
    unsigned      digest_len;
    unsigned char digest[EVP_MAX_MD_SIZE], der[EC_DER_MAX];

    if (EVP_DigestInit_ex2(key->hash, key->md, NULL) != 1
        || EVP_DigestUpdate(key->hash, text.data, text.len) != 1
        || EVP_DigestFinal_ex(key->hash, digest, &digest_len) != 1)
    {
        ERR_clear_error();
        return LP_JOSE_MEMORY;
    }

    if (alg_keys[key->alg].group != NULL) {
        len = ecdsa_der(der, signature, len / 2);
        signature = der;
    }

    if (EVP_PKEY_verify(key->verify, signature, len, digest, digest_len) != 1) {
        return failure();
    }

    return LP_JOSE_OK;
}


/*
 * Raw r || s, size bytes each, to the DER that OpenSSL reads. It stays below
 * 256 bytes (P-521: 139), so that its length has one byte, or two with 0x81.
 * Whether r and s are in range is OpenSSL's to check; it does.
 */
static size_t
ecdsa_der(unsigned char *der, const unsigned char *raw, size_t size)
{
    size_t        len, head;
    unsigned char body[2 * (2 + 1 + EC_SIZE_MAX)];

    len = der_integer(body, raw, size);
    len += der_integer(body + len, raw + size, size);

    head = 0;
    der[head++] = 0x30;

    if (len > 127) {
        der[head++] = 0x81;
    }

    der[head++] = (unsigned char) len;
    memcpy(der + head, body, len);

    return head + len;
}


/* The shortest form, with a zero in front where the first bit is set. */
static size_t
der_integer(unsigned char *der, const unsigned char *bytes, size_t size)
{
    size_t pad;

    while (size > 1 && *bytes == 0) {
        bytes++;
        size--;
    }

    pad = *bytes >> 7;

    der[0] = 0x02;
    der[1] = (unsigned char) (size + pad);
    der[2] = 0;
    memcpy(der + 2 + pad, bytes, size);

    return 2 + pad + size;
}


static lp_jose_error_t
verify_oneshot(const lp_key_t *key, lp_span_t text,
               const unsigned char *signature, size_t len)
{
    if (EVP_MD_CTX_copy_ex(key->hash, key->oneshot) != 1) {
        ERR_clear_error();
        return LP_JOSE_MEMORY;
    }

    if (EVP_DigestVerify(key->hash, signature, len,
                         (const unsigned char *) text.data, text.len) != 1)
    {
        return failure();
    }

    return LP_JOSE_OK;
}


static lp_jose_error_t
verify_mac(const lp_key_t *key, lp_span_t text, const unsigned char *signature)
{
    unsigned char mac[LP_HMAC_SIZE];

    if (lp_hmac(mac, key->mac, &text, 1) != 0) {
        return LP_JOSE_MEMORY;
    }

    return CRYPTO_memcmp(mac, signature, sizeof(mac)) == 0 ? LP_JOSE_OK
                                                           : LP_JOSE_SIGNATURE;
}


/* Why OpenSSL said no; leaves nothing in its queue. */
static lp_jose_error_t
failure(void)
{
    int reason;

    reason = ERR_GET_REASON(ERR_peek_last_error());
    ERR_clear_error();

    return reason == ERR_R_MALLOC_FAILURE ? LP_JOSE_MEMORY : LP_JOSE_SIGNATURE;
}
