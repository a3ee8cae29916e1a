/*
 * What the rights of a population are like: shares of what a member may do
 * with a product of the shelf.
 */

#ifndef LP_MIX_H
#define LP_MIX_H

#include "population.h"

/* Whether a mix has a share of it: not of "licensed", which is the rest, and
   not of "free", which products are. */
int lp_mix_has(lp_hold_t hold);

/* The shares that are taken where none are given. */
void lp_mix_usual(double share[LP_HOLDS]);

/* Reads "set:0.05,none:0.02" over what share holds. 0; -1 after lp_say(). */
int lp_mix_read(double share[LP_HOLDS], const char *text);

/* "" where a population can have these shares; else what is wrong. */
const char *lp_mix_fault(const double share[LP_HOLDS]);

#endif
