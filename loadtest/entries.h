/*
 * A stream of Redis, entry by entry.
 */

#ifndef LP_ENTRIES_H
#define LP_ENTRIES_H

#include <hiredis/hiredis.h>

#include "../workers/store.h"

/*
 * Gives each entry to see, in order, also those that come meanwhile. What it
 * gives is store's reply in hand: see asks by another one. A see that does not
 * return 0 ends it. Returns 0; -1 after lp_say() or what see returned.
 */
int lp_entries_each(lp_store_t *store, lp_span_t key,
                    int (*see)(void *owner, lp_span_t id,
                               const redisReply *fields),
                    void *owner);

#endif
