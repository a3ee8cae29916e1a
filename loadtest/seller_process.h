/*
 * The sellers of a run as a process of their own, seen from the one that
 * watches.
 */

#ifndef LP_SELLER_PROCESS_H
#define LP_SELLER_PROCESS_H

#include <sys/types.h>

#include "seller.h"

typedef struct {
    const lp_seller_options_t *options; /* NULL: there are no sellers */
    const lp_plan_t           *plan;
    const lp_population_t     *population;
    int64_t            start_ns;
    pid_t              pid; /* 0: none */
    lp_seller_score_t *score;
} lp_sellers_t;

/* All but pid and score must be set. Returns 0; -1 after lp_say().
   lp_sellers_free() must follow either way. */
int lp_sellers_start(lp_sellers_t *sellers);

/* No more is scheduled. */
void lp_sellers_stop(lp_sellers_t *sellers);

/*
 * Whether it has ended, with all its work done or not; *failed becomes 1 where
 * it was not. One that does not end by itself must be killed.
 */
int lp_sellers_ended(lp_sellers_t *sellers, int *failed);

void lp_sellers_kill(lp_sellers_t *sellers);

void lp_sellers_free(lp_sellers_t *sellers);

#endif
