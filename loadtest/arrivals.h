/*
 * The schedule: who clicks on what, when. Open model: nothing here knows how
 * the target is doing. Clicks come out in order of time; memory depends on the
 * rate, never on the length.
 *
 * The same plan, population and seed give the same schedule. Of n shards each
 * gets a part; together they are the whole, click for click.
 */

#ifndef LP_ARRIVALS_H
#define LP_ARRIVALS_H

#include <stdint.h>

#include "plan.h"
#include "population.h"

typedef enum {
    LP_TOKEN_GOOD = 0,
    LP_TOKEN_EXPIRED, /* one of the population's expired ones: number */
    LP_TOKEN_FORGED,  /* the member's, with a broken signature */
    LP_TOKEN_NONE
} lp_token_kind_t;

#define LP_SLOT_UNKNOWN 255 /* a product that no catalogue has */

typedef struct {
    int64_t  at_ns; /* since the run's beginning */
    uint32_t member;
    uint32_t number;  /* of the expired token; of the path; any */
    uint8_t  slot;    /* of the class' shelf */
    uint8_t  token;   /* lp_token_kind_t */
    uint8_t  path;    /* 1: with a path, where the product takes one */
    uint8_t  doubled; /* the second click of two */
    uint8_t  fresh;   /* over a new connection */
    uint8_t  resumed; /* which, with TLS, resumes a session */
    uint8_t  again;   /* follows an earlier click of this pupil's */
} lp_arrival_t;

typedef struct lp_arrivals_s lp_arrivals_t;

/* shard: 0 to shards - 1. plan and population must outlive it. NULL: out of
   memory. */
lp_arrivals_t *lp_arrivals_create(const lp_plan_t *plan,
                                  const lp_population_t *population,
                                  unsigned shard, unsigned shards);
void lp_arrivals_destroy(lp_arrivals_t *arrivals);

/* The next click: 1; 0 when the plan is over; -1: out of memory. */
int lp_arrivals_next(lp_arrivals_t *arrivals, lp_arrival_t *arrival);

/* From now on (ns since the beginning) factor times the plan's rate; what was
   given out stays. An operator's + and -. */
void lp_arrivals_factor(lp_arrivals_t *arrivals, double factor,
                        int64_t now_ns);

#endif
