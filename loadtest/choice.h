/*
 * What a click is like: whose, on what, with which token, over which kind of
 * connection. Shares of the plan, drawn for each click by itself.
 */

#ifndef LP_CHOICE_H
#define LP_CHOICE_H

#include "arrivals.h"

typedef struct {
    const lp_plan_t       *plan;
    const lp_population_t *population;
    uint32_t members;
    uint32_t expired; /* tokens; at least 1 */
    int      picky;   /* activations or denied are asked for */
} lp_choice_t;

void lp_choice_begin(lp_choice_t *choice, const lp_plan_t *plan,
                     const lp_population_t *population);

/* A single's: of the member whom the session's number names. Fills all of
   arrival but its moment. */
void lp_choice_single(const lp_choice_t *choice, lp_random_t *random,
                      uint64_t session, lp_arrival_t *arrival);

/* That of a class' member on a slot of its shelf, unless the plan's shares
   want another. */
void lp_choice_of_class(const lp_choice_t *choice, lp_random_t *random,
                        uint32_t member, unsigned slot,
                        lp_arrival_t *arrival);

/* How the second click of two differs from the first. */
void lp_choice_second(const lp_choice_t *choice, lp_random_t *random,
                      lp_arrival_t *arrival);

#endif
