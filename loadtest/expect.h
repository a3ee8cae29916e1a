/*
 * What a click looks like on the wire, and what has to come back. Both are
 * known from the population alone: the edge is never asked what is right.
 */

#ifndef LP_EXPECT_H
#define LP_EXPECT_H

#include <stddef.h>

#include "arrivals.h"

#define LP_REQUEST_MAX   8192
#define LP_LOCATION_KEPT 1024 /* bytes of an address that are compared; none
                                 of a population's is longer */

typedef struct {
    lp_outcome_t outcome;
    unsigned     status;    /* LP_LOGIN: 401, or 302 where login is given */
    int          activates; /* a right that is used first; by whom, the slot
                               says */
    size_t       location_len; /* 0: none */
    char         location[LP_LOCATION_KEPT]; /* exact; of LP_LOGIN what
                                                it begins with */
} lp_expected_t;

/* What the run knows of the target besides its address. */
typedef struct {
    char host[280];   /* of the header Host */
    char prefix[128]; /* of clicks: "/go/" */
    char login[256];  /* what a redirect to the login begins with; "": 401 */
} lp_wire_t;

/*
 * Writes the whole request into dst (LP_REQUEST_MAX bytes). Returns its length;
 * 0 where it would not fit or there is no token.
 */
size_t lp_request_write(char *dst, const lp_wire_t *wire,
                        const lp_plan_t *plan,
                        const lp_population_t *population,
                        const lp_arrival_t *arrival);

void lp_expect(lp_expected_t *expected, const lp_wire_t *wire,
               const lp_population_t *population, const lp_arrival_t *arrival);

#endif
