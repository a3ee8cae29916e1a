/*
 * Connections that are open and wait for a click.
 */

#ifndef LP_LOAD_POOL_H
#define LP_LOAD_POOL_H

#include "connection.h"

typedef struct {
    lp_queue_t  idle;  /* all, the longest first */
    lp_queue_t *group; /* of one source address each */
} lp_pool_t;

/* 0; -1: out of memory. */
int lp_pool_start(lp_pool_t *pool, unsigned groups);
void lp_pool_free(lp_pool_t *pool);

void lp_pool_put(lp_pool_t *pool, lp_connection_t *connection, int64_t now_ns);

/* One of the group if there is one, else any; the one that was used last, so
   that the others grow old. NULL: none is idle. */
lp_connection_t *lp_pool_take(lp_pool_t *pool, unsigned group);

/* The one that is idle for the longest; it stays. NULL: none. */
lp_connection_t *lp_pool_oldest(const lp_pool_t *pool);

void lp_pool_remove(lp_pool_t *pool, lp_connection_t *connection);

#endif
