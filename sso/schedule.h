/*
 * When a source is fetched: in its turn, sooner where somebody asks, later
 * where it fails. Times are milliseconds of a clock that nobody sets.
 */

#ifndef LP_SCHEDULE_H
#define LP_SCHEDULE_H

#include <stdint.h>

#define LP_MAX_AGE_LEAST 300   /* seconds: what a source may say of itself */
#define LP_MAX_AGE_MOST  86400
#define LP_BACK_OFF      30    /* seconds after a first failure */
#define LP_BACK_OFF_MOST 3600

typedef struct {
    int64_t every_ms; /* where a source does not say how long it is fresh */
    int64_t again_ms; /* between two fetches of a source that were asked for */
} lp_schedule_t;

/* One source's turn. */
typedef struct {
    int64_t  due;
    int64_t  served;   /* when the last one that was asked for began; -1: none
                          yet */
    int      running;
    int      asked;    /* somebody waits for its keys */
    int      hurried;  /* the operator wants it once more */
    unsigned failures; /* one after the other */
} lp_turn_t;

void lp_turn_init(lp_turn_t *turn, int64_t now);

/* Somebody wants it now: it becomes due at once, or as soon as again_ms have
   passed since the last one that somebody wanted began. */
void lp_turn_ask(lp_turn_t *turn, const lp_schedule_t *schedule, int64_t now);

/* The operator wants it now: due at once, and once more where it runs. */
void lp_turn_hurry(lp_turn_t *turn, int64_t now);

void lp_turn_begin(lp_turn_t *turn, int64_t now);

/* It was fetched; max_age as the source said, in seconds, -1: it did not.
   random: any number; it moves the next turn by up to a tenth. */
void lp_turn_succeed(lp_turn_t *turn, const lp_schedule_t *schedule,
                     int64_t now, int64_t max_age, uint32_t random);

/* It failed; retry_after in seconds, 0: not said. */
void lp_turn_fail(lp_turn_t *turn, const lp_schedule_t *schedule, int64_t now,
                  int64_t retry_after, uint32_t random);

#endif
