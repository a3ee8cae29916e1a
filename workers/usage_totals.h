/*
 * Edu-V Usage 1.0: what the usage of an entitlement looks like, and how the
 * entitlements of a delivery order add up.
 */

#ifndef LP_USAGE_TOTALS_H
#define LP_USAGE_TOTALS_H

#include <jansson.h>

#include "record.h"

typedef struct {
    uint64_t entitled, licensed, cancelled, blocked, expired;
} lp_usage_totals_t;

/* 1 where it can't be activated, or used, any more because of the date. */
int lp_usage_expired(const lp_record_t *record, uint32_t today);

/* Counts a record, under exactly one of the five. */
void lp_usage_total(lp_usage_totals_t *totals, const lp_record_t *record,
                    uint32_t today);

/*
 * An EntitlementUsage. entitlement: the id that it goes by, 22 characters. The
 * user is left out: Leerpoort does not know who it is. NULL: out of memory.
 */
json_t *lp_usage_json(const lp_record_t *record, const char *entitlement);

#endif
