/*
 * People, shelves and holds. Nothing is stored that a number can say: the i-th
 * school's size, what a class uses and what a member holds are drawn by
 * lp_random_of(), each from numbers of its own, when somebody asks. Only
 * products and the schools' first classes are tables; 2.4 million pupils take
 * some kilobytes.
 *
 * All classes but the last have LP_CLASS_PUPILS pupils, so that a member's
 * class is a division.
 *
 * A right to a set opens all of its products. So it is drawn by member and
 * set, not by slot, and comes before anything else that a member may hold: as
 * it does at the edge, where a licence wins. The other shares are of what is
 * left, widened so that the census is met in the mean.
 */

#include "population.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "population_inside.h"

#define SAMPLE      2048 /* shelves, to know how many slots are of a set */
#define DRAWS_MAX   128  /* for one shelf; then what is still lacking is the
                            most popular that is not on it */
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

static const char *const hold_names[LP_HOLDS] = {
    "licensed", "set",     "free",  "entitled", "open",
    "none",     "not-yet", "ended", "blocked",
};

static const lp_outcome_t hold_outcomes[LP_HOLDS] = {
    LP_REDIRECT, LP_REDIRECT, LP_REDIRECT, LP_REDIRECT,    LP_REDIRECT,
    LP_NO_RIGHT, LP_NOT_YET,  LP_ENDED,    LP_BLOCKED_OUT,
};

/* A share as a bound for a number of 64 bits. */
static uint64_t
below(double share)
{
    if (share >= 1.0) {
        return UINT64_MAX;
    }
    return share <= 0 ? 0 : (uint64_t) (share * 0x1p64);
}

/* Schools. */

static uint32_t
school_size(const lp_population_t *population, uint32_t school)
{
    lp_random_t random;

    lp_random_seed(&random, population->seed[LP_OF_SCHOOLS], school);
    if (lp_random_unit(&random) < PRIMARY) {
        return PRIMARY_MIN
               + (uint32_t) lp_random_below(&random,
                                            PRIMARY_MAX - PRIMARY_MIN + 1);
    }
    return SECONDARY_MIN
           + (uint32_t) lp_random_below(&random,
                                        SECONDARY_MAX - SECONDARY_MIN + 1);
}

