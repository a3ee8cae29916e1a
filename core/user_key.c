/*
 * The user key. The pepper itself is kept by OpenSSL alone, inside the HMAC's
 * context, which wipes it when it is freed.
 */

#include "user_key.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "base64url.h"
#include "hmac.h"

#define PEPPER_MAX 4096
#define KEY_SIZE   16 /* of the MAC: two of 2^64 people might meet */

struct lp_pepper_s {
    EVP_MAC_CTX *mac;
};

lp_pepper_t *
lp_pepper_create(lp_span_t bytes)
{
    lp_pepper_t *pepper;

    if (bytes.len == 0 || bytes.len > PEPPER_MAX) {
        return NULL;
    }

    pepper = calloc(1, sizeof(lp_pepper_t));
    if (pepper == NULL) {
        return NULL;
    }

    pepper->mac = lp_hmac_create(bytes);
    if (pepper->mac == NULL) {
        free(pepper);
        return NULL;
    }

    return pepper;
}


void
lp_pepper_destroy(lp_pepper_t *pepper)
{
    if (pepper == NULL) {
        return;
    }

    EVP_MAC_CTX_free(pepper->mac);
    free(pepper);
}


int
lp_user_key(char *dst, lp_pepper_t *pepper, lp_span_t id_type, lp_span_t id)
{
    lp_span_t     parts[3];
    unsigned char mac[LP_HMAC_SIZE];

    parts[0] = id_type;
    parts[1] = lp_span("|");
    parts[2] = id;

    if (lp_hmac(mac, pepper->mac, parts, 3) != 0) {
        return -1;
    }

    lp_base64url_encode(dst, mac, KEY_SIZE);
    OPENSSL_cleanse(mac, sizeof(mac));

    return 0;
}
