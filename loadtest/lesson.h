/*
 * A class that clicks: "open your books". One product, each of its members
 * once, the teacher first, within the plan's seconds.
 */

#ifndef LP_LESSON_H
#define LP_LESSON_H

#include "population.h"

/* Of a class' pupils, those who are there; the teacher always is. */
#define LP_LESSON_PRESENT 0.96

typedef struct {
    lp_class_t class;
    uint64_t   seed;  /* of its clicks */
    uint8_t    again; /* the class clicked before, in this lesson */
    uint8_t    slot;
    uint8_t    n;     /* who clicks */
    uint8_t    next;
    uint8_t    who[LP_CLASS_PUPILS + 1]; /* of the class' members */
    int64_t    at_ns[LP_CLASS_PUPILS + 1]; /* ascending */
} lp_lesson_t;

/*
 * session: which class, who is there and how quick each of them is; event:
 * which product. start_ns: when it begins.
 */
void lp_lesson_begin(lp_lesson_t *lesson, const lp_population_t *population,
                     uint64_t session, uint64_t event, int64_t start_ns,
                     double seconds);

/* How many click, on average over all classes. */
double lp_lesson_size(const lp_population_t *population);

#endif