static int
make_schools(lp_population_t *population)
{
    uint32_t class = 0, n = 0;

    population->school_first
        = calloc(population->classes / PRIMARY_MIN + 2,
                 sizeof(*population->school_first));
    if (population->school_first == NULL) {
        return -1;
    }
    while (class < population->classes) {
        population->school_first[n] = class;
        class += school_size(population, n);
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

static uint32_t
draw_item(const lp_population_t *population, uint64_t number)
{
    const double *cumulated = population->zipf.cumulated;
    double        unit = lp_random_unit_of(number);
    uint32_t      n = population->zipf.n, i;

    i = (uint32_t) (unit * n);
    i = population->guide[i < n ? i : n - 1];
    /* n times unit may be rounded up, then the guide is a step too far */
    while (i > 0 && cumulated[i - 1] > unit) {
        i--;
    }
    while (i < n - 1 && cumulated[i] <= unit) {
        i++;
    }
    return i;
}

/* Shelves. */

static int
on_shelf(const lp_recent_t *recent, uint32_t item)
{
    unsigned i;

    for (i = 0; i < recent->n; i++) {
        if (recent->shelf[i] == item) {
            return 1;
        }
    }
    return 0;
}

static uint32_t
next_item(const lp_population_t *population, lp_recent_t *recent)
{
    uint32_t item;

    while (recent->tries < DRAWS_MAX) {
        item = draw_item(population,
                         lp_property(population, LP_OF_SHELVES,
                                     (uint64_t) recent->class * DRAWS_MAX
                                         + recent->tries));
        recent->tries++;
        if (!on_shelf(recent, item)) {
            return item;
        }
    }
    item = 0;
    while (on_shelf(recent, item)) {
        item++;
    }
    return item;
}

/* Mutable though the population is not: it holds nothing but what any other
   process would draw. */
static lp_recent_t *
class_in_hand(const lp_population_t *population, uint32_t class)
{
    lp_recent_t *recent = &((lp_population_t *) population)->recent;

    if (recent->class != class || recent->n == 0) {
        recent->class = class;
        recent->school = lp_population_school_of(population, class);
        recent->tries = 0;
        recent->n = 0;
    }
    return recent;
}

static uint32_t
item_in(const lp_population_t *population, lp_recent_t *recent, unsigned slot)
{
    while (recent->n <= slot) {
        recent->shelf[recent->n] = next_item(population, recent);
        recent->n++;
    }
    return recent->shelf[slot];
}

uint32_t
lp_population_shelf(const lp_population_t *population, uint32_t class,
                    unsigned slot)
{
    return item_in(population, class_in_hand(population, class), slot);
}

/* Holds. */

int
lp_population_open_right(const lp_population_t *population, uint32_t school,
                         uint32_t product)
{
    return !population->items[product].free
           && lp_property(population, LP_OF_OPEN, lp_pair(school, product))
                  < population->open_below;
}

lp_hold_t
lp_population_hold(const lp_population_t *population, uint32_t member,
                   unsigned slot)
{
    lp_recent_t *recent = class_in_hand(population, member / LP_CLASS_MEMBERS);
    uint32_t     product = item_in(population, recent, slot);
    uint64_t     drawn;
    uint32_t     set = population->items[product].set;
    unsigned     hold;

    if (population->items[product].free) {
        return LP_HOLD_FREE;
    }
    if (set != 0
        && lp_property(population, LP_OF_SETS, lp_pair(member, set))
               < population->set_below) {
        return LP_HOLD_SET;
    }
    if (!lp_population_teaches(population, member)
        && lp_population_open_right(population, recent->school, product)) {
        return LP_HOLD_OPEN;
    }
    drawn = lp_property(population, LP_OF_HOLDS, lp_pair(member, slot));
    for (hold = LP_HOLD_ENTITLED; hold < LP_HOLDS; hold++) {
        if (drawn < population->hold_below[hold]) {
            return (lp_hold_t) hold;
        }
    }
    return LP_HOLD_LICENSED;
}

lp_outcome_t
lp_hold_outcome(lp_hold_t hold)
{
    return hold_outcomes[hold];
}

const char *
lp_hold_name(lp_hold_t hold)
{
    return hold_names[hold];
}

/* The part of a shelf's slots, but those of free products, that are of a set:
   as it is on the first shelves, the same for the same census. */
static double
part_in_sets(const lp_population_t *population)
{
    uint32_t class, slots = 0, sets = 0;
    uint32_t n = population->classes < SAMPLE ? population->classes : SAMPLE;
    unsigned slot;
    const lp_item_t *item;

    for (class = 0; class < n; class++) {
        for (slot = 0; slot < LP_SHELF; slot++) {
            item = &population->items[lp_population_shelf(population, class,
                                                          slot)];
            slots += !item->free;
            sets += !item->free && item->set != 0;
        }
    }
    return (double) (sets + 1) / (slots + 1);
}

/* From shares of all pairs to bounds for draws, each of which sees only what
   the ones before it left. */
static void
make_bounds(lp_population_t *population)
{
    const double *share = population->census.share;
    double        pupils, left, sum = 0;
    unsigned      hold;

    pupils = (double) population->census.pupils / population->members;
    population->set_below
        = below(share[LP_HOLD_SET] / part_in_sets(population));
    left = 1 - share[LP_HOLD_SET];
    population->open_below = below(share[LP_HOLD_OPEN] / (left * pupils));
    left -= share[LP_HOLD_OPEN];

    for (hold = LP_HOLD_ENTITLED; hold < LP_HOLDS; hold++) {
        sum += hold == LP_HOLD_OPEN ? 0 : share[hold];
        population->hold_below[hold] = left > 0 ? below(sum / left) : 0;
    }
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
    make_bounds(population);
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
