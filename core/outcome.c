/*
 * The table of outcomes. The names are part of the interface: they stand in
 * the header Leerpoort-Outcome, in logs and as labels of metrics.
 */

#include "outcome.h"

typedef struct {
    const char *name;
    unsigned    status;
} outcome_t;

static const outcome_t outcomes[LP_OUTCOMES] = {
    [LP_REDIRECT] = {"redirect", 302},
    [LP_ACTIVATE] = {"activate", 503}, /* where no worker is set */
    [LP_LOGIN] = {"login", 401},       /* where no login page is set */
    [LP_BAD_TOKEN] = {"bad-token", 401},
    [LP_NO_RIGHT] = {"no-right", 403},
    [LP_NOT_YET] = {"not-yet", 403},
    [LP_ENDED] = {"ended", 403},
    [LP_BLOCKED_OUT] = {"blocked", 403},
    [LP_UNKNOWN_PRODUCT] = {"unknown-product", 404},
    [LP_UNKNOWN_MATERIAL] = {"unknown-material", 404},
    [LP_BAD_REQUEST] = {"bad-request", 400},
    [LP_UNAVAILABLE] = {"unavailable", 503},
};

static const outcome_t *outcome_of(lp_outcome_t outcome);

const char *
lp_outcome_name(lp_outcome_t outcome)
{
    return outcome_of(outcome)->name;
}

unsigned
lp_outcome_status(lp_outcome_t outcome)
{
    return outcome_of(outcome)->status;
}

/* A value outside the table never becomes a redirect. */
static const outcome_t *
outcome_of(lp_outcome_t outcome)
{
    if ((unsigned) outcome >= LP_OUTCOMES) {
        outcome = LP_UNAVAILABLE;
    }

    return &outcomes[outcome];
}
