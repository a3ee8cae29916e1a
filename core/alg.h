/*
 * The signature algorithms that Leerpoort knows (RFC 7518 section 3.1,
 * RFC 8037). "none" is not among them and has no code.
 */

#ifndef LP_ALG_H
#define LP_ALG_H

#include "span.h"

typedef enum {
    LP_ALG_UNKNOWN = 0,
    LP_ALG_RS256,
    LP_ALG_RS384,
    LP_ALG_RS512,
    LP_ALG_PS256,
    LP_ALG_PS384,
    LP_ALG_PS512,
    LP_ALG_ES256,
    LP_ALG_ES384,
    LP_ALG_ES512,
    LP_ALG_EDDSA, /* Ed25519 only */
    LP_ALG_HS256,
    LP_ALGS
} lp_alg_t;

/*
 * An ordered list of algorithms, none of them twice. The order matters for
 * keys that do not name an algorithm: see lp_jwks_parse().
 */
typedef struct {
    unsigned n;
    lp_alg_t list[LP_ALGS];
} lp_algs_t;

/* Every asymmetric algorithm of the JWS layer (ES512 too). */
extern const lp_algs_t lp_algs_jws;

/* Every asymmetric algorithm that a token may have (no ES512). */
extern const lp_algs_t lp_algs_token;

/* Exact, case-sensitive; LP_ALG_UNKNOWN where there is no such name. */
lp_alg_t lp_alg_find(lp_span_t name);

/* "RS256"; "unknown" for LP_ALG_UNKNOWN. */
const char *lp_alg_name(lp_alg_t alg);

int lp_algs_has(const lp_algs_t *algs, lp_alg_t alg);

/* Returns 0; -1 where the algorithm is unknown or there already. */
int lp_algs_add(lp_algs_t *algs, lp_alg_t alg);

#endif
