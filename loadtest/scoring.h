/*
 * The engine's pen: what happens to a click, into its score.
 */

#ifndef LP_LOAD_SCORING_H
#define LP_LOAD_SCORING_H

#include "rig.h"

void lp_scoring_scheduled(lp_score_t *score, const lp_arrival_t *arrival,
                          int64_t slip_ns);
void lp_scoring_sent(lp_score_t *score, const lp_arrival_t *arrival);
void lp_scoring_retried(lp_score_t *score, const lp_arrival_t *arrival);

/* arrival: of the click that it was opened for; NULL: opened ahead. */
void lp_scoring_connected(lp_score_t *score, const lp_arrival_t *arrival,
                          const lp_connection_t *connection, int64_t took_ns);

typedef struct {
    lp_end_t     end;
    int          whole;     /* an answer came whole: */
    lp_outcome_t outcome;   /* or LP_OUTCOME_NONE */
    int          first_use; /* this pupil's right is used first */
    int          timed;     /* it took as long as it took: an answer, or a time
                               limit */
    int64_t      now_ns;
} lp_ending_t;

/* Once for each click that was scheduled. */
void lp_scoring_ended(lp_score_t *score, const lp_flight_t *flight,
                      const lp_ending_t *ending);

#endif
