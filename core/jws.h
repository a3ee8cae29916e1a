/*
 * The signature layer alone (RFC 7515, compact serialisation): it knows
 * nothing of claims, and a payload may be any bytes.
 */

#ifndef LP_JWS_H
#define LP_JWS_H

#include "jwks.h"

#define LP_TOKEN_MAX 8192 /* bytes of a token; longer ones are refused */

typedef struct {
    lp_alg_t             alg;
    lp_span_t            kid;         /* data NULL: the header has none */
    lp_span_t            typ;         /* likewise */
    lp_span_t            cty;
    lp_span_t            signed_text; /* inside the token */
    lp_span_t            payload;     /* decoded; unverified until verified */
    const unsigned char *signature;   /* decoded */
    size_t               signature_len;

    char          names[512];                /* kid, typ, cty live here */
    unsigned char decoded[LP_TOKEN_MAX];     /* payload, signature */
} lp_jws_t;

/*
 * Takes a token apart; checks all but the signature: length, three parts,
 * strict base64url, a header without duplicates, crit, b64, embedded keys or
 * URLs. kid, typ and cty longer than 256, 64 and 64 bytes are refused
 * (LP_JOSE_HEADER_MEMBER). The spans live as long as jws and token do; jws must
 * not be moved. Not for two threads at once.
 */
lp_jose_error_t lp_jws_parse(lp_jws_t *jws, lp_span_t token);

/*
 * Checks that the algorithm is one of algs and that the signature is by a key
 * of keys bound to that algorithm. Only then may the payload be believed.
 */
lp_jose_error_t lp_jws_verify(const lp_jws_t *jws, const lp_jwks_t *keys,
                              const lp_algs_t *algs);

#endif
