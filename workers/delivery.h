/*
 * All receivers of the relay: who they are, and their turns.
 */

#ifndef LP_DELIVERY_H
#define LP_DELIVERY_H

#include "receiver.h"

typedef struct lp_delivery_s lp_delivery_t;

/* tools must live as long. NULL: no memory. */
lp_delivery_t *lp_delivery_create(lp_relay_tools_t *tools);

void lp_delivery_destroy(lp_delivery_t *delivery);

/* Something was put into this party's outbox. */
void lp_delivery_expect(lp_delivery_t *delivery, lp_span_t oin);

/*
 * Reads from Redis which receivers there are, and their pauses, which an
 * operator may have ended; looks into all outboxes again.
 */
lp_relay_lock_status_t lp_delivery_refresh(lp_delivery_t *delivery);

/* A step of each receiver (receiver.h); ends at the first that fails. */
lp_relay_lock_status_t lp_delivery_step(lp_delivery_t *delivery,
                                        int only_finish);

/* 1 where a step has something to do now, or will when an answer comes. */
int lp_delivery_busy(const lp_delivery_t *delivery);

/* Milliseconds until the first pause ends, at most max. */
int lp_delivery_rest(const lp_delivery_t *delivery, int max);

/* Breaks off what flies and forgets what is in memory: the lock was lost. */
void lp_delivery_forget(lp_delivery_t *delivery);

/* Says what was sent since it last did. */
void lp_delivery_tell(lp_delivery_t *delivery);

#endif
