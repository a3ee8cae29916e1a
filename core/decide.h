/*
 * The decision: one function for the edge and for the workers.
 */

#ifndef LP_DECIDE_H
#define LP_DECIDE_H

#include <stdint.h>

#include "outcome.h"
#include "product.h"
#include "right.h"

/* Rights of one user to one product or to a set that contains it: three user
   keys at a school and three private ones, and the school's, times the sets;
   each, and what follows it. */
#define LP_RIGHTS_MAX (2 * 7 * (LP_SETS_MAX + 1))

typedef struct {
    lp_right_t list[LP_RIGHTS_MAX];
    unsigned   n;
} lp_rights_t;

/*
 * Decides what a user may do with a product today.
 * product: NULL where the catalogue has none; rights: what the user holds for
 * it, in order of preference; today: YYYYMMDD in Amsterdam.
 * Free material needs no right. A licence wins, even when the period of
 * activation is over; then a block, which hides every entitlement; then the
 * user's own entitlement; then an open right. If none is valid today,
 * the answer is the kindest that is true: not yet, then ended, then no right.
 * Returns LP_REDIRECT, LP_ACTIVATE, LP_NO_RIGHT, LP_NOT_YET, LP_ENDED,
 * LP_BLOCKED_OUT or LP_UNKNOWN_PRODUCT. *right is the one that decided; NULL
 * unless the outcome is LP_REDIRECT or LP_ACTIVATE, and for free material.
 */
lp_outcome_t lp_decide(const lp_product_t *product, const lp_rights_t *rights,
                       uint32_t today, const lp_right_t **right);

#endif
