/*
 * population.json: what a population was made from.
 */

#ifndef LP_POPULATION_FILE_H
#define LP_POPULATION_FILE_H

#include "new_file.h"
#include "population.h"

/* 0; 1 where DIR holds none; -1 after lp_say(). */
int lp_census_read(lp_census_t *census, const char *dir);

int lp_census_write(const lp_population_t *population, const char *dir);

/* The first thing in which two differ: "pupils"; NULL: nothing. */
const char *lp_census_differs(const lp_census_t *a, const lp_census_t *b);

/* What tokens of this census, by the keys of DIR/jwks.json, are stamped with
   (LP_STAMP_BYTES). 0, -1 after lp_say(). */
int lp_population_stamp(unsigned char *stamp, const lp_census_t *census,
                        const char *dir);

#endif
