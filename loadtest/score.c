/*
 * The score of one engine, in memory that it shares with whoever watches.
 *
 * The ring of seconds needs no lock. The engine writes a second until it says,
 * by `finished`, that nothing more will come; whoever watches reads it after
 * that and says so by `taken`; only then may the engine use the slot again, for
 * the second that comes LP_SCORE_SECONDS later. Both numbers only rise. A
 * watcher that was stopped (Ctrl-Z) costs seconds in seconds.csv, no click in
 * the totals. A second that began without a slot gets none later on: with a
 * part of its clicks it would look like a quiet one.
 */

#include "score.h"

#include <stddef.h>
#include <string.h>

#include <sys/mman.h>

#include "child.h"

#define COUNTS (sizeof(lp_counts_t) / sizeof(uint64_t))

_Static_assert(sizeof(lp_counts_t) % sizeof(uint64_t) == 0
                   && offsetof(lp_counts_t, tls_resumed)
                          == (COUNTS - 1) * sizeof(uint64_t),
               "lp_counts_add() takes it for so many uint64_t");

static const char *const end_names[LP_ENDS] = {
    [LP_END_RIGHT] = "right",
    [LP_END_WRONG_REDIRECT] = "wrong-redirect",
    [LP_END_WRONG_OUTCOME] = "wrong-outcome",
    [LP_END_UNAVAILABLE] = "unavailable",
    [LP_END_LIMITED] = "limited",
    [LP_END_NO_CONNECTION] = "no-connection",
    [LP_END_TLS] = "tls",
    [LP_END_RESET] = "reset",
    [LP_END_MALFORMED] = "malformed",
    [LP_END_LATE] = "late",
    [LP_END_MISSED] = "missed",
};


lp_score_t *
lp_score_create(void)
{
    lp_score_t *score = lp_child_memory(sizeof(lp_score_t));
    unsigned    i;

    if (score == NULL) {
        return NULL;
    }

    lp_histogram_reset(&score->schedule.h, LP_FINE);
    lp_histogram_reset(&score->service.h, LP_FINE);
    lp_histogram_reset(&score->activation.h, LP_FINE);
    lp_histogram_reset(&score->connect.h, LP_FINE);
    lp_histogram_reset(&score->slip.h, LP_FINE);

    for (i = 0; i < LP_SCORE_SECONDS; i++) {
        score->second[i].second = -1;
        lp_histogram_reset(&score->second[i].latency.h, LP_COARSE);
    }

    score->lost = -1;
    atomic_store(&score->control.factor, 1000);

    return score;
}


void
lp_score_destroy(lp_score_t *score)
{
    if (score != NULL) {
        munmap(score, sizeof(lp_score_t));
    }
}


lp_second_t *
lp_score_second(lp_score_t *score, int64_t second)
{
    lp_second_t *slot;

    if (second < atomic_load_explicit(&score->finished, memory_order_relaxed)) {
        return NULL;
    }

    slot = &score->second[second % LP_SCORE_SECONDS];
    if (slot->second == second) {
        return slot;
    }

    if (second <= score->lost
        || second - atomic_load_explicit(&score->taken, memory_order_acquire)
               >= LP_SCORE_SECONDS)
    {
        score->lost = second > score->lost ? second : score->lost;
        return NULL;
    }

    memset(&slot->counts, 0, sizeof(slot->counts));
    lp_histogram_reset(&slot->latency.h, LP_COARSE);
    slot->second = second;

    return slot;
}


void
lp_counts_add(lp_counts_t *into, const lp_counts_t *from)
{
    const uint64_t *source = &from->scheduled;
    uint64_t       *to = &into->scheduled;
    size_t          i;

    for (i = 0; i < COUNTS; i++) {
        to[i] += source[i];
    }
}


uint64_t
lp_counts_errors(const lp_counts_t *counts)
{
    uint64_t errors = 0;
    unsigned end;

    for (end = 0; end < LP_ENDS; end++) {
        if (end != LP_END_RIGHT && end != LP_END_MISSED) {
            errors += counts->ended[end];
        }
    }

    return errors;
}


uint64_t
lp_counts_ended(const lp_counts_t *counts)
{
    return counts->ended[LP_END_RIGHT] + counts->ended[LP_END_MISSED]
           + lp_counts_errors(counts);
}


const char *
lp_end_name(lp_end_t end)
{
    return end < LP_ENDS ? end_names[end] : "unknown";
}
