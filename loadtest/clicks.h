/*
 * A click's way through the engine: it is scheduled, gets a connection or
 * waits for one, and ends. Every one that comes in ends exactly once.
 */

#ifndef LP_LOAD_CLICKS_H
#define LP_LOAD_CLICKS_H

#include "scoring.h"

/* Clicks that may wait for a connection; one that comes on top is missed. */
#define LP_WAITING_MAX 500000

/* A click is due. Returns -1: out of memory. */
int lp_clicks_take(lp_rig_t *rig, const lp_arrival_t *arrival, int64_t now_ns);

/* Gives those that wait what has become free. */
void lp_clicks_launch(lp_rig_t *rig);

/* Ends what has run into its time limit. */
void lp_clicks_late(lp_rig_t *rig, int64_t now_ns);

/* Ends everything: what was sent is late, what was not is missed. */
void lp_clicks_abandon(lp_rig_t *rig);

/* Its request died on a connection that had been idle: once more, on a new
   one. */
void lp_clicks_retry(lp_rig_t *rig, lp_flight_t *flight);

/* Whether an answer that never became whole has sent the pupil to a wrong
   place all the same. NULL: there is none. */
int lp_clicks_astray(lp_rig_t *rig, const lp_flight_t *flight,
                     const lp_answer_t *answer);

/* Without a whole answer. */
void lp_clicks_fail(lp_rig_t *rig, lp_flight_t *flight, lp_end_t how);

/* With one. */
void lp_clicks_answered(lp_rig_t *rig, lp_flight_t *flight,
                        const lp_answer_t *answer);

#endif
