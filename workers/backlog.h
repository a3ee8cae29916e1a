/*
 * What waits in the streams that the relay and the tally read: how many
 * entries, and since when.
 */

#ifndef LP_BACKLOG_H
#define LP_BACKLOG_H

#include "redis_link.h"

typedef struct {
    uint64_t entries;
    int64_t  oldest_ms; /* Unix time of the oldest, in ms; 0: there is none */
} lp_backlog_t;

/*
 * Adds up a stream of all shards; name writes its key (LP_KEY_MAX bytes).
 * Returns LP_YES; LP_NO where Redis would not tell, after saying why.
 */
int lp_backlog_read(lp_redis_t *redis, size_t (*name)(char *, unsigned),
                    lp_backlog_t *backlog);

#endif
