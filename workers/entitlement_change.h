/*
 * What a seller's message makes of the entitlement that is there. Pure: no
 * Redis, no clock.
 */

#ifndef LP_ENTITLEMENT_CHANGE_H
#define LP_ENTITLEMENT_CHANGE_H

#include "entitlements.h"

typedef struct {
    lp_span_t party; /* who sent it; len 0: an operator */
    char      ref[LP_ENTITLEMENT_LEN]; /* lp_ref_id() of the reference */
    int64_t   now;
} lp_change_by_t;

/*
 * wanted: the message's record, its school resolved; before: what is stored
 * (exists 0: nothing). *after becomes what is to be stored, which differs from
 * before only where 1 is returned; *at is when what is confirmed took effect.
 * The verdict's result, code, reason and status are set in any case: applied,
 * repeated, stale or refused.
 */
int lp_entitlement_change(const lp_message_t *message,
                          const lp_record_t *wanted, const lp_record_t *before,
                          const lp_change_by_t *by, lp_record_t *after,
                          int64_t *at, lp_verdict_t *verdict);

/* Sets a refusal that only Redis could tell. */
void lp_verdict_refuse(lp_verdict_t *verdict, int code, const char *reason);

#endif
