/*
 * The engines of a run as processes, seen from the one that watches: started,
 * told what to do, their finished seconds added up, their end explained.
 */

#ifndef LP_ENGINES_H
#define LP_ENGINES_H

#include <sys/types.h>

#include "engine.h"
#include "result.h"

#define LP_ENGINES_MAX 64

typedef struct {
    pid_t       pid; /* 0: it has ended, and nothing is left of it */
    lp_score_t *score;
} lp_engine_process_t;

typedef struct {
    unsigned            n;
    lp_engine_process_t list[LP_ENGINES_MAX];
    int64_t             taken;        /* seconds before it were taken */
    int64_t             lost;         /* of them, those that one of the engines
                                         had no room for */
    int                 punctual;     /* they run before all else */
    char                trouble[200]; /* the first; "": none */
    lp_second_t        *sum;
} lp_engines_t;

/*
 * Starts n engines after model: shard (model->shard * n + k) of
 * (model->shards * n). Returns 0; -1 after lp_say(). lp_engines_free() must
 * follow either way.
 */
int lp_engines_start(lp_engines_t *engines, const lp_engine_t *model,
                     unsigned n);

/* Sees who has ended, and keeps why. Returns how many have not. */
unsigned lp_engines_watch(lp_engines_t *engines);

/* Clicks a second, in thousandths of the plan's. */
void lp_engines_factor(lp_engines_t *engines, uint32_t thousandths);

/* 1: schedule no more; 2: at once. */
void lp_engines_stop(lp_engines_t *engines, int how);

/* Ends those that do not end by themselves, and says so in trouble. */
void lp_engines_kill(lp_engines_t *engines);

/* The next second that all engines have finished, added up; NULL: none is. It
   lasts until the next call. Those that are lost are passed over: a sum without
   one engine's clicks would be none. */
const lp_second_t *lp_engines_second(lp_engines_t *engines);

/* Adds all engines' totals, as they stand. */
void lp_engines_totals(const lp_engines_t *engines, lp_result_t *result);

/* CPU time of the busiest. */
int64_t lp_engines_busiest(const lp_engines_t *engines);

void lp_engines_free(lp_engines_t *engines);

#endif
