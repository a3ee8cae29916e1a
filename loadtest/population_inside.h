/*
 * What a population is inside: for the files that make it (population*.c).
 * Everybody else takes population.h.
 */

#ifndef LP_POPULATION_INSIDE_H
#define LP_POPULATION_INSIDE_H

#include "population.h"
#include "token_file.h"

#define LP_CLASS_MEMBERS (LP_CLASS_PUPILS + 1)
#define LP_PUPILS_MAX    20000000
#define LP_SEED_MAX      (INT64_MAX / 16) /* 18 digits */
#define LP_PRODUCTS_MAX  100000
#define LP_PRODUCTS_MIN  20 /* more than a shelf, or all classes are alike */
#define LP_ZIPF_MAX      3.0
#define LP_HOSTS         40 /* publishers' hosts */

/* Each property has numbers of its own. */
typedef enum {
    LP_OF_SCHOOLS = 0,
    LP_OF_SHELVES,
    LP_OF_SETS,
    LP_OF_OPEN,
    LP_OF_HOLDS,
    LP_OF_PERSONS,
    LP_OF_RIGHTS,
    LP_OF_OPEN_RIGHTS,
    LP_OF_PRODUCTS,
    LP_PROPERTIES
} lp_property_t;

typedef struct {
    uint32_t set;  /* its number and one; 0: in none */
    uint8_t  host;
    uint8_t  deep;
    uint8_t  free;
} lp_item_t;

/* The class that was asked for last, and how much of its shelf is known. */
typedef struct {
    uint32_t class;
    uint32_t school;
    uint32_t tries; /* draws until now */
    unsigned n;
    uint32_t shelf[LP_SHELF];
} lp_recent_t;

struct lp_population_s {
    lp_census_t census;
    uint64_t    seed[LP_PROPERTIES];
    uint32_t    classes, members, schools;
    uint32_t   *school_first; /* the first class of each, and the end */
    lp_item_t  *items;        /* products */
    uint32_t   *guide;        /* where to begin in zipf, by hundredths or so */
    lp_zipf_t   zipf;

    /* What draws are compared with: parts of 2^64. */
    uint64_t set_below;  /* a member has a right to a set */
    uint64_t open_below; /* a school has an open right to a product */
    uint64_t hold_below[LP_HOLDS]; /* of the rest; cumulated */

    /* Of one process: what is drawn is the same whoever asks. */
    lp_recent_t recent;

    lp_token_file_t tokens, expired;
};

/* A number of a property. */
static inline uint64_t
lp_property(const lp_population_t *population, lp_property_t property,
            uint64_t i)
{
    return lp_random_of(population->seed[property], i);
}

/* Two numbers as one. */
static inline uint64_t
lp_pair(uint32_t a, uint32_t b)
{
    return (uint64_t) a << 32 | b;
}

uint32_t lp_population_school_of(const lp_population_t *population,
                                 uint32_t class);

/* From the census' shares to what draws are compared with; the last step of
   making a population (shelf.c). */
void lp_population_bounds(lp_population_t *population);

/* "" where a census can be lived in, else what is wrong: "--pupils: from 1 to
   20000000". */
const char *lp_census_fault(const lp_census_t *census);

#endif
