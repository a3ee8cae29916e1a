/*
 * Minting all tokens of a population, by as many processes as there are cores.
 */

#ifndef LP_MINT_H
#define LP_MINT_H

#include "../workers/command_line.h"
#include "population.h"

typedef struct {
    int64_t jobs;
    int64_t life;  /* seconds; -1: not asked for */
    int64_t now;   /* -1: not asked for */
} lp_mint_t;

#define LP_MINT_LIFE 86400

/* Reads --jobs, --expires-in, --now. LP_YES, LP_USAGE. */
int lp_mint_options(lp_mint_t *mint, const lp_args_t *args);

/*
 * Mints what is missing of DIR/tokens.bin and expired.bin; anew: all of it,
 * unless that was begun before and broken off, then the rest. LP_YES; LP_NO
 * after lp_say(), also where it was broken off.
 */
int lp_mint(const char *dir, const lp_population_t *population,
            const lp_mint_t *mint, int anew);

/* Takes a folder for this process alone, until it ends. 0, -1 after lp_say().
 */
int lp_mint_lock(const char *dir);

#endif
