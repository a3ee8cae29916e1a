/*
 * Days are those of the school year of the census' day: a licence began on its
 * first and lasts until its last, which is two months away at least, so that a
 * rehearsal in July does not end with the year. What is not yet valid begins
 * after it; what has ended did so on the day before the census.
 *
 * A member's right to a set is one entitlement, though several products of the
 * set may lie on the shelf: that of the first of their slots.
 */

#include "holdings.h"

#include "../core/base64url.h"
#include "../core/licence.h"
#include "../workers/holder.h"
#include "../workers/say.h"

#define UUID_BYTES  16
#define YEAR_DAYS   365
#define LEAST_DAYS  60
#define YEAR_BEGINS 801 /* 1 August */

static void set_product(lp_record_t *record, const lp_holdings_t *holdings,
                        uint32_t product, int set);
static int has_holding(lp_hold_t hold);
static unsigned find_set(const lp_holdings_t *holdings,
                         const lp_person_t *person, uint32_t product);
static void add_holding(const lp_holdings_t *holdings, lp_person_t *person,
                        unsigned slot);
static void set_state(const lp_holdings_t *holdings, lp_record_t *record,
                      lp_hold_t hold);
static void pack(char *dst, const unsigned char *uuid);

int
lp_holdings_load(lp_holdings_t *holdings, const char *dir, const char *pepper)
{
    uint32_t day, year;

    memset(holdings, 0, sizeof(*holdings));
    holdings->population = lp_population_open(dir);
    if (holdings->population == NULL) {
        return LP_NO;
    }
    holdings->pepper = lp_holder_pepper(pepper);
    if (holdings->pepper == NULL) {
        return LP_NO;
    }

    day = lp_population_census(holdings->population)->day;
    year = day / 10000 - (day % 10000 < YEAR_BEGINS ? 1 : 0);
    holdings->first = year * 10000 + YEAR_BEGINS;
    holdings->last = lp_licence_until(lp_span("schoolyear"), day,
                                      lp_day_add(day, LEAST_DAYS));

    return LP_YES;
}

void
lp_holdings_free(lp_holdings_t *holdings)
{
    lp_population_close(holdings->population);
    lp_pepper_destroy(holdings->pepper);
}

int
lp_holdings_person(const lp_holdings_t *holdings, lp_person_t *person,
                   uint32_t member)
{
    const lp_population_t *population = holdings->population;
    lp_class_t             class;
    char                   id[LP_PERSON_MAX];
    size_t                 len;
    unsigned               i;

    lp_population_class(population,
                        lp_population_class_of(population, member), &class);
    person->member = member;
    person->class = class.number;
    person->school = class.school;
    person->school_len = lp_population_school_id(population,
                                                 person->school_id,
                                                 class.school);
    person->n = 0;

    len = lp_population_person(population, id, member);
    if (lp_user_key(person->user, holdings->pepper,
                    lp_span_of(lp_population_id_type(population, member)),
                    (lp_span_t) {id, len}) != 0) {
        return -1;
    }
    person->key_len = lp_key_user(person->key, lp_person_school(person),
                                  (lp_span_t) {person->user,
                                               LP_USER_KEY_LEN});

    for (i = 0; i < LP_SHELF; i++) {
        person->product[i] = lp_population_shelf(population, class.number, i);
        person->hold[i] = lp_population_hold(population, member, i);
        person->holding[i] = LP_HOLDING_NONE;
        if (has_holding(person->hold[i])) {
            add_holding(holdings, person, i);
        }
    }

    return 0;
}

uint32_t
lp_holdings_pupils(const lp_holdings_t *holdings, uint32_t school)
{
    lp_class_t class;
    uint32_t   i, end, n = 0;

    lp_holdings_classes(holdings, school, &i, &end);
    for ( ; i < end; i++) {
        lp_population_class(holdings->population, i, &class);
        n += class.members - 1;
    }

    return n;
}

