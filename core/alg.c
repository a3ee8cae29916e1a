/*
 * The table of signature algorithms.
 */

#include "alg.h"

static const char *const names[LP_ALGS] = {
    [LP_ALG_UNKNOWN] = "unknown", [LP_ALG_RS256] = "RS256",
    [LP_ALG_RS384] = "RS384",     [LP_ALG_RS512] = "RS512",
    [LP_ALG_PS256] = "PS256",     [LP_ALG_PS384] = "PS384",
    [LP_ALG_PS512] = "PS512",     [LP_ALG_ES256] = "ES256",
    [LP_ALG_ES384] = "ES384",     [LP_ALG_ES512] = "ES512",
    [LP_ALG_EDDSA] = "EdDSA",     [LP_ALG_HS256] = "HS256",
};

const lp_algs_t lp_algs_jws = {
    10,
    {LP_ALG_RS256, LP_ALG_RS384, LP_ALG_RS512, LP_ALG_PS256, LP_ALG_PS384,
     LP_ALG_PS512, LP_ALG_ES256, LP_ALG_ES384, LP_ALG_ES512, LP_ALG_EDDSA},
};

const lp_algs_t lp_algs_token = {
    9,
    {LP_ALG_RS256, LP_ALG_RS384, LP_ALG_RS512, LP_ALG_PS256, LP_ALG_PS384,
     LP_ALG_PS512, LP_ALG_ES256, LP_ALG_ES384, LP_ALG_EDDSA},
};

lp_alg_t
lp_alg_find(lp_span_t name)
{
    int alg;

    for (alg = LP_ALG_UNKNOWN + 1; alg < LP_ALGS; alg++) {
        if (lp_span_equal(name, lp_span_of(names[alg]))) {
            return (lp_alg_t) alg;
        }
    }

    return LP_ALG_UNKNOWN;
}


const char *
lp_alg_name(lp_alg_t alg)
{
    return (unsigned) alg < LP_ALGS ? names[alg] : names[LP_ALG_UNKNOWN];
}


int
lp_algs_has(const lp_algs_t *algs, lp_alg_t alg)
{
    unsigned i;

    for (i = 0; i < algs->n; i++) {
        if (algs->list[i] == alg) {
            return 1;
        }
    }

    return 0;
}


int
lp_algs_add(lp_algs_t *algs, lp_alg_t alg)
{
    if (alg == LP_ALG_UNKNOWN || (unsigned) alg >= LP_ALGS
        || lp_algs_has(algs, alg))
    {
        return -1;
    }

    algs->list[algs->n++] = alg;

    return 0;
}
