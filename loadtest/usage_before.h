/*
 * What usage and journals add up to before a run, so that `verify` knows
 * afterwards what the run added: DIR/usage-before.json.
 */

#ifndef LP_USAGE_BEFORE_H
#define LP_USAGE_BEFORE_H

#include "../workers/store.h"
#include "population.h"

#define LP_USAGE_FILE "usage-before.json"

typedef struct {
    int64_t   at_ms;    /* Unix time, of Redis */
    uint64_t  journal;  /* entries that were ever added to all journals */
    uint64_t *clicks;   /* of each product, in the weeks that follow */
    uint64_t  waiting;  /* of all of them, in streams: not tallied yet */
    uint32_t  products;
    uint32_t  since;    /* YYYYMMDD: weeks from this day's on count */
} lp_usage_before_t;

/* Adds up what Redis has now, tallied or waiting, from the week of since (0:
   this one) on. 0; -1 after lp_say(). lp_usage_before_free() must follow
   either way. */
int lp_usage_now(lp_usage_before_t *usage, lp_store_t *store,
                 lp_store_t *aside, const lp_population_t *population,
                 uint32_t since);

/* Adds to the clicks those of the weeks from since on that wait in streams.
   aside: for questions about a reply in hand. 0; -1 after lp_say(). */
int lp_usage_streams(lp_usage_before_t *usage, lp_store_t *store,
                     lp_store_t *aside, const lp_population_t *population);
void lp_usage_before_free(lp_usage_before_t *usage);

/* Both 0; -1 after lp_say(). */
int lp_usage_before_write(const lp_usage_before_t *usage, const char *dir,
                          const lp_population_t *population);
int lp_usage_before_read(lp_usage_before_t *usage, const char *dir,
                         const lp_population_t *population);

#endif
