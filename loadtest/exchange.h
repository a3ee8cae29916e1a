/*
 * What happens on connections: they are opened, carry a request and its
 * answer, become idle, are closed.
 */

#ifndef LP_LOAD_EXCHANGE_H
#define LP_LOAD_EXCHANGE_H

#include "clicks.h"

/* Opens one for a click, or, flight NULL, ahead. Returns 0, or an errno: of
   this machine (lp_connection_shortage()) or of the target's. */
int lp_exchange_open(lp_rig_t *rig, lp_flight_t *flight, unsigned group);

/* Sends a click's request over an idle connection that was taken from the
   pool, or one that has just been opened. */
void lp_exchange_send(lp_rig_t *rig, lp_connection_t *connection,
                      lp_flight_t *flight);

/* What epoll says about it. */
void lp_exchange_event(lp_rig_t *rig, lp_connection_t *connection,
                       uint32_t events);

/* Closes it, idle or not; its flight, if any, is the caller's again. */
void lp_exchange_close(lp_rig_t *rig, lp_connection_t *connection);

/* Closes what took too long to open, and what is idle for too long. */
void lp_exchange_late(lp_rig_t *rig, int64_t now_ns);

/* When no click is in flight any more. */
void lp_exchange_close_all(lp_rig_t *rig);

/* After a batch of events: memory of connections that are gone. */
void lp_exchange_sweep(lp_rig_t *rig);

#endif