/* The classes of a school follow each other; schools are numbered likewise. */
void
lp_holdings_classes(const lp_holdings_t *holdings, uint32_t school,
                    uint32_t *first, uint32_t *end)
{
    uint32_t   low, high, middle, i, bounds[2];
    lp_class_t class;

    for (i = 0; i < 2; i++) {
        low = 0;
        high = lp_population_classes(holdings->population);
        while (low < high) {
            middle = low + (high - low) / 2;
            lp_population_class(holdings->population, middle, &class);
            if (class.school < school + i) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        bounds[i] = low;
    }

    *first = bounds[0];
    *end = bounds[1];
}

void
lp_holdings_open(const lp_holdings_t *holdings, lp_record_t *record,
                 uint32_t school, uint32_t product, uint32_t pupils)
{
    unsigned char uuid[UUID_BYTES];
    char          id[LP_NAME_MAX];
    size_t        len;

    memset(record, 0, sizeof(*record));
    lp_population_open_entitlement(holdings->population, uuid, school,
                                   product);
    pack(record->entitlement, uuid);
    len = lp_population_school_id(holdings->population, id, school);
    (void) lp_field_set(&record->school, (lp_span_t) {id, len});
    (void) lp_field_set(&record->order, (lp_span_t) {id, len});
    (void) lp_field_set(&record->party, holdings->party);
    set_product(record, holdings, product, 0);
    record->type = LP_TYPE_OPEN;
    record->status = LP_STATUS_ENTITLED;
    record->from = holdings->first;
    record->until = holdings->last;
    record->quantity = pupils;
    record->shard = lp_record_home(record);
}

/* Whether a member has an entitlement of their own. */
static int
has_holding(lp_hold_t hold)
{
    return hold != LP_HOLD_FREE && hold != LP_HOLD_OPEN
           && hold != LP_HOLD_NONE;
}

static void
add_holding(const lp_holdings_t *holdings, lp_person_t *person, unsigned slot)
{
    lp_holding_t *holding;
    lp_record_t  *record;
    unsigned char uuid[UUID_BYTES];
    uint32_t      product = person->product[slot];
    int           set = person->hold[slot] == LP_HOLD_SET;

    person->holding[slot] = set ? find_set(holdings, person, product)
                                : person->n;
    if (person->holding[slot] < person->n) {
        return;
    }

    holding = &person->list[person->n++];
    holding->hold = person->hold[slot];
    holding->slot = slot;
    record = &holding->record;
    memset(record, 0, sizeof(*record));

    lp_population_entitlement(holdings->population, uuid, person->member,
                              slot);
    pack(record->entitlement, uuid);
    record->type = lp_population_teaches(holdings->population, person->member)
                       ? LP_TYPE_SCHOOL_EMPLOYEE : LP_TYPE_SCHOOL_STUDENT;
    record->n_users = 1;
    memcpy(record->users[0], person->user, LP_USER_KEY_LEN);
    (void) lp_field_set(&record->school, lp_person_school(person));
    (void) lp_field_set(&record->party, holdings->party);
    (void) lp_field_set(&record->order, lp_person_school(person));
    set_product(record, holdings, product, set);
    set_state(holdings, record, holding->hold);
    record->shard = lp_record_home(record);
}

/* The holding that is for the product's set; n where there is none yet. */
static unsigned
find_set(const lp_holdings_t *holdings, const lp_person_t *person,
         uint32_t product)
{
    char     id[LP_NAME_MAX];
    size_t   len = lp_population_set_id(holdings->population, id, product);
    unsigned i;

    for (i = 0; i < person->n; i++) {
        if (lp_span_equal(lp_field(&person->list[i].record.product),
                          (lp_span_t) {id, len})) {
            return i;
        }
    }

    return person->n;
}

static void
set_product(lp_record_t *record, const lp_holdings_t *holdings,
            uint32_t product, int set)
{
    char   id[LP_NAME_MAX];
    size_t len;

    len = set ? lp_population_set_id(holdings->population, id, product)
              : lp_population_product_id(holdings->population, id, product);
    (void) lp_field_set(&record->product, (lp_span_t) {id, len});
}

static void
set_state(const lp_holdings_t *holdings, lp_record_t *record, lp_hold_t hold)
{
    record->status = LP_STATUS_ENTITLED;
    record->from = holdings->first;
    record->until = holdings->last;

    switch (hold) {
    case LP_HOLD_LICENSED:
    case LP_HOLD_SET:
        if (!holdings->sold) {
            record->status = LP_STATUS_LICENSED;
            record->licensed = holdings->first;
            record->expires = holdings->last;
        }
        break;
    case LP_HOLD_NOT_YET:
        record->from = lp_day_add(holdings->last, 1);
        record->until = lp_day_add(holdings->last, YEAR_DAYS);
        break;
    case LP_HOLD_ENDED:
        record->from = lp_day_add(holdings->first, -YEAR_DAYS);
        record->until = lp_day_add(
            lp_population_census(holdings->population)->day, -1);
        break;
    case LP_HOLD_BLOCKED:
        record->status = LP_STATUS_BLOCKED;
        break;
    default:
        break;
    }
}

/* As a record names it. */
static void
pack(char *dst, const unsigned char *uuid)
{
    lp_base64url_encode(dst, uuid, UUID_BYTES);
}
