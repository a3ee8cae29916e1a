/*
 * Activation: an entitlement becomes a licence at first use, once, whoever asks
 * and however often.
 */

#ifndef LP_LICENCES_H
#define LP_LICENCES_H

#include "../core/outcome.h"
#include "service.h"

typedef struct {
    lp_span_t users[LP_TOKEN_USERS]; /* user keys, all of them count */
    unsigned  n_users;
    lp_span_t school;   /* len 0: none */
    lp_span_t product;
    int       employee; /* open rights do not count */
    lp_span_t person;   /* UserReference for the seller; len 0: unknown */
    int64_t   issued;   /* Unix time of the token; <= 0: not known */
    lp_span_t likely;   /* the user's own entitlement that it is expected to
                           be, which spares a question; len 0: unknown */
    uint32_t  today;
} lp_click_by_t;

/*
 * LP_REDIRECT: there is a licence now, durably, or there was one.
 * LP_UNAVAILABLE: Redis failed; whether a licence was written is not known, and
 * asking again is safe. LP_NO_RIGHT also where an open right is used up and
 * that is refused. Others as lp_decide() has them. *record (unless NULL) is the
 * licence; its exists is 0 where there is none, and for free material.
 */
lp_outcome_t lp_activate(lp_service_t *service, const lp_click_by_t *by,
                         lp_record_t *record);

#endif
