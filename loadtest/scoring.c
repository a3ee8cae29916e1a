/*
 * What is counted when. Latency from the scheduled moment is taken of whole
 * answers, right or wrong, and of clicks that ran into a time limit, sent or
 * not: those have waited at least that long, and leaving them out would make
 * the worst moments look good. A connection that is refused or reset ended
 * early and says nothing of waiting: it is counted, and no time is taken.
 *
 * One process writes, so that a relaxed load and store make a counter.
 */

#include "scoring.h"

#define add(counter, n)                                                        \
    atomic_store_explicit(                                                     \
        &(counter),                                                            \
        atomic_load_explicit(&(counter), memory_order_relaxed) + (n),          \
        memory_order_relaxed)

static lp_second_t *second_of(lp_score_t *score, const lp_arrival_t *arrival);
static void count_connection(lp_counts_t *counts,
                             const lp_connection_t *connection);
static void count_end(lp_counts_t *counts, const lp_ending_t *ending);


void
lp_scoring_scheduled(lp_score_t *score, const lp_arrival_t *arrival,
                     int64_t slip_ns)
{
    lp_second_t *second = second_of(score, arrival);

    score->counts.scheduled++;
    if (second != NULL) {
        second->counts.scheduled++;
    }
    lp_histogram_record(&score->slip.h, slip_ns / 1000);
    add(score->live_scheduled, 1);
}


void
lp_scoring_sent(lp_score_t *score, const lp_arrival_t *arrival)
{
    lp_second_t *second = second_of(score, arrival);

    score->counts.sent++;
    if (second != NULL) {
        second->counts.sent++;
    }
}


void
lp_scoring_retried(lp_score_t *score, const lp_arrival_t *arrival)
{
    lp_second_t *second = second_of(score, arrival);

    score->counts.retried++;
    if (second != NULL) {
        second->counts.retried++;
    }
}


void
lp_scoring_connected(lp_score_t *score, const lp_arrival_t *arrival,
                     const lp_connection_t *connection, int64_t took_ns)
{
    lp_second_t *second = arrival == NULL ? NULL : second_of(score, arrival);

    count_connection(&score->counts, connection);
    if (second != NULL) {
        count_connection(&second->counts, connection);
    }
    lp_histogram_record(&score->connect.h, took_ns / 1000);
}


static void
count_connection(lp_counts_t *counts, const lp_connection_t *connection)
{
    counts->connected++;
    if (connection->ssl != NULL) {
        if (SSL_session_reused(connection->ssl)) {
            counts->tls_resumed++;
        } else {
            counts->tls_full++;
        }
    }
}


void
lp_scoring_ended(lp_score_t *score, const lp_flight_t *flight,
                 const lp_ending_t *ending)
{
    lp_second_t *second = second_of(score, &flight->arrival);
    int64_t      us = (ending->now_ns - flight->at_ns) / 1000;

    count_end(&score->counts, ending);
    add(score->live_ended[ending->end], 1);
    if (second != NULL) {
        count_end(&second->counts, ending);
    }

    if (ending->timed) {
        lp_histogram_record(&score->schedule.h, us);
        if (second != NULL) {
            lp_histogram_record(&second->latency.h, us);
        }
        if (ending->first_use) {
            lp_histogram_record(&score->activation.h, us);
        }
    }
    if (ending->first_use) {
        score->first_uses++;
    }
    if (ending->whole) {
        lp_histogram_record(&score->service.h,
                            (ending->now_ns - flight->sent_ns) / 1000);
    }
}


static void
count_end(lp_counts_t *counts, const lp_ending_t *ending)
{
    counts->ended[ending->end]++;
    if (ending->whole) {
        if (ending->outcome < LP_OUTCOMES) {
            counts->outcome[ending->outcome]++;
        } else {
            counts->other++;
        }
    }
    if (ending->first_use && ending->end == LP_END_RIGHT) {
        counts->activated++;
    }
}


static lp_second_t *
second_of(lp_score_t *score, const lp_arrival_t *arrival)
{
    return lp_score_second(score, arrival->at_ns / LP_SECOND_NS);
}
