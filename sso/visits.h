/*
 * The visits that are in hand: what loop.c does with them and routes do not.
 */

#ifndef LP_VISITS_H
#define LP_VISITS_H

#include "sso.h"

#define LP_VISITS_MAX  256 /* that wait, altogether */
#define LP_VISITS_TICK 100 /* ms between two calls of on_tick */

typedef struct lp_visits_s {
    lp_visit_t *waiting[LP_VISITS_MAX]; /* NULL: a free place */
    unsigned    n;
    lp_visit_t *ended; /* to be freed when the turn is over */
    int64_t     next_tick; /* monotonic ms */
} lp_visits_t;

/* Monotonic ms. */
int64_t lp_visit_clock(void);

/* Room for a request. NULL: no memory. */
lp_visit_t *lp_visit_create(lp_sso_t *sso);

/* One that never got a request. */
void lp_visit_destroy(lp_visit_t *visit);

/* Answers, or parks it, and in any case is done with it for this turn. */
void lp_visit_run(lp_visit_t *visit);

/* Calls those whose time has come. */
void lp_visits_look(lp_visits_t *visits);

/* Until when the loop may wait, in ms from now. */
int lp_visits_patience(const lp_visits_t *visits);

/* Frees those that have ended. */
void lp_visits_sweep(lp_visits_t *visits);

/* Finds the route of a visit and runs it (sso_routes.c). */
void lp_visit_route(lp_visit_t *visit);

#endif
