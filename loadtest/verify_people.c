/*
 * Every member, class by class: the hash of rights and each record that it
 * should name, in one pipeline. What has to be there follows from the
 * population (holdings.c), from what was asked for and from what was answered:
 *
 *   seeded as         asked for, or not   must be                 may be too
 *   licensed, set     either              the licence, unchanged
 *   entitled          not                 the entitlement
 *                     asked               the licence             the
 *                                         where a redirect was    entitlement
 *                                         told
 *   open              not                 nothing
 *                     asked               its own licence         nothing
 *                                         where a redirect was
 *                                         told
 *   the others        either              as it was
 *
 * What a seller sent as an entitlement, because a licence can't be sent, counts
 * as entitled. What was a licence already when `verify --before` looked must be
 * one, whoever asked. A licence's record must say the same as the right. In the
 * hash there may be nothing else but the sellers' own product.
 *
 * At the end of a school its open rights are looked at: as many licences as
 * were found must have been counted.
 */

#include "verify.h"

#include <stdlib.h>

#include "../workers/say.h"
#include "../workers/store_args.h"
#include "meter.h"
#include "seller_session.h"

#define MEMBERS_MAX (LP_CLASS_PUPILS + 1)

/* The pass over the people. */
typedef struct {
    lp_verify_t *verify;
    lp_person_t  people[MEMBERS_MAX]; /* of the class in hand */
    unsigned     n;
    uint32_t    *given; /* licences of the school's open right to a product */
    uint32_t     school;
    char         school_id[LP_NAME_MAX];
    size_t       school_len;
} pass_t;

/* One right of a member, as it is looked at. */
typedef struct {
    const lp_person_t *person;
    lp_span_t          field;
    unsigned           slot;
    int                asked, answered;
    int                before;   /* it was a licence when the run began */
    int                has;      /* there is a right */
    int                readable;
    lp_span_t          text;
    lp_right_t         right;
    lp_record_t        record;   /* of the entitlement that it should name */
    int                record_readable;
} look_t;

static int was_licence(const pass_t *pass, uint32_t member, unsigned slot);
static const char *lost(const look_t *look);
static int do_class(pass_t *pass, uint32_t number);
static void ask_person(pass_t *pass, const lp_person_t *person);
static void ask_record(lp_store_t *store, const char *entitlement,
                       unsigned shard);
static unsigned see_person(pass_t *pass, const lp_person_t *person,
                           unsigned at);
static void see_own(pass_t *pass, const lp_person_t *person, unsigned i,
                    const redisReply *rights, const redisReply *record);
static void see_right(pass_t *pass, look_t *look, const lp_holding_t *holding);
static void see_activation(pass_t *pass, const look_t *look);
static void see_record(pass_t *pass, const look_t *look, lp_status_t status);
static void see_open(pass_t *pass, const lp_person_t *person, unsigned slot,
                     const redisReply *rights, const redisReply *record);
static void see_rest(pass_t *pass, const lp_person_t *person,
                     const redisReply *rights);
static int end_school(pass_t *pass);
static void see_school(pass_t *pass, uint32_t product, const redisReply *rights,
                       const redisReply *reply);
static void look_at(look_t *look, const redisReply *rights,
                    const char *entitlement, unsigned shard,
                    const redisReply *record);

int
lp_verify_people(lp_verify_t *verify)
{
    const lp_population_t *population = verify->holdings.population;
    uint32_t   i, n = lp_population_classes(population);
    pass_t    *pass = calloc(1, sizeof(*pass));
    lp_meter_t meter;
    int        rc = 0;

    if (pass != NULL) {
        pass->given = calloc(lp_population_census(population)->products,
                             sizeof(uint32_t));
    }
    if (pass == NULL || pass->given == NULL) {
        lp_say("out of memory");
        free(pass);
        return -1;
    }

    pass->verify = verify;
    lp_meter_begin(&meter, "people", 0,
                   lp_population_members(population));
    for (i = 0; i < n && rc == 0; i++) {
        rc = do_class(pass, i);
        lp_meter_show(&meter, verify->people);
    }
    if (rc == 0) {
        rc = end_school(pass);
    }
    (void) lp_meter_end(&meter);
    free(pass->given);
    free(pass);

    return rc;
}

