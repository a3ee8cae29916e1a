/*
 * How a click ends: the table of outcomes with their names and status codes.
 */

#ifndef LP_OUTCOME_H
#define LP_OUTCOME_H

typedef enum {
    LP_REDIRECT = 0,
    LP_ACTIVATE,
    LP_LOGIN,
    LP_BAD_TOKEN,
    LP_NO_RIGHT,
    LP_NOT_YET,
    LP_ENDED,
    LP_BLOCKED_OUT,
    LP_UNKNOWN_PRODUCT,
    LP_UNKNOWN_MATERIAL,
    LP_BAD_REQUEST,
    LP_UNAVAILABLE,
    LP_OUTCOMES
} lp_outcome_t;

/* "unknown-product": the value of the header Leerpoort-Outcome. */
const char *lp_outcome_name(lp_outcome_t outcome);

/* The HTTP status where nothing else is configured: 401 for LP_LOGIN, 503 for
   LP_ACTIVATE and LP_UNAVAILABLE. */
unsigned lp_outcome_status(lp_outcome_t outcome);

#endif
