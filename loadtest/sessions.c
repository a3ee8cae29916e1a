/*
 * Sessions without a list of sessions. Time is cut into rounds as long as a
 * mean think time. A round has so many places as events are expected in it;
 * each event takes one, in an order that is shuffled anew each round. Whoever
 * has a place clicks once in every round, after a think time between nothing
 * and twice the mean; in each round a place is left to somebody else with the
 * chance 1 / reuse, so that sessions have `reuse` clicks on average
 * (geometrically). How many clicks there are is left to the curve: who clicks
 * again is no click more.
 *
 * Where the rate rises there are more places, for people who are new; where it
 * falls some end early. What a round's places are is a function of the seed,
 * the number of the round and the place, so that each shard can say it of its
 * own events alone.
 */

#include "sessions.h"

#include <math.h>

#include "random.h"

#define IDENTITY 0x5e55 /* apart from what decides about beginning */

static uint64_t
common_divisor(uint64_t a, uint64_t b)
{
    uint64_t rest;

    while (b != 0) {
        rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Makes the round ready that begins with the event `first`. */
static void
enter_round(lp_sessions_t *sessions)
{
    double   next = lp_stream_expected(sessions->stream,
                                       sessions->start + sessions->think);
    unsigned slot = (unsigned) (sessions->round % LP_SESSION_ROUNDS);
    uint64_t seed = lp_random_of(sessions->seed, sessions->round);
    uint64_t last = sessions->size;

    next -= (double) sessions->first;
    sessions->size = next >= 1 ? (uint64_t) next : 0;
    if (sessions->start >= sessions->end) {
        /* stragglers: chance brought more events than were expected */
        sessions->size = last > 0 ? last : 1;
    }
    sessions->round_seed[slot] = seed;
    sessions->round_size[slot] = sessions->size;
    if (sessions->size > 1) {
        sessions->shift = lp_random_of(seed, 1) % sessions->size;
        sessions->factor = 1 + lp_random_of(seed, 2) % (sessions->size - 1);
        while (common_divisor(sessions->factor, sessions->size) != 1) {
            sessions->factor = 1 + sessions->factor % (sessions->size - 1);
        }
    } else {
        sessions->shift = 0;
        sessions->factor = 0;
    }
}

static void
next_round(lp_sessions_t *sessions)
{
    sessions->round++;
    sessions->first += sessions->size;
    sessions->start += sessions->think;
    enter_round(sessions);
}

void
lp_sessions_begin(lp_sessions_t *sessions, const lp_stream_t *stream,
                  uint64_t seed, double reuse, double think)
{
    const lp_segments_t *segments = &stream->segments;

    *sessions = (lp_sessions_t) {
        .stream = stream,
        .seed = seed,
        .begins = 1 / reuse,
        .think = think,
        .start = segments->list[0].from,
        .end = segments->list[segments->n - 1].to,
    };
    if (reuse > 1) {
        enter_round(sessions);
    }
}

uint64_t
lp_sessions_find(lp_sessions_t *sessions, uint64_t number, int *again)
{
    uint64_t round, place, own;
    unsigned back;

    *again = 0;
    if (sessions->begins >= 1) {
        return lp_random_of(sessions->seed, number);
    }
    sessions->next = number + 1;
    while (number >= sessions->first + sessions->size) {
        next_round(sessions);
    }
    place = (sessions->factor * (number - sessions->first) + sessions->shift)
            % sessions->size;
    round = sessions->round;
    for (back = 0;; back++, round--) {
        own = lp_random_of(sessions->round_seed[round % LP_SESSION_ROUNDS],
                           place + 3);
        if (lp_random_unit_of(own) < sessions->begins || round == 0
            || back + 2 >= LP_SESSION_ROUNDS
            || place >= sessions->round_size[(round - 1)
                                             % LP_SESSION_ROUNDS]) {
            break;
        }
        *again = 1;
    }
    return lp_random_of(own, IDENTITY);
}

/*
 * Places were counted by a rate that is none any more, so a round begins at
 * once. Who had a place that is not there any more is gone.
 */
void
lp_sessions_turn(lp_sessions_t *sessions, double t)
{
    if (sessions->begins >= 1 || sessions->next < sessions->first) {
        return;
    }
    sessions->round++;
    sessions->first = sessions->next;
    sessions->start = t;
    enter_round(sessions);
}
