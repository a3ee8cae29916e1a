/*
 * What an engine counts, in memory that it shares with the process that
 * watches it. One writer each: the engine writes all but `control`. Nothing in
 * it grows: seconds are a ring, and whoever watches takes them out in time.
 *
 * A click belongs to the second for which it was scheduled, whenever its
 * answer came; so a second is finished only when the last of its clicks must
 * have ended. Counters of one second may be read once finished says so.
 */

#ifndef LP_SCORE_H
#define LP_SCORE_H

#include <stdatomic.h>
#include <stdint.h>

#include "../core/outcome.h"
#include "histogram.h"

#define LP_SCORE_SECONDS 128 /* of the ring; time limits are at most 60 s */

/* How a click ended, as the judge sees it. */
typedef enum {
    LP_END_RIGHT = 0,       /* what this pupil had to get */
    LP_END_WRONG_REDIRECT,  /* to another place: never */
    LP_END_WRONG_OUTCOME,   /* another outcome or status */
    LP_END_UNAVAILABLE,     /* 503, or another 5xx */
    LP_END_LIMITED,         /* 429 */
    LP_END_NO_CONNECTION,   /* refused, unreachable */
    LP_END_TLS,
    LP_END_RESET,           /* closed or reset before the answer was whole */
    LP_END_MALFORMED,       /* no HTTP/1.1, too long a header, ... */
    LP_END_LATE,            /* a time limit */
    LP_END_MISSED,          /* never sent: no connection was free in time,
                               or this tool was behind */
    LP_ENDS
} lp_end_t;

typedef struct {
    uint64_t scheduled;
    uint64_t sent;
    uint64_t ended[LP_ENDS];
    uint64_t outcome[LP_OUTCOMES]; /* of whole answers, by Leerpoort-Outcome */
    uint64_t other;            /* whole answers without it */
    uint64_t activated;        /* first uses that were answered right */
    uint64_t retried;          /* over a reused connection closed unused */
    uint64_t connected;        /* new connections */
    uint64_t tls_full;
    uint64_t tls_resumed;
} lp_counts_t;

typedef struct {
    int64_t     second;  /* since the beginning; -1: unused */
    lp_counts_t counts;
    lp_coarse_t latency; /* from the scheduled moment, us */
} lp_second_t;

typedef struct {
    /* All of the run. */
    lp_counts_t counts;
    lp_fine_t   schedule;   /* from the scheduled moment: the headline */
    lp_fine_t   service;    /* from sending */
    lp_fine_t   activation; /* first uses, from the scheduled moment */
    lp_fine_t   connect;    /* connection and TLS handshake */
    lp_fine_t   slip;       /* this tool's own lateness */
    uint64_t    missed_by_tool; /* of LP_END_MISSED: the tool was behind */
    uint64_t    most_open;  /* connections at once */
    uint64_t    first_uses; /* that ended, those without a time too */

    lp_second_t second[LP_SCORE_SECONDS]; /* second s at s % ... */
    int64_t lost;             /* the last that found its slot not taken; -1:
                                 none did */
    _Atomic int64_t finished; /* all seconds before it are */
    _Atomic int64_t taken;    /* by whoever watches: all before it */

    /* The moment, for the live line: of answers that come now. */
    _Atomic uint64_t live_ended[LP_ENDS];
    _Atomic uint64_t live_scheduled;
    _Atomic uint64_t in_flight;
    _Atomic uint64_t waiting; /* scheduled, not sent yet */
    _Atomic uint64_t open;    /* connections */
    _Atomic int64_t  cpu_ns;  /* of the engine's process */
    _Atomic int      ended;   /* the engine is done, all of it is written */
    _Atomic int      failed;  /* errno of why it could not go on */

    /* From whoever watches to the engine. */
    struct {
        _Atomic uint32_t factor; /* of the rate, in thousandths */
        _Atomic int      stop;   /* 1: schedule no more; 2: at once */
    } control;
} lp_score_t;

/* In shared anonymous memory, emptied; NULL: out of memory. */
lp_score_t *lp_score_create(void);
void lp_score_destroy(lp_score_t *score);

/* The engine's: the slot of a second, made ready when it is new. NULL where
   whoever watches has not taken what was there yet; then only totals count. */
lp_second_t *lp_score_second(lp_score_t *score, int64_t second);

void lp_counts_add(lp_counts_t *into, const lp_counts_t *from);

/* Every end but LP_END_RIGHT and LP_END_MISSED. */
uint64_t lp_counts_errors(const lp_counts_t *counts);

/* All ends together. */
uint64_t lp_counts_ended(const lp_counts_t *counts);

/* "wrong-redirect": of reports. */
const char *lp_end_name(lp_end_t end);

#endif
