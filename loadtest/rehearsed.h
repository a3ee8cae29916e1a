/*
 * A Redis of a rehearsal says so: the hash "rehearsal" names the population
 * that it holds, and how that came in. Nothing is loaded into a Redis that
 * holds anybody else, and nothing is compared with one that holds another
 * population.
 */

#ifndef LP_REHEARSED_H
#define LP_REHEARSED_H

#include "../workers/record.h"
#include "population.h"

typedef struct {
    int     empty; /* nothing but what idle workers leave */
    int     sold;  /* the rights came through the API */
    int     whole; /* loading came to its end */
    int64_t at;    /* when; Unix time */
    char    party[LP_OIN_LEN + 1]; /* of straight rights; "": nobody */
} lp_rehearsed_t;

/*
 * Whether a population may be loaded here, by the names of keys. LP_YES; LP_NO
 * after saying whose Redis it is.
 */
int lp_rehearsed_claim(lp_rehearsed_t *rehearsed, lp_store_t *store,
                       const lp_population_t *population);

/* Whether it holds this population, wholly. LP_YES; LP_NO after saying why. */
int lp_rehearsed_check(lp_rehearsed_t *rehearsed, lp_store_t *store,
                       const lp_population_t *population);

/* Writes the hash. 0; -1 after lp_say(). */
int lp_rehearsed_write(const lp_rehearsed_t *rehearsed, lp_store_t *store,
                       const lp_population_t *population);

#endif
