/*
 * Rights straight into Redis: what the workers would have written for a
 * seller's messages, by the workers' own writers, but without the messages. A
 * person is a batch: the hash of rights, the entitlements' records and places,
 * and their line in the school's list.
 *
 * It is for before the run: nothing here is a transaction, and an edge that is
 * clicked at meanwhile may see half a person.
 */

#include "seed.h"

#include "../workers/say.h"
#include "meter.h"

static int seed_open(lp_seed_t *seed, uint32_t school);
static void add_open(lp_store_t *store, const lp_record_t *record);
static void add_record(lp_store_t *store, const lp_record_t *record);
static void add_person(lp_seed_t *seed, const lp_person_t *person);

/* What lp_record_write() compares with: a record that is there, and empty. So
   it writes all of the new one, and does not push it to the list, which is done
   once for a person here. */
static const lp_record_t blank = {.exists = 1};

int
lp_seed_straight(lp_seed_t *seed)
{
    const lp_population_t *population = seed->holdings.population;
    lp_person_t person;
    lp_meter_t  meter;
    uint32_t    i, n = lp_population_members(population);
    uint32_t    school = UINT32_MAX;

    lp_meter_begin(&meter, "people", 0, n);
    for (i = 0; i < n; i++) {
        if (lp_holdings_person(&seed->holdings, &person, i) != 0) {
            lp_say("OpenSSL failed");
            return -1;
        }
        if (person.school != school) {
            school = person.school;
            if ((!seed->rehearsed.empty && lp_seed_clear(seed, school) != 0)
                || seed_open(seed, school) != 0) {
                return -1;
            }
        }

        add_person(seed, &person);
        if (lp_lanes_turn(seed->lanes) != 0) {
            return -1;
        }
        lp_meter_show(&meter, i);
    }

    seed->people = n;
    if (lp_lanes_finish(seed->lanes) != 0) {
        return -1;
    }
    seed->seconds = lp_meter_end(&meter);

    return 0;
}

static int
seed_open(lp_seed_t *seed, uint32_t school)
{
    const lp_population_t *population = seed->holdings.population;
    lp_record_t record;
    uint32_t    i, n = lp_population_census(population)->products;
    uint32_t    pupils = lp_holdings_pupils(&seed->holdings, school);

    for (i = 0; i < n; i++) {
        if (lp_population_open_right(population, school, i)) {
            lp_holdings_open(&seed->holdings, &record, school, i, pupils);
            add_open(lp_lanes_store(seed->lanes), &record);
            seed->rights++;
        }
    }

    return lp_lanes_turn(seed->lanes);
}

static void
add_open(lp_store_t *store, const lp_record_t *record)
{
    char       name[LP_KEY_MAX], text[LP_RIGHT_MAX];
    lp_right_t right;
    lp_span_t  key = {name, lp_key_school(name, lp_field(&record->school))};

    (void) lp_record_right(record, &right);
    lp_store_add(store, LP_WORDS(lp_span("HSET"), key,
                                 lp_field(&record->product),
                                 ((lp_span_t) {text, lp_right_format(
                                                         text, &right)})));
    add_record(store, record);

    key.len = lp_key_held(name, lp_field(&record->school), lp_span(""));
    lp_store_add(store, LP_WORDS(lp_span("RPUSH"), key,
                                 ((lp_span_t) {record->entitlement,
                                               LP_ENTITLEMENT_LEN})));
}

/* Its place first, as always. */
static void
add_record(lp_store_t *store, const lp_record_t *record)
{
    lp_place_write(store, record);
    lp_record_write(store, record, &blank);
}

static void
add_person(lp_seed_t *seed, const lp_person_t *person)
{
    lp_store_t *store = lp_lanes_store(seed->lanes);
    lp_span_t   rights[2 + 2 * LP_SHELF], held[2 + LP_SHELF];
    char        texts[LP_SHELF][LP_RIGHT_MAX], list[LP_KEY_MAX];
    lp_right_t  right;
    unsigned    i;

    if (!seed->rehearsed.empty) {
        lp_store_add(store, LP_WORDS(lp_span("DEL"), lp_person_key(person)));
    }
    if (person->n == 0) {
        return;
    }

    rights[0] = lp_span("HSET");
    rights[1] = lp_person_key(person);
    held[0] = lp_span("RPUSH");
    held[1] = (lp_span_t) {list, lp_key_held(list, lp_person_school(person),
                                             lp_span(""))};
    for (i = 0; i < person->n; i++) {
        (void) lp_record_right(&person->list[i].record, &right);
        rights[2 + 2 * i] = lp_field(&person->list[i].record.product);
        rights[3 + 2 * i] = (lp_span_t) {texts[i],
                                         lp_right_format(texts[i], &right)};
        held[2 + i] = (lp_span_t) {person->list[i].record.entitlement,
                                   LP_ENTITLEMENT_LEN};
        add_record(store, &person->list[i].record);
    }
    lp_store_add(store, (lp_words_t) {rights, 2 + 2 * person->n});
    lp_store_add(store, (lp_words_t) {held, 2 + person->n});
    seed->rights += person->n;
}