static int
do_class(pass_t *pass, uint32_t number)
{
    lp_verify_t *verify = pass->verify;
    lp_class_t   class;
    unsigned     i, at = 0;

    lp_population_class(verify->holdings.population, number, &class);
    if (number > 0 && class.school != pass->school && end_school(pass) != 0) {
        return -1;
    }
    pass->school = class.school;
    pass->school_len = lp_population_school_id(verify->holdings.population,
                                               pass->school_id, class.school);

    pass->n = class.members;
    for (i = 0; i < pass->n; i++) {
        if (lp_holdings_person(&verify->holdings, &pass->people[i],
                               class.first + i) != 0) {
            lp_say("OpenSSL failed");
            return -1;
        }
        ask_person(pass, &pass->people[i]);
    }

    if (lp_store_run(verify->store) != LP_STORE_OK) {
        lp_store_say(verify->store);
        return -1;
    }
    for (i = 0; i < pass->n; i++) {
        at = see_person(pass, &pass->people[i], at);
    }
    verify->people += pass->n;

    return 0;
}

/* The entitlement of the licence that an open right of the school becomes. */
static int
open_licence(const pass_t *pass, const lp_person_t *person, unsigned slot,
             char *open, char *licence)
{
    lp_record_t record;

    lp_holdings_open(&pass->verify->holdings, &record, person->school,
                     person->product[slot], 0);
    memcpy(open, record.entitlement, LP_ENTITLEMENT_LEN);

    return lp_licence_id(licence, open,
                         (lp_span_t) {person->user, LP_USER_KEY_LEN});
}

static void
ask_person(pass_t *pass, const lp_person_t *person)
{
    lp_store_t *store = pass->verify->store;
    unsigned    i, shard = lp_shard(lp_person_school(person));
    char        open[LP_ENTITLEMENT_LEN], licence[LP_ENTITLEMENT_LEN];

    lp_store_add(store, LP_WORDS(lp_span("HGETALL"), lp_person_key(person)));
    for (i = 0; i < person->n; i++) {
        ask_record(store, person->list[i].record.entitlement, shard);
    }
    for (i = 0; i < LP_SHELF; i++) {
        if (person->hold[i] == LP_HOLD_OPEN
            && open_licence(pass, person, i, open, licence) == 0) {
            ask_record(store, licence, shard);
        }
    }
}

static void
ask_record(lp_store_t *store, const char *entitlement, unsigned shard)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, lp_key_entitlement(name, shard, entitlement)};

    lp_store_add(store, LP_WORDS(lp_span("HGETALL"), key));
}

/* Replies begin at `at`; where the next member's begin. */
static unsigned
see_person(pass_t *pass, const lp_person_t *person, unsigned at)
{
    const lp_store_t *store = pass->verify->store;
    const redisReply *rights = lp_store_reply(store, at++);
    unsigned          i;

    for (i = 0; i < person->n; i++) {
        see_own(pass, person, i, rights, lp_store_reply(store, at++));
    }
    for (i = 0; i < LP_SHELF; i++) {
        if (person->hold[i] == LP_HOLD_OPEN) {
            see_open(pass, person, i, rights, lp_store_reply(store, at++));
        }
        if (lp_hold_outcome(person->hold[i]) != LP_REDIRECT
            && lp_told_answered(pass->verify->told, person->member, i)) {
            lp_find(&pass->verify->findings, LP_FOUND_EXTRA,
                    "school %s, member %u, slot %u: was redirected, and is "
                    "%s there", person->school_id, person->member, i,
                    lp_hold_name(person->hold[i]));
        }
    }
    see_rest(pass, person, rights);

    return at;
}

