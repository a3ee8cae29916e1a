/*
 * Loading a population: what the files of `seed` share.
 */

#ifndef LP_SEED_H
#define LP_SEED_H

#include "../workers/command_line.h"
#include "holdings.h"
#include "lanes.h"
#include "rehearsed.h"

typedef struct {
    const lp_args_t *args;
    lp_holdings_t    holdings;
    lp_rehearsed_t   rehearsed;
    lp_store_t      *store; /* for questions */
    lp_lanes_t      *lanes; /* for rights */
    uint64_t         rights, people, refused;
    double           seconds; /* that the rights took */
} lp_seed_t;

/* Products, sets, schools and their aliases. 0; -1 after lp_say(). */
int lp_seed_names(lp_seed_t *seed);

/* Takes away what an earlier loading, or a run, left of a school's people. */
int lp_seed_clear(lp_seed_t *seed, uint32_t school);

/* All rights, straight into Redis; through the API. */
int lp_seed_straight(lp_seed_t *seed);
int lp_seed_sold(lp_seed_t *seed);

#endif
