/*
 * The draws of a click. A click is by its session's member on a product of the
 * shelf, of which any is as likely as the next: that some products are more
 * popular is in the shelves. Where the plan asks for activations, or for more
 * or fewer denied clicks than the population has, holds are looked at until
 * one fits: of the member's shelf first, then of others' of the class (whose
 * shelf it is too, so that it need not be made anew), a bounded number of
 * times: a population without such rights costs time but no standstill.
 */

#include "choice.h"

#define PROBES 96 /* of a right that is rare: one in 25 is found by 98 % */

typedef enum {
    WANT_ANY = 0,
    WANT_ACTIVATION,
    WANT_DENIED,
    WANT_GOOD
} want_t;

void
lp_choice_begin(lp_choice_t *choice, const lp_plan_t *plan,
                const lp_population_t *population)
{
    choice->plan = plan;
    choice->population = population;
    choice->members = lp_population_members(population);
    choice->expired = lp_population_expired(population);
    if (choice->expired == 0) {
        choice->expired = 1;
    }
    choice->picky = plan->clicks.activations > 0 || plan->clicks.denied >= 0;
}

static int
fits(want_t want, lp_hold_t hold)
{
    switch (want) {
    case WANT_ACTIVATION:
        return hold == LP_HOLD_ENTITLED || hold == LP_HOLD_OPEN;
    case WANT_DENIED:
        return lp_hold_outcome(hold) != LP_REDIRECT;
    case WANT_GOOD:
        return lp_hold_outcome(hold) == LP_REDIRECT;
    default:
        return 1;
    }
}

static want_t
draw_want(const lp_plan_t *plan, lp_random_t *random)
{
    double u = lp_random_unit(random) - plan->clicks.activations;

    if (u < 0) {
        return WANT_ACTIVATION;
    }
    if (plan->clicks.denied < 0) {
        return WANT_ANY;
    }
    return u < plan->clicks.denied ? WANT_DENIED : WANT_GOOD;
}

/* Looks for a hold as the plan wants it, from the arrival's own on; leaves it
   where none is found. */
static void
search(const lp_choice_t *choice, lp_random_t *random, lp_arrival_t *arrival)
{
    want_t     want = draw_want(choice->plan, random);
    uint32_t   member = arrival->member;
    unsigned   i, slot = arrival->slot;
    lp_class_t class;

    for (i = 0; want != WANT_ANY && i < PROBES; i++) {
        if (i > 0 && i % LP_SHELF == 0) {
            lp_population_class(choice->population,
                                lp_population_class_of(choice->population,
                                                       member), &class);
            member = class.first
                     + (uint32_t) lp_random_below(random, class.members);
            slot = (unsigned) lp_random_below(random, LP_SHELF);
        }
        if (fits(want, lp_population_hold(choice->population, member, slot))) {
            arrival->again &= member == arrival->member;
            arrival->member = member;
            arrival->slot = (uint8_t) slot;
            return;
        }
        slot = slot + 1 < LP_SHELF ? slot + 1 : 0;
    }
}

static void
draw_token(const lp_choice_t *choice, lp_random_t *random,
           lp_arrival_t *arrival)
{
    const lp_plan_t *plan = choice->plan;
    double           u = lp_random_unit(random);

    arrival->number = (uint32_t) (lp_random_next(random) >> 32);
    arrival->token = LP_TOKEN_GOOD;
    if ((u -= plan->clicks.expired) < 0) {
        arrival->token = LP_TOKEN_EXPIRED;
        arrival->number %= choice->expired;
    } else if ((u -= plan->clicks.forged) < 0) {
        arrival->token = LP_TOKEN_FORGED;
    } else if ((u -= plan->clicks.no_token) < 0) {
        arrival->token = LP_TOKEN_NONE;
    } else if (u - plan->clicks.unknown_product < 0) {
        arrival->slot = LP_SLOT_UNKNOWN;
    }
}

static void
draw_connection(const lp_plan_t *plan, lp_random_t *random,
                lp_arrival_t *arrival)
{
    arrival->fresh = lp_random_unit(random) < plan->connections.fresh;
    arrival->resumed = arrival->fresh
                       && lp_random_unit(random) < plan->connections.resumed;
}

static void
fill(const lp_choice_t *choice, lp_random_t *random, lp_arrival_t *arrival)
{
    const lp_plan_t *plan = choice->plan;

    if (plan->clicks.spread > 0
        && lp_random_unit(random) < plan->clicks.spread) {
        arrival->member = (uint32_t) lp_random_below(random, choice->members);
        arrival->slot = (uint8_t) lp_random_below(random, LP_SHELF);
        arrival->again = 0;
    }
    if (choice->picky) {
        search(choice, random, arrival);
    }
    draw_token(choice, random, arrival);
    arrival->path = lp_random_unit(random) < plan->clicks.paths;
    arrival->doubled = 0;
    draw_connection(plan, random, arrival);
}

void
lp_choice_single(const lp_choice_t *choice, lp_random_t *random,
                 uint64_t session, lp_arrival_t *arrival)
{
    arrival->member = (uint32_t) (session % choice->members);
    arrival->slot = (uint8_t) lp_random_below(random, LP_SHELF);
    fill(choice, random, arrival);
}

void
lp_choice_of_class(const lp_choice_t *choice, lp_random_t *random,
                   uint32_t member, unsigned slot, lp_arrival_t *arrival)
{
    arrival->member = member;
    arrival->slot = (uint8_t) slot;
    fill(choice, random, arrival);
}

void
lp_choice_second(const lp_choice_t *choice, lp_random_t *random,
                 lp_arrival_t *arrival)
{
    arrival->doubled = 1;
    arrival->again = 1;
    draw_connection(choice->plan, random, arrival);
}
