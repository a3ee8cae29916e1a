/*
 * The algorithms of a population's tokens: "ES256:70,RS256:20,EdDSA:10", of so
 * many schools each. A school's tokens are all of one.
 */

#ifndef LP_TOKEN_ALGS_H
#define LP_TOKEN_ALGS_H

#include <stdint.h>

#include "../core/alg.h"

#define LP_TOKEN_ALGS_ALLOWED                                                  \
    "ALG:WEIGHT,... of RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 EdDSA," \
    " each once, weights from 1 to 1000000 (1 where none is given), at most"   \
    " 63 characters"

typedef struct {
    lp_algs_t algs;
    uint32_t  weight[LP_ALGS]; /* of algs.list[i] */
    uint64_t  sum;
} lp_token_algs_t;

/* 0, -1. */
int lp_token_algs_read(lp_token_algs_t *algs, const char *text);

/* Which of the list a school has: shares are met by the first few schools
   already. */
unsigned lp_token_algs_of(const lp_token_algs_t *algs, uint32_t school);

#endif
