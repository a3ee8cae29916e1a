/*
 * Shelves, and who may do what with what stands on them: drawn when somebody
 * asks, by tens of nanoseconds, since it is asked for each click.
 *
 * A right to a set opens all of its products. So it is drawn by member and
 * set, not by slot, and comes before anything else that a member may hold: as
 * it does at the edge, where a licence wins. The other shares are of what is
 * left, widened so that the census is met in the mean.
 */

#include "population.h"

#include "population_inside.h"

#define SAMPLE    2048 /* shelves, to know how many slots are of a set */
#define DRAWS_MAX 128  /* for one shelf; then what is still lacking is the most
                          popular that is not on it */

static const char *const hold_names[LP_HOLDS] = {
    "licensed", "set",     "free",  "entitled", "open",
    "none",     "not-yet", "ended", "blocked",
};

static const lp_outcome_t hold_outcomes[LP_HOLDS] = {
    LP_REDIRECT, LP_REDIRECT, LP_REDIRECT, LP_REDIRECT,    LP_REDIRECT,
    LP_NO_RIGHT, LP_NOT_YET,  LP_ENDED,    LP_BLOCKED_OUT,
};

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

/* A share as a bound for a number of 64 bits. */
static uint64_t
below(double share)
{
    if (share >= 1.0) {
        return UINT64_MAX;
    }
    return share <= 0 ? 0 : (uint64_t) (share * 0x1p64);
}

/* From shares of all pairs to bounds for draws, each of which sees only what
   the ones before it left. */
void
lp_population_bounds(lp_population_t *population)
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
