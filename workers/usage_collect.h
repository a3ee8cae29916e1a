/*
 * Between Redis and the weekly report: what the tally counted, and the report
 * as it was issued.
 *
 * A report is kept in the hash report:{NN}:<week>, and given out from there for
 * ever: who could ask again after some clicks more would learn what is hidden
 * from the difference. A preliminary one is kept for its day, for the same
 * reason. Field "#" holds what it is and its totals, the field of a school that
 * school's part, each as JSON.
 */

#ifndef LP_USAGE_COLLECT_H
#define LP_USAGE_COLLECT_H

#include "store.h"
#include "usage_report.h"

/* Adds what was counted in a week. Returns LP_STORE_OK; out of memory is
   LP_STORE_DOWN. */
lp_store_status_t lp_usage_collect(lp_store_t *store, const char *week,
                                   lp_report_t *report);

/* *late becomes 1 where streams hold entries that are as old as the week: it is
   not wholly counted. */
lp_store_status_t lp_usage_backlog(lp_store_t *store, const char *week,
                                   int *late);

/*
 * Keeps a report, unless there is one. day: of a preliminary one; 0: final.
 * LP_STORE_CONFLICT: somebody else was first.
 */
lp_store_status_t lp_usage_keep(lp_store_t *store, const char *week,
                                uint32_t day, unsigned hide,
                                const lp_report_t *report);

/* The fields and values of the report that is kept, in turn; elements 0: there
   is none. NULL: Redis failed. Lives until the store's next run. */
const redisReply *lp_usage_kept(lp_store_t *store, const char *week,
                                uint32_t day);

#endif
