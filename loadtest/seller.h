/*
 * Sellers' traffic beside the clicks, through the API as a seller has it: an
 * access token by private_key_jwt, PUT /v1/entitlements, bulks. The same code
 * loads a population.
 */

#ifndef LP_SELLER_H
#define LP_SELLER_H

#include "plan.h"
#include "population.h"
#include "result.h"
#include "seller_session.h"

/* Shared with whoever watches; api is final once ended is set. */
typedef struct {
    lp_api_score_t   api;
    _Atomic uint64_t live_requests, live_errors;
    _Atomic int      stop;
    _Atomic int      ended;
} lp_seller_score_t;

/*
 * Runs the plan's API traffic from start_ns (CLOCK_MONOTONIC) on: open model,
 * gaps as the plan's. For rights that no click of the plan tries: to a product
 * of their own, LP_SELLER_PRODUCT. Returns 0; -1 after lp_say().
 */
int lp_seller_run(const lp_seller_options_t *options, const lp_plan_t *plan,
                  const lp_population_t *population, int64_t start_ns,
                  lp_seller_score_t *score);

#endif
