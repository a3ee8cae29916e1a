/*
 * A block of a whole school's right reaches every licence that was taken from
 * it.
 */

#ifndef LP_OPEN_BLOCK_H
#define LP_OPEN_BLOCK_H

#include "record.h"

/*
 * Blocks the licences of an open right, or lifts their block. The right itself
 * must be blocked before, so that no licence is added meanwhile, and be freed
 * after. Each step is a transaction of its own: broken off and begun again, it
 * does the rest. *changed: some were changed, and nothing is watched any more.
 */
lp_store_status_t lp_open_block(lp_store_t *store, const lp_record_t *open,
                                int blocked, uint32_t today, int *changed);

#endif
