/*
 * What a population's people hold, as Leerpoort keeps it: for each member the
 * entitlements that `seed` loads, and that `verify` looks for afterwards. Both
 * take them from here, so that they can't disagree about what was there.
 */

#ifndef LP_HOLDINGS_H
#define LP_HOLDINGS_H

#include "../workers/record.h"
#include "population.h"

/* Where the rights come from. A seller can't send a licence: there what the
   population calls licensed waits for its first click. */
typedef struct {
    lp_population_t *population;
    lp_pepper_t           *pepper;
    lp_span_t              party; /* OIN; len 0: nobody is told */
    int                    sold;  /* through the API */
    uint32_t               first, last; /* days of the school year that the
                                           census' day is in */
} lp_holdings_t;

/* One entitlement of a member. */
typedef struct {
    lp_hold_t   hold;
    unsigned    slot; /* the first that it is for */
    lp_record_t record;
} lp_holding_t;

#define LP_HOLDING_NONE LP_SHELF

typedef struct {
    uint32_t     member;
    uint32_t     class;
    uint32_t     school;
    char         school_id[LP_NAME_MAX];
    size_t       school_len;
    char         user[LP_USER_KEY_LEN];
    char         key[LP_KEY_MAX]; /* u: */
    size_t       key_len;
    uint32_t     product[LP_SHELF];
    lp_hold_t    hold[LP_SHELF];
    unsigned     holding[LP_SHELF]; /* in list; LP_HOLDING_NONE: nothing of
                                       the member's own */
    lp_holding_t list[LP_SHELF];
    unsigned     n;
} lp_person_t;

/* Opens the population in dir and the file with the pepper. Returns LP_YES,
   LP_NO after lp_say(); lp_holdings_free() must follow either way. */
int lp_holdings_load(lp_holdings_t *holdings, const char *dir,
                     const char *pepper);
void lp_holdings_free(lp_holdings_t *holdings);

/* Members are asked for in order: what they share is kept. 0; -1: OpenSSL
   failed. */
int lp_holdings_person(const lp_holdings_t *holdings, lp_person_t *person,
                       uint32_t member);

/* Pupils of a school. */
uint32_t lp_holdings_pupils(const lp_holdings_t *holdings, uint32_t school);

/* A school's open right to a product, for all of its pupils. pupils: how many
   those are. */
void lp_holdings_open(const lp_holdings_t *holdings, lp_record_t *record,
                      uint32_t school, uint32_t product, uint32_t pupils);

/* The classes of a school: from first to before end. */
void lp_holdings_classes(const lp_holdings_t *holdings, uint32_t school,
                         uint32_t *first, uint32_t *end);

static inline lp_span_t
lp_person_school(const lp_person_t *person)
{
    return (lp_span_t) {person->school_id, person->school_len};
}

static inline lp_span_t
lp_person_key(const lp_person_t *person)
{
    return (lp_span_t) {person->key, person->key_len};
}

#endif
