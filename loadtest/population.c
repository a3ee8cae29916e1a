/*
 * People and products. Nothing is stored that a number can say: the i-th
 * school's size, what a class uses and what a member holds (shelf.c) are drawn
 * by lp_random_of(), each from numbers of its own, when somebody asks. Only
 * products and the schools' first classes are tables; 2.4 million pupils take
 * some kilobytes.
 *
 * All classes but the last have LP_CLASS_PUPILS pupils, so that a member's
 * class is a division.
 */

#include "population.h"

#include <stdlib.h>

#include "population_inside.h"

#define SET_SIZE    5    /* products of a set, about */
#define FREE_EVERY  25   /* one product in so many is open material */
#define FREE_FIRST  17   /* no popular one: 4 % of clicks would be free */

/* School sizes in classes. In the Netherlands 60 % of pupils are at primary
   schools, which are smaller (2022/23: 1.44 of 2.41 million). */
#define PRIMARY       0.84 /* of schools */
#define PRIMARY_MIN   8
#define PRIMARY_MAX   16
#define SECONDARY_MIN 25
#define SECONDARY_MAX 60
#define SCHOOLS_MIN   16 /* about; a village's are smaller */

/* Schools. */

/* Classes of a school; most: no more than these. */
static uint32_t
school_size(const lp_population_t *population, uint32_t school, uint32_t most)
{
    lp_random_t random;
    uint32_t    least = SECONDARY_MIN, span = SECONDARY_MAX - SECONDARY_MIN;
    uint32_t    size;

    lp_random_seed(&random, population->seed[LP_OF_SCHOOLS], school);
    if (lp_random_unit(&random) < PRIMARY) {
        least = PRIMARY_MIN;
        span = PRIMARY_MAX - PRIMARY_MIN;
    }
    size = least + (uint32_t) lp_random_below(&random, span + 1);
    return size < most ? size : most;
}

static int
make_schools(lp_population_t *population)
{
    uint32_t class = 0, n = 0, most, least;

    most = population->classes / SCHOOLS_MIN + 1;
    least = most < PRIMARY_MIN ? most : PRIMARY_MIN;
    population->school_first = calloc(population->classes / least + 2,
                                      sizeof(*population->school_first));
    if (population->school_first == NULL) {
        return -1;
    }
    while (class < population->classes) {
        population->school_first[n] = class;
        class += school_size(population, n, most);
        n++;
    }
    population->school_first[n] = population->classes;
    population->schools = n;
    return 0;
}

uint32_t
lp_population_school_of(const lp_population_t *population, uint32_t class)
{
    const uint32_t *first = population->school_first;
    uint32_t        n = population->schools, half;

    /* the last that does not begin after class; without jumps to guess */
    while (n > 1) {
        half = n / 2;
        first = first[half] <= class ? first + half : first;
        n -= half;
    }
    return (uint32_t) (first - population->school_first);
}

/* Products: the i-th is the i-th most popular. */

static int
make_items(lp_population_t *population)
{
    uint32_t   i, n = population->census.products, sets;
    uint64_t   drawn;
    lp_item_t *item;

    population->items = calloc(n, sizeof(*population->items));
    if (population->items == NULL) {
        return -1;
    }
    sets = n / (2 * SET_SIZE) + 1;
    for (i = 0; i < n; i++) {
        item = &population->items[i];
        drawn = lp_property(population, LP_OF_PRODUCTS, i);
        item->host = (uint8_t) (drawn % LP_HOSTS);
        item->deep = (drawn >> 32) % 3 != 0;
        item->free = i % FREE_EVERY == FREE_FIRST;
        item->set = i % 2 == 0 ? 0 : i / 2 % sets + 1;
    }
    return 0;
}

/*
 * For each of n equal parts of 0 to 1 the rank that its beginning falls to:
 * drawing begins there, and is one or two steps instead of a search.
 */
static int
make_guide(lp_population_t *population)
{
    uint32_t i, n = population->census.products;

    if (lp_zipf_make(&population->zipf, n, population->census.zipf) != 0) {
        return -1;
    }
    population->guide = calloc(n, sizeof(*population->guide));
    if (population->guide == NULL) {
        return -1;
    }
    for (i = 0; i < n; i++) {
        population->guide[i]
            = lp_zipf_rank(&population->zipf, (double) i / n);
    }
    return 0;
}

/* The population. */

static int
make_population(lp_population_t *population)
{
    uint32_t i, pupils = population->census.pupils;

    for (i = 0; i < LP_PROPERTIES; i++) {
        population->seed[i] = lp_random_of(population->census.seed, i);
    }
    population->classes = (pupils + LP_CLASS_PUPILS - 1) / LP_CLASS_PUPILS;
    population->members = pupils + population->classes;
    if (make_schools(population) != 0 || make_items(population) != 0
        || make_guide(population) != 0) {
        return -1;
    }
    lp_population_bounds(population);
    return 0;
}

lp_population_t *
lp_population_of(const lp_census_t *census)
{
    lp_population_t *population = calloc(1, sizeof(*population));

    if (population == NULL) {
        return NULL;
    }
    population->census = *census;
    if (make_population(population) != 0) {
        lp_population_close(population);
        return NULL;
    }
    return population;
}

void
lp_population_close(lp_population_t *population)
{
    if (population == NULL) {
        return;
    }
    lp_token_file_close(&population->expired);
    lp_token_file_close(&population->tokens);
    lp_zipf_free(&population->zipf);
    free(population->guide);
    free(population->items);
    free(population->school_first);
    free(population);
}

const lp_census_t *
lp_population_census(const lp_population_t *population)
{
    return &population->census;
}

uint32_t
lp_population_schools(const lp_population_t *population)
{
    return population->schools;
}

uint32_t
lp_population_classes(const lp_population_t *population)
{
    return population->classes;
}

uint32_t
lp_population_members(const lp_population_t *population)
{
    return population->members;
}

void
lp_population_class(const lp_population_t *population, uint32_t number,
                    lp_class_t *class)
{
    class->number = number;
    class->school = lp_population_school_of(population, number);
    class->first = number * LP_CLASS_MEMBERS;
    class->members = number + 1 < population->classes
                         ? LP_CLASS_MEMBERS
                         : population->members - class->first;
}

uint32_t
lp_population_class_of(const lp_population_t *population, uint32_t member)
{
    (void) population;
    return member / LP_CLASS_MEMBERS;
}

int
lp_population_teaches(const lp_population_t *population, uint32_t member)
{
    (void) population;
    return member % LP_CLASS_MEMBERS == 0;
}

int
lp_population_deep(const lp_population_t *population, uint32_t product)
{
    return population->items[product].deep;
}

int
lp_population_free(const lp_population_t *population, uint32_t product)
{
    return population->items[product].free;
}

lp_span_t
lp_population_token(const lp_population_t *population, uint32_t member)
{
    return lp_token_file_get(&population->tokens, member);
}

lp_span_t
lp_population_expired_token(const lp_population_t *population, uint32_t i)
{
    return lp_token_file_get(&population->expired, i);
}

uint32_t
lp_population_expired(const lp_population_t *population)
{
    return population->expired.map == NULL ? 0
                                           : population->expired.head.slots;
}

int64_t
lp_population_tokens_until(const lp_population_t *population)
{
    return population->tokens.map == NULL ? 0 : population->tokens.head.exp;
}
