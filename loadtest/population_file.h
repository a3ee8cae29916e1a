/*
 * population.json: what a population was made from.
 */

#ifndef LP_POPULATION_FILE_H
#define LP_POPULATION_FILE_H

#include <jansson.h>

#include "population.h"

#define LP_FILE_MAX 4096 /* room for a path */

/* DIR/name into dst (LP_FILE_MAX bytes). 0, -1 after lp_say(). */
int lp_population_path(char *dst, const char *dir, const char *name);

/* 0; 1 where DIR holds none; -1 after lp_say(). */
int lp_census_read(lp_census_t *census, const char *dir);

/* Writes a whole file beside its place, then renames it. 0, -1 after
   lp_say(). */
int lp_file_write(const char *path, unsigned mode, const char *text,
                  size_t len);

/* The same of JSON, wiped afterwards: it may be a key. */
int lp_file_write_json(const char *path, unsigned mode, const json_t *object);

int lp_census_write(const lp_population_t *population, const char *dir);

/* The first thing in which two differ: "pupils"; NULL: nothing. */
const char *lp_census_differs(const lp_census_t *a, const lp_census_t *b);

/* What tokens of this census, by the keys of DIR/jwks.json, are stamped with
   (LP_STAMP_BYTES). 0, -1 after lp_say(). */
int lp_population_stamp(unsigned char *stamp, const lp_census_t *census,
                        const char *dir);

#endif
