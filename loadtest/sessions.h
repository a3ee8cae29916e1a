/*
 * Who of those who clicked clicks again: of a stream of events, which belong
 * to the same session. A session is somebody's clicks with one token, so many
 * on average, with think times between them.
 */

#ifndef LP_SESSIONS_H
#define LP_SESSIONS_H

#include <stdint.h>

#include "stream.h"

#define LP_SESSION_ROUNDS 64 /* a session is no longer */

typedef struct {
    const lp_stream_t *stream;
    uint64_t seed;
    double   begins; /* chance that an event begins a session */
    double   think;  /* seconds between two of a session */
    double   end;    /* of the stream */

    uint64_t next;   /* no number below it will be asked for */
    double   start;  /* of the round in hand, seconds */
    uint64_t round;
    uint64_t first;  /* its first event's number */
    uint64_t size;   /* its events */
    uint64_t factor, shift; /* how its events are shuffled */
    uint64_t round_seed[LP_SESSION_ROUNDS]; /* of the last rounds */
    uint64_t round_size[LP_SESSION_ROUNDS];
} lp_sessions_t;

/* reuse: events of a session, mean, at least 1. */
void lp_sessions_begin(lp_sessions_t *sessions, const lp_stream_t *stream,
                       uint64_t seed, double reuse, double think);

/* The session of the stream's event; numbers ascend from call to call. *again:
   whether it had an event before. */
uint64_t lp_sessions_find(lp_sessions_t *sessions, uint64_t number,
                          int *again);

/* The stream's factor was changed, at t. */
void lp_sessions_turn(lp_sessions_t *sessions, double t);

#endif
