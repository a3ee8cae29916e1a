/*
 * The pool of idle connections: one queue of all, by age, and one for each
 * group of source addresses.
 */

#include "pool.h"

#include <stdlib.h>

static lp_connection_t *of_order(lp_link_t *link);


int
lp_pool_start(lp_pool_t *pool, unsigned groups)
{
    unsigned i;

    lp_queue_start(&pool->idle);
    pool->group = calloc(groups, sizeof(*pool->group));
    if (pool->group == NULL) {
        return -1;
    }
    for (i = 0; i < groups; i++) {
        lp_queue_start(&pool->group[i]);
    }
    return 0;
}


void
lp_pool_free(lp_pool_t *pool)
{
    free(pool->group);
    pool->group = NULL;
}


void
lp_pool_put(lp_pool_t *pool, lp_connection_t *connection, int64_t now_ns)
{
    connection->stage = LP_STAGE_IDLE;
    connection->waited = 1;
    connection->since_ns = now_ns;
    lp_queue_append(&pool->idle, &connection->order);
    lp_queue_append(&pool->group[connection->group], &connection->mates);
}


lp_connection_t *
lp_pool_take(lp_pool_t *pool, unsigned group)
{
    lp_link_t       *link = lp_queue_last(&pool->group[group]);
    lp_connection_t *connection;

    if (link != NULL) {
        connection = lp_queue_thing(link, lp_connection_t, mates);
    } else {
        connection = of_order(lp_queue_last(&pool->idle));
    }

    if (connection != NULL) {
        lp_pool_remove(pool, connection);
    }
    return connection;
}


lp_connection_t *
lp_pool_oldest(const lp_pool_t *pool)
{
    return of_order(lp_queue_first(&pool->idle));
}


void
lp_pool_remove(lp_pool_t *pool, lp_connection_t *connection)
{
    lp_queue_remove(&pool->idle, &connection->order);
    lp_queue_remove(&pool->group[connection->group], &connection->mates);
}


static lp_connection_t *
of_order(lp_link_t *link)
{
    return link == NULL ? NULL : lp_queue_thing(link, lp_connection_t, order);
}
