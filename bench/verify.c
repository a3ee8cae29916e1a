/*
 * How long OpenSSL takes to check one signature, and nothing else.
 *
 *   verify <raw|pkcs1|ecdsa> <public.pem> <text> <signature> <seconds>
 *
 * The measure for "a new token costs its signature check and little else": no
 * base64url, no JSON, no claims, and everything that can be prepared once is
 * prepared once, as a server would. So it is the least that a check can cost
 * with this OpenSSL. text and signature are files; an ECDSA signature is DER.
 *
 * Prints nanoseconds of CPU time per check, the median of slices of some ms:
 * a slice that was disturbed does not count.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "timing.h"

#define FILE_SIZE_MAX 16384

typedef struct {
    unsigned char bytes[FILE_SIZE_MAX];
    size_t        len;
} file_t;

typedef struct {
    EVP_PKEY     *key;
    EVP_PKEY_CTX *verify;  /* prepared; NULL for raw */
    EVP_MD_CTX   *digest;  /* of the text; for raw of the signature itself */
    EVP_MD       *sha256;
    file_t        text;
    file_t        signature;
} check_t;

static int read_arguments(check_t *check, char **argv);
static int read_file(file_t *file, const char *name);
static int prepare(check_t *check, const char *scheme);
static int check_once(void *what);


int
main(int argc, char **argv)
{
    static check_t  check;
    double          ns;

    if (argc != 6) {
        fputs("usage: verify <raw|pkcs1|ecdsa> <public.pem> <text> "
              "<signature> <seconds>\n", stderr);
        return 2;
    }

    if (read_arguments(&check, argv) != 0 || prepare(&check, argv[1]) != 0
        || check_once(&check) != 1)
    {
        fputs("verify: the signature can't be checked\n", stderr);
        return 1;
    }

    ns = cpu_ns_of(check_once, &check, strtod(argv[5], NULL));
    if (ns <= 0) {
        fputs("verify: the signature is good once, not again\n", stderr);
        return 1;
    }

    printf("%.1f\n", ns);

    return 0;
}


static int
read_arguments(check_t *check, char **argv)
{
    FILE *stream;

    stream = fopen(argv[2], "r");
    if (stream == NULL) {
        return -1;
    }

    check->key = PEM_read_PUBKEY(stream, NULL, NULL, NULL);
    fclose(stream);

    if (check->key == NULL || read_file(&check->text, argv[3]) != 0) {
        return -1;
    }

    return read_file(&check->signature, argv[4]);
}


static int
read_file(file_t *file, const char *name)
{
    FILE *stream;

    stream = fopen(name, "rb");
    if (stream == NULL) {
        return -1;
    }

    file->len = fread(file->bytes, 1, sizeof(file->bytes), stream);
    fclose(stream);

    return file->len > 0 && file->len < sizeof(file->bytes) ? 0 : -1;
}


static int
prepare(check_t *check, const char *scheme)
{
    check->digest = EVP_MD_CTX_new();
    check->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);

    if (check->digest == NULL || check->sha256 == NULL) {
        return -1;
    }

    if (strcmp(scheme, "raw") == 0) {
        return EVP_DigestVerifyInit_ex(check->digest, NULL, NULL, NULL, NULL,
                                       check->key, NULL) == 1 ? 0 : -1;
    }

    check->verify = EVP_PKEY_CTX_new_from_pkey(NULL, check->key, NULL);

    if (check->verify == NULL || EVP_PKEY_verify_init(check->verify) != 1
        || EVP_PKEY_CTX_set_signature_md(check->verify, check->sha256) != 1)
    {
        return -1;
    }

    return strcmp(scheme, "pkcs1") == 0 || strcmp(scheme, "ecdsa") == 0
           ? 0 : -1;
}


static int
check_once(void *what)
{
    check_t      *check = what;
    unsigned      len;
    unsigned char digest[EVP_MAX_MD_SIZE];

    if (check->verify == NULL) {
        return EVP_DigestVerify(check->digest, check->signature.bytes,
                                check->signature.len, check->text.bytes,
                                check->text.len);
    }

    if (EVP_DigestInit_ex2(check->digest, check->sha256, NULL) != 1
        || EVP_DigestUpdate(check->digest, check->text.bytes, check->text.len)
           != 1
        || EVP_DigestFinal_ex(check->digest, digest, &len) != 1)
    {
        return 0;
    }

    return EVP_PKEY_verify(check->verify, check->signature.bytes,
                           check->signature.len, digest, len);
}
