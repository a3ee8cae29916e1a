/*
 * Sealing. One key file makes two keys, by HMAC over a fixed text each, so
 * that what seals ids and what makes codes have nothing in common but the
 * file. A sealed text is nonce (12), text, tag (16) in base64url; what the text
 * is for is authenticated with it, not stored.
 *
 * The nonce is random. With 96 bits, 2^32 texts may be sealed under a key
 * before two nonces meet with a chance of 2^-33 (NIST SP 800-38D section 8.3):
 * all licences of the country for a century.
 */

#include "seal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "../core/base64url.h"
#include "../core/hmac.h"

#define KEY_MIN     32
#define KEY_MAX     4096
#define NONCE_SIZE  12
#define TAG_SIZE    16
#define CODE_GROUPS 5
#define CODE_GROUP  5
#define CODE_CHARS  (CODE_GROUPS * CODE_GROUP)

struct lp_seal_s {
    unsigned char   key[LP_HMAC_SIZE];
    EVP_MAC_CTX    *codes;
    EVP_CIPHER_CTX *cipher;
};

/* 32 characters: five bits each, and none that is taken for another. */
static const char code_chars[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

static int derive(lp_seal_t *seal, lp_span_t bytes);
static int cipher_begin(lp_seal_t *seal, int encrypt,
                        const unsigned char *nonce, const char *what);

lp_seal_t *
lp_seal_create(lp_span_t bytes)
{
    lp_seal_t *seal;

    if (bytes.len < KEY_MIN || bytes.len > KEY_MAX) {
        return NULL;
    }

    seal = calloc(1, sizeof(lp_seal_t));
    if (seal == NULL) {
        return NULL;
    }

    seal->cipher = EVP_CIPHER_CTX_new();
    if (seal->cipher == NULL || derive(seal, bytes) != 0) {
        lp_seal_destroy(seal);
        return NULL;
    }

    return seal;
}

void
lp_seal_destroy(lp_seal_t *seal)
{
    if (seal == NULL) {
        return;
    }

    EVP_CIPHER_CTX_free(seal->cipher);
    EVP_MAC_CTX_free(seal->codes);
    OPENSSL_cleanse(seal, sizeof(*seal));
    free(seal);
}

size_t
lp_seal_close(lp_seal_t *seal, char *dst, const char *what, lp_span_t text)
{
    unsigned char raw[NONCE_SIZE + LP_SEAL_TEXT_MAX + TAG_SIZE];
    unsigned char *body;
    int           n, last;

    body = raw + NONCE_SIZE;

    if (text.len > LP_SEAL_TEXT_MAX
        || RAND_bytes(raw, NONCE_SIZE) != 1
        || cipher_begin(seal, 1, raw, what) != 0
        || EVP_EncryptUpdate(seal->cipher, body, &n,
                             (const unsigned char *) text.data,
                             (int) text.len) != 1
        || EVP_EncryptFinal_ex(seal->cipher, body + n, &last) != 1
        || EVP_CIPHER_CTX_ctrl(seal->cipher, EVP_CTRL_GCM_GET_TAG, TAG_SIZE,
                               body + text.len) != 1)
    {
        ERR_clear_error();
        return 0;
    }

    return lp_base64url_encode(dst, raw, NONCE_SIZE + text.len + TAG_SIZE);
}

int
lp_seal_open(lp_seal_t *seal, char *dst, size_t *len, const char *what,
             lp_span_t sealed)
{
    unsigned char raw[NONCE_SIZE + LP_SEAL_TEXT_MAX + TAG_SIZE];
    unsigned char *body;
    size_t        size, text_len;
    int           n, last;

    if (lp_base64url_decode(raw, sizeof(raw), &size, sealed) != 0
        || size < NONCE_SIZE + TAG_SIZE) {
        return -1;
    }

    body = raw + NONCE_SIZE;
    text_len = size - NONCE_SIZE - TAG_SIZE;

    if (cipher_begin(seal, 0, raw, what) != 0
        || EVP_DecryptUpdate(seal->cipher, (unsigned char *) dst, &n, body,
                             (int) text_len) != 1
        || EVP_CIPHER_CTX_ctrl(seal->cipher, EVP_CTRL_GCM_SET_TAG, TAG_SIZE,
                               body + text_len) != 1
        || EVP_DecryptFinal_ex(seal->cipher, (unsigned char *) dst + n, &last)
               != 1)
    {
        /* what was decrypted is not known to be ours: nobody may see it */
        OPENSSL_cleanse(dst, text_len);
        ERR_clear_error();
        return -1;
    }

    *len = text_len;

    return 0;
}

int
lp_seal_code(lp_seal_t *seal, char *dst, lp_span_t name)
{
    unsigned char mac[LP_HMAC_SIZE];
    unsigned      bits, n_bits, byte, i;

    if (lp_hmac(mac, seal->codes, &name, 1) != 0) {
        return -1;
    }

    bits = 0;
    n_bits = 0;
    byte = 0;

    for (i = 0; i < CODE_CHARS; i++) {
        if (i > 0 && i % CODE_GROUP == 0) {
            *dst++ = '-';
        }

        if (n_bits < 5) {
            bits = (bits << 8 | mac[byte++]) & 0xfff;
            n_bits += 8;
        }

        n_bits -= 5;
        *dst++ = code_chars[bits >> n_bits & 31];
    }

    OPENSSL_cleanse(mac, sizeof(mac));

    return 0;
}

static int
derive(lp_seal_t *seal, lp_span_t bytes)
{
    unsigned char code_key[LP_HMAC_SIZE];
    lp_span_t     seals = lp_span("leerpoort seal");
    lp_span_t     codes = lp_span("leerpoort codes");
    EVP_MAC_CTX  *mac;
    int           rc;

    mac = lp_hmac_create(bytes);
    if (mac == NULL) {
        return -1;
    }

    rc = lp_hmac(seal->key, mac, &seals, 1);
    if (rc == 0) {
        rc = lp_hmac(code_key, mac, &codes, 1);
    }

    if (rc == 0) {
        seal->codes = lp_hmac_create((lp_span_t) {(const char *) code_key,
                                                  sizeof(code_key)});
        OPENSSL_cleanse(code_key, sizeof(code_key));
        rc = seal->codes == NULL ? -1 : 0;
    }

    EVP_MAC_CTX_free(mac);

    return rc;
}

/* A context that is set up for this text: key, nonce, what it is. */
static int
cipher_begin(lp_seal_t *seal, int encrypt, const unsigned char *nonce,
             const char *what)
{
    int n;

    return EVP_CipherInit_ex(seal->cipher, EVP_aes_256_gcm(), NULL, seal->key,
                             nonce, encrypt) == 1
                   && EVP_CipherUpdate(seal->cipher, NULL, &n,
                                       (const unsigned char *) what,
                                       (int) strlen(what)) == 1
               ? 0 : -1;
}
