/*
 * Key sets as an issuer, or whoever writes its file, may publish them.
 *
 * What must hold: keys that are counted can be found, those that are left out
 * are named once each, and no key takes a signature of nothing but zeros
 * (points of small order do, and so did a well-known Java). Not that a second
 * reading says the same: whether OpenSSL sees that an RSA modulus has small
 * factors is partly chance.
 */

#include <openssl/err.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jwks.h"

/* An RSA modulus of 8192 bits takes 0.1 s to check; no point in longer ones. */
#define INPUT_MAX 1400

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const lp_algs_t all_algs = {
    11,
    {LP_ALG_RS256, LP_ALG_RS384, LP_ALG_RS512, LP_ALG_PS256, LP_ALG_PS384,
     LP_ALG_PS512, LP_ALG_ES256, LP_ALG_ES384, LP_ALG_ES512, LP_ALG_EDDSA,
     LP_ALG_HS256},
};

/* The lengths of signatures: HS256, ES* and Ed25519, RSA. */
static const size_t lengths[] = {0, 32, 64, 96, 132, 256, 384, 512};

static void
must(int condition)
{
    if (!condition) {
        abort();
    }
}


static void
note_refused(void *data, size_t index, const char *reason)
{
    uint64_t *places;

    places = data;
    must(index < LP_JWKS_KEYS_MAX);
    must((*places & UINT64_C(1) << index) == 0);
    must(strlen(reason) > 10 && reason[strlen(reason) - 1] == '.');

    *places |= UINT64_C(1) << index;
}


static void
check_key(const lp_key_t *key)
{
    size_t               i;
    static unsigned char zeros[512];

    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        must(lp_key_verify(key, lp_span("e30.e30"), zeros, lengths[i])
             == LP_JOSE_SIGNATURE);
        must(ERR_peek_error() == 0);
    }
}


static void
check_set(const lp_jwks_t *set)
{
    unsigned         i;
    const lp_key_t  *key;
    lp_jose_error_t  error;

    must(lp_jwks_count(set) > 0 && lp_jwks_count(set) <= LP_JWKS_KEYS_MAX);

    for (i = 0; i < all_algs.n; i++) {
        key = NULL;
        error = lp_jwks_find(set, (lp_span_t) {NULL, 0}, all_algs.list[i],
                             &key);
        must((error == LP_JOSE_OK) == (key != NULL));
        must(error == LP_JOSE_OK || error == LP_JOSE_KEY_UNKNOWN
             || (error == LP_JOSE_KEY_AMBIGUOUS && lp_jwks_count(set) > 1));
        must(error != LP_JOSE_OK || all_algs.list[i] != LP_ALG_HS256
             || lp_jwks_has_secret(set));

        if (key != NULL) {
            check_key(key);
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint64_t    refused;
    lp_span_t   text;
    lp_jwks_t  *set;
    const char *reason;

    if (len > INPUT_MAX) {
        return 0;
    }

    text.data = (const char *) bytes;
    text.len = len;

    refused = 0;
    reason = NULL;
    set = lp_jwks_parse(text, &all_algs, note_refused, &refused, &reason);
    must(ERR_peek_error() == 0);

    if (set == NULL) {
        must(reason != NULL && reason[strlen(reason) - 1] == '.');
        return 0;
    }

    check_set(set);
    lp_jwks_free(set);

    return 0;
}
