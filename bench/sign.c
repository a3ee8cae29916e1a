/*
 * How long OpenSSL takes to make one ECDSA signature, and nothing else.
 *
 *   sign <private.pem> <text> <seconds>
 *
 * The measure for "a ticket costs its signature and little else": SHA-256 of
 * the text and the signature of the hash, with everything prepared that can be;
 * no base64url, no claims. text is a file.
 *
 * Prints nanoseconds of CPU time per signature (see timing.h).
 */

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "timing.h"

#define TEXT_MAX      16384
#define SIGNATURE_MAX 256

typedef struct {
    EVP_PKEY_CTX *sign;
    EVP_MD_CTX   *digest;
    EVP_MD       *sha256;
    unsigned char text[TEXT_MAX];
    size_t        len;
} signing_t;

static int prepare(signing_t *signing, const char *key);
static int read_text(signing_t *signing, const char *name);
static int sign_once(void *what);


int
main(int argc, char **argv)
{
    static signing_t  signing;
    double            ns;

    if (argc != 4) {
        fputs("usage: sign <private.pem> <text> <seconds>\n", stderr);
        return 2;
    }

    if (prepare(&signing, argv[1]) != 0 || read_text(&signing, argv[2]) != 0) {
        fputs("sign: the key or the text can't be read\n", stderr);
        return 1;
    }

    ns = cpu_ns_of(sign_once, &signing, strtod(argv[3], NULL));
    if (ns <= 0) {
        fputs("sign: there is no signature\n", stderr);
        return 1;
    }

    printf("%.1f\n", ns);

    return 0;
}


static int
prepare(signing_t *signing, const char *name)
{
    FILE     *stream;
    EVP_PKEY *key;

    stream = fopen(name, "r");
    if (stream == NULL) {
        return -1;
    }

    key = PEM_read_PrivateKey(stream, NULL, NULL, NULL);
    fclose(stream);

    signing->digest = EVP_MD_CTX_new();
    signing->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    signing->sign = key == NULL
                    ? NULL : EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

    return signing->digest != NULL && signing->sha256 != NULL
           && signing->sign != NULL
           && EVP_PKEY_sign_init(signing->sign) == 1
           && EVP_PKEY_CTX_set_signature_md(signing->sign, signing->sha256)
              == 1
           ? 0 : -1;
}


static int
read_text(signing_t *signing, const char *name)
{
    FILE *stream;

    stream = fopen(name, "rb");
    if (stream == NULL) {
        return -1;
    }

    signing->len = fread(signing->text, 1, sizeof(signing->text), stream);
    fclose(stream);

    return signing->len > 0 && signing->len < sizeof(signing->text) ? 0 : -1;
}


static int
sign_once(void *what)
{
    signing_t     *signing = what;
    size_t         len;
    unsigned       n;
    unsigned char  digest[EVP_MAX_MD_SIZE], signature[SIGNATURE_MAX];

    if (EVP_DigestInit_ex2(signing->digest, signing->sha256, NULL) != 1
        || EVP_DigestUpdate(signing->digest, signing->text, signing->len) != 1
        || EVP_DigestFinal_ex(signing->digest, digest, &n) != 1)
    {
        return 0;
    }

    len = sizeof(signature);

    return EVP_PKEY_sign(signing->sign, signature, &len, digest, n);
}
