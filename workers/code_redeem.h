/*
 * Redeeming an activation code: a signed-in person types it, once, and holds a
 * licence from then on.
 */

#ifndef LP_CODE_REDEEM_H
#define LP_CODE_REDEEM_H

#include "codes.h"
#include "licences.h"

typedef struct {
    lp_value_t product;
    uint32_t   until;       /* last day of the licence */
    int64_t    retry_after; /* seconds, of LP_CODES_TOO_OFTEN */
} lp_redeemed_t;

/*
 * by: who redeems; its product is not looked at. LP_CODES_OK: there is a
 * licence, durably, and *redeemed says of what; the same person gets the same
 * answer again. LP_CODES_FAILED: whether it was redeemed is not known, and
 * asking again is safe. A wrong code counts as a try (code_tries.h), others
 * do not.
 */
lp_codes_result_t lp_code_redeem(lp_service_t *service,
                                 const lp_click_by_t *by, lp_span_t canonical,
                                 lp_redeemed_t *redeemed);

#endif
