/*
 * What token verify and token explain share: an issuer made from the command
 * line.
 */

#ifndef LP_VERIFY_COMMAND_H
#define LP_VERIFY_COMMAND_H

#include "../core/token.h"
#include "command_line.h"

/*
 * Fills issuer from the options, all but its keys, and *now. Returns LP_YES or
 * LP_USAGE.
 */
int lp_issuer_from_args(const lp_args_t *args, lp_issuer_t *issuer,
                        int64_t *now);

/*
 * Loads --jwks for a token whose header names alg. The keys that name no
 * algorithm serve alg where they fit it, the others the first of algs that
 * fits.
 * Returns NULL after saying why. Free with lp_jwks_free().
 */
lp_jwks_t *lp_jwks_from_args(const lp_args_t *args, const lp_algs_t *algs,
                             lp_alg_t alg, lp_jwks_refused_pt refused,
                             void *data);

#endif