/* One entitlement of a member; that of a set may be for several slots. */
static void
see_own(pass_t *pass, const lp_person_t *person, unsigned i,
        const redisReply *rights, const redisReply *record)
{
    const lp_holding_t *holding = &person->list[i];
    const lp_told_t    *told = pass->verify->told;
    look_t              look = {.person = person, .slot = holding->slot};
    unsigned            slot;

    look.field = lp_field(&holding->record.product);
    look.before = was_licence(pass, person->member, holding->slot);
    for (slot = 0; slot < LP_SHELF; slot++) {
        if (person->holding[slot] == i) {
            look.asked |= lp_told_asked(told, person->member, slot);
            look.answered |= lp_told_answered(told, person->member, slot);
        }
    }

    look_at(&look, rights, holding->record.entitlement, holding->record.shard,
            record);
    see_right(pass, &look, holding);
}

/* As --before has noted it. */
static int
was_licence(const pass_t *pass, uint32_t member, unsigned slot)
{
    const lp_told_t *earlier = pass->verify->earlier;

    return earlier != NULL && lp_told_asked(earlier, member, slot);
}

/* What is wrong where there is no licence; NULL: nothing. */
static const char *
lost(const look_t *look)
{
    if (look->answered) {
        return "was redirected, and there is no licence";
    }

    return look->before ? "the licence from before the run is gone" : NULL;
}

static void
differ(pass_t *pass, const look_t *look, lp_found_t kind, const char *what)
{
    lp_find(&pass->verify->findings, kind,
            "school %s, member %u, slot %u, product %.*s: %s",
            look->person->school_id, look->person->member, look->slot,
            (int) look->field.len, look->field.data, what);
}

static int
may_activate(const lp_holding_t *holding)
{
    return holding->record.status == LP_STATUS_ENTITLED
           && lp_hold_outcome(holding->hold) == LP_REDIRECT;
}

static void
see_right(pass_t *pass, look_t *look, const lp_holding_t *holding)
{
    lp_verify_t *verify = pass->verify;
    lp_right_t   seeded;
    char         text[LP_RIGHT_MAX];
    lp_span_t    was = {text, 0};

    (void) lp_record_right(&holding->record, &seeded);
    was.len = lp_right_format(text, &seeded);

    if (look->has && lp_span_equal(look->text, was)) {
        verify->licences += seeded.state == LP_LICENSED;
        if (lost(look) != NULL && seeded.state != LP_LICENSED) {
            differ(pass, look, LP_FOUND_LOST, lost(look));
        }
        see_record(pass, look, holding->record.status);
        return;
    }

    if (!look->has || !look->readable) {
        differ(pass, look,
               lost(look) != NULL || seeded.state == LP_LICENSED
                   ? LP_FOUND_LOST : LP_FOUND_CHANGED,
               look->has ? "the right can't be read" : "the right is gone");
        return;
    }
    if (!may_activate(holding) || look->right.state != LP_LICENSED
        || memcmp(look->right.entitlement, seeded.entitlement,
                  LP_ENTITLEMENT_LEN) != 0) {
        differ(pass, look, LP_FOUND_CHANGED, "the right is another one");
        return;
    }

    see_activation(pass, look);
    see_record(pass, look, LP_STATUS_LICENSED);
}

/* A right was activated: by a click of this run, or of an earlier one that
   `verify --before` has noted. */
static void
see_activation(pass_t *pass, const look_t *look)
{
    lp_verify_t *verify = pass->verify;
    uint32_t     member = look->person->member;

    verify->licences++;
    if (verify->note != NULL) {
        lp_told_ask(verify->note, member, look->slot);
        return;
    }
    if (look->before) {
        return;
    }

    verify->activations++;
    if (!look->asked) {
        differ(pass, look, LP_FOUND_EXTRA, "a licence that nobody asked for");
    }
}

