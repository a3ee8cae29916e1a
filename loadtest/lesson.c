/*
 * Who of a class is there and how long each takes belongs to the session: when
 * the class clicks again, on another product, the same come in the same order.
 * Moments are uniform over the window, and the earliest of them is the
 * teacher's: so the window as a whole stays uniform, which is what
 * lp_plan_expected() reckons with.
 */

#include "lesson.h"

static void
keep_sorted(lp_lesson_t *lesson, unsigned who, int64_t at_ns)
{
    unsigned i;

    for (i = lesson->n++; i > 0 && lesson->at_ns[i - 1] > at_ns; i--) {
        lesson->at_ns[i] = lesson->at_ns[i - 1];
        lesson->who[i] = lesson->who[i - 1];
    }
    lesson->at_ns[i] = at_ns;
    lesson->who[i] = (uint8_t) who;
}

static void
teacher_first(lp_lesson_t *lesson)
{
    unsigned i;

    for (i = 0; lesson->who[i] != 0; i++) {
    }
    lesson->who[i] = lesson->who[0];
    lesson->who[0] = 0;
}

void
lp_lesson_begin(lp_lesson_t *lesson, const lp_population_t *population,
                uint64_t session, uint64_t event, int64_t start_ns,
                double seconds)
{
    lp_random_t random;
    uint32_t    classes = lp_population_classes(population);
    unsigned    i;
    double      there, offset;

    lp_random_seed(&random, session, 0);
    lp_population_class(population,
                        (uint32_t) lp_random_below(&random, classes),
                        &lesson->class);
    lesson->seed = event;
    lesson->slot = (uint8_t) (lp_random_of(event, LP_SHELF) % LP_SHELF);
    lesson->n = 0;
    lesson->next = 0;
    for (i = 0; i < lesson->class.members && i <= LP_CLASS_PUPILS; i++) {
        there = lp_random_unit(&random);
        offset = lp_random_unit(&random);
        if (i == 0 || there < LP_LESSON_PRESENT) {
            keep_sorted(lesson, i, start_ns
                                       + (int64_t) (offset * seconds * 1e9));
        }
    }
    teacher_first(lesson);
}

double
lp_lesson_size(const lp_population_t *population)
{
    double mean = (double) lp_population_members(population)
                  / (double) lp_population_classes(population);

    return 1 + LP_LESSON_PRESENT * (mean - 1);
}
