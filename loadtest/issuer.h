/*
 * The rehearsal's issuer of tokens: its keys, what the edge is told of it, and
 * the tokens' text.
 */

#ifndef LP_LOAD_ISSUER_H
#define LP_LOAD_ISSUER_H

#include "../core/private_key.h"
#include "population.h"
#include "token_algs.h"

#define LP_LOAD_TOKEN_MAX 4000 /* bytes of a token, at most */

/*
 * Makes in DIR what is lacking of keys/<alg>.jwk, and writes jwks.json and
 * issuer.conf. Keys that are there stay. 0, -1 after lp_say().
 */
int lp_issuer_make(const char *dir, const lp_census_t *census);

/* Ready to mint. */
typedef struct {
    lp_token_algs_t  algs;
    lp_private_key_t key[LP_ALGS]; /* as algs.algs.list */
    char             header[LP_ALGS][256]; /* in base64url */
    size_t           header_len[LP_ALGS];
} lp_issuer_keys_t;

/* 0; -1 after lp_say(). lp_issuer_close() must follow either way. */
int lp_issuer_open(lp_issuer_keys_t *issuer, const char *dir,
                   const lp_census_t *census);
void lp_issuer_close(lp_issuer_keys_t *issuer);

/* A member's token into dst (LP_LOAD_TOKEN_MAX bytes); its length; 0: OpenSSL
   could not. */
size_t lp_issuer_mint(const lp_issuer_keys_t *issuer,
                      const lp_population_t *population, uint32_t member,
                      int64_t iat, int64_t exp, char *dst);

/* The length that no token of this population exceeds; 0: OpenSSL could not. */
size_t lp_issuer_longest(const lp_issuer_keys_t *issuer,
                         const lp_population_t *population, int64_t iat,
                         int64_t exp);

#endif