/* The record of a right that stands. */
static void
see_record(pass_t *pass, const look_t *look, lp_status_t status)
{
    const lp_record_t *record = &look->record;

    if (!look->record_readable || !record->exists) {
        differ(pass, look, LP_FOUND_RECORD,
               record->exists ? "its record can't be read"
                              : "it has no record");
        return;
    }
    if (record->status != status
        || !lp_span_equal(lp_field(&record->product), look->field)
        || record->n_users != 1
        || memcmp(record->users[0], look->person->user, LP_USER_KEY_LEN)
               != 0) {
        differ(pass, look, LP_FOUND_RECORD,
               "its record says another state, product or user");
        return;
    }
    if (status == LP_STATUS_LICENSED
        && (record->licensed != look->right.from
            || record->expires != look->right.until)) {
        differ(pass, look, LP_FOUND_RECORD,
               "its record says other days of the licence");
    }
}

/* A licence of an open right is a record of its own. */
static void
see_open(pass_t *pass, const lp_person_t *person, unsigned slot,
         const redisReply *rights, const redisReply *record)
{
    lp_verify_t *verify = pass->verify;
    look_t       look = {.person = person, .slot = slot};
    char         open[LP_ENTITLEMENT_LEN], licence[LP_ENTITLEMENT_LEN];
    char         id[LP_NAME_MAX];

    look.field.data = id;
    look.field.len = lp_population_product_id(verify->holdings.population, id,
                                              person->product[slot]);
    look.asked = lp_told_asked(verify->told, person->member, slot);
    look.answered = lp_told_answered(verify->told, person->member, slot);
    look.before = was_licence(pass, person->member, slot);
    (void) open_licence(pass, person, slot, open, licence);
    look_at(&look, rights, licence, lp_shard(lp_person_school(person)),
            record);

    if (!look.has) {
        if (lost(&look) != NULL) {
            differ(pass, &look, LP_FOUND_LOST, lost(&look));
        } else if (look.record.exists) {
            differ(pass, &look, LP_FOUND_RECORD,
                   "a licence's record without its right");
        }
        return;
    }
    if (!look.readable || look.right.state != LP_LICENSED
        || memcmp(look.right.entitlement, licence, LP_ENTITLEMENT_LEN) != 0) {
        differ(pass, &look, LP_FOUND_CHANGED,
               "the right is not the open right's licence");
        return;
    }

    pass->given[person->product[slot]]++;
    verify->from_open++;
    see_activation(pass, &look);
    see_record(pass, &look, LP_STATUS_LICENSED);
    if (look.record.exists
        && (!look.record.has_open
            || memcmp(look.record.open, open, LP_ENTITLEMENT_LEN) != 0)) {
        differ(pass, &look, LP_FOUND_RECORD, "its record names no open right");
    }
}

/* "<product>" or "<product>+", what follows it. */
static int
is_sellers(lp_span_t field)
{
    if (field.len > 0 && field.data[field.len - 1] == '+') {
        field.len--;
    }

    return lp_span_equal(field, lp_span(LP_SELLER_PRODUCT));
}

static int
is_expected(const pass_t *pass, const lp_person_t *person, lp_span_t field)
{
    char     id[LP_NAME_MAX];
    size_t   len;
    unsigned i;

    for (i = 0; i < person->n; i++) {
        if (lp_span_equal(lp_field(&person->list[i].record.product), field)) {
            return 1;
        }
    }
    for (i = 0; i < LP_SHELF; i++) {
        if (person->hold[i] == LP_HOLD_OPEN) {
            len = lp_population_product_id(pass->verify->holdings.population,
                                           id, person->product[i]);
            if (lp_span_equal((lp_span_t) {id, len}, field)) {
                return 1;
            }
        }
    }

    return 0;
}

/* What nobody gave. */
static void
see_rest(pass_t *pass, const lp_person_t *person, const redisReply *rights)
{
    lp_span_t field;
    size_t    i;

    for (i = 0; i + 1 < rights->elements; i += 2) {
        field = lp_store_text(rights->element[i]);
        if (!is_sellers(field) && !lp_span_equal(field, lp_span("!"))
            && !is_expected(pass, person, field)) {
            lp_find(&pass->verify->findings, LP_FOUND_EXTRA,
                    "school %s, member %u: a right to a product that nobody "
                    "gave", person->school_id, person->member);
        }
    }
}

static int
end_school(pass_t *pass)
{
    lp_verify_t           *verify = pass->verify;
    const lp_population_t *population = verify->holdings.population;
    lp_store_t            *store = verify->store;
    char        name[LP_KEY_MAX];
    lp_span_t   school = {pass->school_id, pass->school_len};
    lp_span_t   key = {name, lp_key_school(name, school)};
    lp_record_t record;
    uint32_t    i, n = lp_population_census(population)->products;
    unsigned    at = 1, open = 0;

    lp_store_add(store, LP_WORDS(lp_span("HGETALL"), key));
    for (i = 0; i < n; i++) {
        if (lp_population_open_right(population, pass->school, i)) {
            lp_holdings_open(&verify->holdings, &record, pass->school, i, 0);
            ask_record(store, record.entitlement, record.shard);
        }
    }
    if (lp_store_run(store) != LP_STORE_OK) {
        lp_store_say(store);
        return -1;
    }

    for (i = 0; i < n; i++) {
        if (lp_population_open_right(population, pass->school, i)) {
            see_school(pass, i, lp_store_reply(store, 0),
                       lp_store_reply(store, at++));
            open++;
        }
        pass->given[i] = 0;
    }
    if (lp_store_reply(store, 0)->elements != 2 * open) {
        lp_find(&verify->findings, LP_FOUND_EXTRA,
                "school %s: has other open rights than it was given",
                pass->school_id);
    }

    return 0;
}

static void
see_school(pass_t *pass, uint32_t product, const redisReply *rights,
           const redisReply *reply)
{
    const lp_holdings_t *holdings = &pass->verify->holdings;
    lp_findings_t       *findings = &pass->verify->findings;
    lp_record_t          seeded, record;
    lp_right_t           right;
    look_t               look = {.person = NULL};
    char                 bytes[LP_RIGHT_MAX];
    lp_span_t            text = {bytes, 0};

    lp_holdings_open(holdings, &seeded, pass->school, product, 0);
    (void) lp_record_right(&seeded, &right);
    text.len = lp_right_format(bytes, &right);
    look.field = lp_field(&seeded.product);
    look_at(&look, rights, seeded.entitlement, seeded.shard, reply);
    record = look.record;

    if (!look.has || !lp_span_equal(look.text, text)) {
        lp_find(findings, LP_FOUND_CHANGED,
                "school %s, product %.*s: the open right is gone, or another",
                pass->school_id, (int) look.field.len, look.field.data);
    }
    if (!look.record_readable || !record.exists) {
        lp_find(findings, LP_FOUND_OPEN,
                "school %s, product %.*s: the open right's record is not "
                "there or not readable", pass->school_id,
                (int) look.field.len, look.field.data);
        return;
    }
    if (record.used != pass->given[product]) {
        lp_find(findings, LP_FOUND_OPEN,
                "school %s, product %.*s: licences counted: %llu, there: %u",
                pass->school_id, (int) look.field.len, look.field.data,
                (unsigned long long) record.used, pass->given[product]);
    }
    if (record.quantity > 0 && record.used > record.quantity) {
        lp_find(findings, LP_FOUND_OPEN,
                "school %s, product %.*s: licences used: %llu of %llu",
                pass->school_id, (int) look.field.len, look.field.data,
                (unsigned long long) record.used,
                (unsigned long long) record.quantity);
    }
}

/* Finds the right in the hash, reads it and the record. */
static void
look_at(look_t *look, const redisReply *rights, const char *entitlement,
        unsigned shard, const redisReply *record)
{
    size_t i;

    for (i = 0; i + 1 < rights->elements; i += 2) {
        if (lp_span_equal(lp_store_text(rights->element[i]), look->field)) {
            look->has = 1;
            look->text = lp_store_text(rights->element[i + 1]);
            look->readable = lp_right_parse(&look->right, look->text) == 0;
        }
    }

    look->record_readable = lp_record_read(&look->record, entitlement, shard,
                                           record) == 0;
    look->record.exists |= !look->record_readable;
}
