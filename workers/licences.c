/*
 * Activation. Everything that the decision rests on is watched, read, decided
 * on by lp_decide() as at the edge, and what follows is one transaction:
 * rights, licence, totals, journal. If somebody was quicker, nothing is
 * written, and it is decided again on what there is now; so that of a hundred
 * clicks one activates, and the others find its licence. A worker may die
 * between any two steps: before the EXEC nothing has happened, after it all
 * has, and the click that is repeated finds the licence.
 *
 * What is told to the seller comes from e:, so that e: has the last word: where
 * it says blocked or cancelled and the right does not, there is no activation.
 *
 * An open right gives a licence of its own to each user (open_licence.c). An
 * entitlement of the user is activated here.
 */

#include "licences.h"

#include <time.h>
#include <unistd.h>

#include "activation.h"
#include "chain.h"

#define TRIES        64 /* of one click, each lost to another's write */
#define TRIES_AT_ONCE 2 /* before it waits a little */
#define PAUSE_NS     2000000

static lp_outcome_t attempt(lp_activation_t *a);
static lp_outcome_t look_behind(lp_activation_t *a);
static lp_outcome_t found(lp_activation_t *a, const lp_right_t *right);
static lp_outcome_t activate(lp_activation_t *a, const lp_right_t *right);
static unsigned take_likely(lp_activation_t *a);
static lp_outcome_t activate_own(lp_activation_t *a);
static int is_chained(const lp_activation_t *a);
static lp_outcome_t write_own(lp_activation_t *a, int is_new,
                              lp_chain_t *chain);
static lp_store_status_t read_own(lp_activation_t *a);
static lp_store_status_t read_own_at(lp_activation_t *a, unsigned shard);
static lp_store_status_t read_others(lp_activation_t *a);
static int is_ours(const lp_activation_t *a, lp_span_t user);
static int knows_us(const lp_activation_t *a);
static int names_this(const lp_activation_t *a, lp_span_t text);
static void make_own(lp_activation_t *a);
static void write_rights(lp_activation_t *a);
static void write_right(lp_activation_t *a, const lp_held_key_t *key,
                        lp_span_t value);
static void drop_follows(lp_activation_t *a, const lp_held_key_t *key);
static int is_this_right(const lp_activation_t *a, unsigned i);
static void pause_a_little(unsigned tries);

lp_outcome_t
lp_activate(lp_service_t *service, const lp_click_by_t *by,
            lp_record_t *record)
{
    static lp_activation_t a; /* too big for the stack of every caller */
    lp_outcome_t           outcome;
    unsigned               i;

    a.service = service;
    a.store = service->store;
    a.by = by;
    a.wants_record = record != NULL;
    a.promoted = 0;
    outcome = LP_ACTIVATE;

    for (i = 0; i < TRIES && outcome == LP_ACTIVATE; i++) {
        pause_a_little(i);
        memset(&a.licence, 0, sizeof(a.licence));
        outcome = attempt(&a);
    }

    lp_store_unwatch(service->store);

    if (record != NULL) {
        *record = a.licence;
    }

    return outcome == LP_ACTIVATE ? LP_UNAVAILABLE : outcome;
}

/* LP_ACTIVATE: somebody was quicker. */
static lp_outcome_t
attempt(lp_activation_t *a)
{
    const lp_right_t *right;
    lp_outcome_t      outcome;
    int               refused;

    if (lp_rights_held_read(&a->held, a->store, a->by) != LP_STORE_OK) {
        return LP_UNAVAILABLE;
    }

    refused = 0;

    for ( ;; ) {
        outcome = lp_decide(a->held.known ? &a->held.product : NULL,
                            &a->held.rights, a->by->today, &right);

        if (outcome == LP_REDIRECT) {
            return found(a, right);
        }
        if (outcome == LP_ENDED && !refused && !a->promoted) {
            return look_behind(a);
        }
        if (outcome != LP_ACTIVATE) {
            return refused ? LP_NO_RIGHT : outcome;
        }

        outcome = activate(a, right);
        if (outcome != LP_NO_RIGHT) {
            return outcome;
        }

        /* this one gives nothing, another may */
        refused = 1;
        lp_rights_held_drop(&a->held, right);
    }
}

/* What has ended may hide what follows it: then it is decided on that. */
static lp_outcome_t
look_behind(lp_activation_t *a)
{
    const lp_held_key_t *key;
    lp_store_status_t    status;
    unsigned             i;
    int                  changed;

    for (i = 0; i < a->held.rights.n; i++) {
        key = &a->held.keys[a->held.found[i].key];
        status = lp_chain_promote(a->store, lp_held_key(key), key->shard,
                                  a->held.found[i].field, a->by->today,
                                  &changed);
        a->promoted |= changed;
        if (status == LP_STORE_CONFLICT || changed) {
            return LP_ACTIVATE;
        }
        if (status != LP_STORE_OK) {
            return LP_UNAVAILABLE;
        }
    }

    return LP_ENDED;
}

/* There is a licence, or none is needed. */
static lp_outcome_t
found(lp_activation_t *a, const lp_right_t *right)
{
    const lp_held_key_t *key;

    if (right == NULL || !a->wants_record) {
        return LP_REDIRECT;
    }

    key = &a->held.keys[a->held.found[right - a->held.rights.list].key];
    lp_activation_ask(a, right->entitlement, key->shard);

    return lp_store_run(a->store) == LP_STORE_OK
                   && lp_activation_read(a, &a->licence, right->entitlement,
                                         key->shard, 1) == 0
               ? LP_REDIRECT : LP_UNAVAILABLE;
}

/* LP_NO_RIGHT: this right gives nothing. */
static lp_outcome_t
activate(lp_activation_t *a, const lp_right_t *right)
{
    size_t i;

    i = (size_t) (right - a->held.rights.list);
    a->right = *right;
    a->key = &a->held.keys[a->held.found[i].key];
    a->field = a->held.found[i].field;
    a->n_others = 0;
    a->at_hand = take_likely(a);

    return right->state == LP_OPEN ? lp_activate_open(a) : activate_own(a);
}

/*
 * The reply with the record of the right in hand, where it came with the rights
 * and all that is to be known is there; 0: it is to be asked for. Of a right to
 * a set the set's length is missing.
 */
static unsigned
take_likely(lp_activation_t *a)
{
    unsigned reply = a->held.likely;

    a->held.likely = 0; /* whatever is asked next, it will be gone */

    return reply > 0 && a->key->shard == a->held.likely_shard
                   && memcmp(a->right.entitlement, a->by->likely.data,
                             LP_ENTITLEMENT_LEN) == 0
                   && lp_span_equal(a->field, a->by->product)
               ? reply : 0;
}

/* The user's own entitlement. */
static lp_outcome_t
activate_own(lp_activation_t *a)
{
    lp_chain_t   chain;
    lp_outcome_t outcome = LP_UNAVAILABLE;
    int          is_new;

    if (read_own(a) != LP_STORE_OK || read_others(a) != LP_STORE_OK) {
        return LP_UNAVAILABLE;
    }

    if (a->before.status == LP_STATUS_BLOCKED) {
        return LP_BLOCKED_OUT;
    }
    if (a->before.status == LP_STATUS_CANCELLED) {
        return LP_NO_RIGHT;
    }

    /* a licence that began before is what it was: the right is mended */
    is_new = a->licence.licensed == 0;
    if (is_new) {
        a->licence.licensed = a->by->today;
        a->licence.expires = a->until;
    }
    a->licence.status = LP_STATUS_LICENSED;

    if (is_new && lp_activation_seal(a, &a->licence) != 0) {
        return LP_UNAVAILABLE;
    }

    if (!is_chained(a)) {
        return write_own(a, is_new, NULL);
    }

    if (lp_chain_read(&chain, a->store, &a->licence) == LP_STORE_OK) {
        outcome = write_own(a, is_new, &chain);
    }
    lp_chain_clear(&chain);

    return outcome;
}

/* Other entitlements of the user stand before it or behind it. */
static int
is_chained(const lp_activation_t *a)
{
    int      chained = a->licence.has_next;
    unsigned i;

    for (i = 0; i < a->held.rights.n; i++) {
        chained |= is_this_right(a, i)
                   && (a->held.found[i].follows || a->held.found[i].more);
    }

    return chained && a->has_record
           && lp_span_equal(lp_field(&a->licence.product), a->field);
}

/* chain: NULL where there is none. */
static lp_outcome_t
write_own(lp_activation_t *a, int is_new, lp_chain_t *chain)
{
    lp_outcome_t outcome;

    lp_store_begin(a->store);
    write_rights(a);
    if (chain != NULL) {
        lp_chain_write(chain, a->store, &a->licence, a->by->today);
    }

    if (a->has_record) {
        lp_record_write(a->store, &a->licence, &a->before);
    }
    if (a->has_record && is_new) {
        lp_journal_activation(a->store, &a->licence, a->licence.licensed,
                              a->licence.expires, lp_activation_person(a), 0);
    }

    outcome = lp_activation_commit(a, a->licence.expires);
    a->licence.exists = a->has_record && outcome == LP_REDIRECT;

    return outcome;
}

/*
 * The record of the entitlement, or a new one; and how long a licence would
 * last. A private customer's record is at home with the first user key, which
 * need not be the one of this right: x: knows.
 */
static lp_store_status_t
read_own(lp_activation_t *a)
{
    int shard;

    if (read_own_at(a, a->key->shard) != LP_STORE_OK) {
        return LP_STORE_DOWN;
    }

    if (!a->before.exists) {
        make_own(a);
        lp_place_claim(a->store, &a->licence);
        if (lp_store_run(a->store) != LP_STORE_OK) {
            return LP_STORE_DOWN;
        }

        shard = lp_place_read(lp_store_reply(a->store, 1));
        if (shard == (int) a->licence.shard) {
            return LP_STORE_OK;
        }
        if (shard < 0 || read_own_at(a, (unsigned) shard) != LP_STORE_OK) {
            return LP_STORE_DOWN;
        }
    }

    /* another person's: an operator has given one id twice. The right is this
       person's all the same, but there is nothing to be told about it. */
    if (!knows_us(a)) {
        memset(&a->licence, 0, sizeof(a->licence));
        memset(&a->before, 0, sizeof(a->before));
        a->has_record = 0;
    }

    return LP_STORE_OK;
}

static lp_store_status_t
read_own_at(lp_activation_t *a, unsigned shard)
{
    unsigned reply = a->at_hand;

    a->at_hand = 0;

    if (reply == 0) {
        lp_activation_ask(a, a->right.entitlement, shard);
        lp_activation_ask_set(a);
        if (lp_store_run(a->store) != LP_STORE_OK) {
            return LP_STORE_DOWN;
        }
        reply = 1;
    }

    if (lp_activation_read(a, &a->before, a->right.entitlement, shard, reply)
        != 0) {
        return LP_STORE_DOWN;
    }

    a->licence = a->before;
    a->has_record = 1;
    a->until = lp_activation_until(a, lp_store_reply(a->store, reply + 1),
                                   a->before.minimum);

    return LP_STORE_OK;
}

/*
 * Hashes of the record's other users, which the click did not name: they get
 * the licence too, unless their right has become another one.
 */
static lp_store_status_t
read_others(lp_activation_t *a)
{
    lp_held_key_t *key;
    lp_span_t      user;
    unsigned       i;

    for (i = 0; i < a->licence.n_users; i++) {
        user = (lp_span_t) {a->licence.users[i], LP_USER_KEY_LEN};
        if (is_ours(a, user)) {
            continue;
        }

        key = &a->others[a->n_others++];
        key->len = lp_key_user(key->name, a->key->school, user);
        lp_store_add(a->store, LP_WORDS(lp_span("WATCH"), lp_held_key(key)));
        lp_store_add(a->store, LP_WORDS(lp_span("HGET"), lp_held_key(key),
                                        a->field));
    }

    if (a->n_others == 0) {
        return LP_STORE_OK;
    }

    if (lp_store_run(a->store) != LP_STORE_OK) {
        return lp_store_status(a->store);
    }

    for (i = 0; i < a->n_others; i++) {
        a->others[i].is_hash = names_this(a,
            lp_store_text(lp_store_reply(a->store, 2 * i + 1)));
    }

    return LP_STORE_OK;
}

static int
is_ours(const lp_activation_t *a, lp_span_t user)
{
    unsigned i;

    for (i = 0; i < a->by->n_users; i++) {
        if (lp_span_equal(a->by->users[i], user)) {
            return 1;
        }
    }

    return 0;
}

static int
knows_us(const lp_activation_t *a)
{
    unsigned i;

    for (i = 0; i < a->licence.n_users; i++) {
        if (is_ours(a, (lp_span_t) {a->licence.users[i], LP_USER_KEY_LEN})) {
            return 1;
        }
    }

    return 0;
}

static int
names_this(const lp_activation_t *a, lp_span_t text)
{
    lp_right_t right;

    return text.data != NULL && lp_right_parse(&right, text) == 0
           && memcmp(right.entitlement, a->right.entitlement,
                     LP_ENTITLEMENT_LEN) == 0;
}

/* A right without a record, as an operator sets it. */
static void
make_own(lp_activation_t *a)
{
    lp_record_t *record = &a->licence;
    unsigned     i;

    record->type = a->key->school.len == 0 ? LP_TYPE_CUSTOMER_STUDENT
                   : a->by->employee       ? LP_TYPE_SCHOOL_EMPLOYEE
                                           : LP_TYPE_SCHOOL_STUDENT;
    record->from = a->right.from;
    record->until = a->right.until;
    lp_field_set(&record->product, a->field);
    lp_field_set(&record->school, a->key->school);

    for (i = 0; i < a->held.rights.n; i++) {
        if (is_this_right(a, i)) {
            memcpy(record->users[record->n_users++],
                   a->held.keys[a->held.found[i].key].user.data,
                   LP_USER_KEY_LEN);
        }
    }
}

/* Under every key whose right at this product is this entitlement. */
static void
write_rights(lp_activation_t *a)
{
    char       text[LP_RIGHT_MAX];
    lp_right_t right = a->right;
    lp_span_t  value;
    unsigned   i;

    right.state = LP_LICENSED;
    right.from = a->licence.licensed;
    right.until = a->licence.expires;
    value = (lp_span_t) {text, lp_right_format(text, &right)};

    for (i = 0; i < a->held.rights.n; i++) {
        if (is_this_right(a, i)) {
            write_right(a, &a->held.keys[a->held.found[i].key], value);
        }
        if (is_this_right(a, i) && a->held.found[i].follows) {
            drop_follows(a, &a->held.keys[a->held.found[i].key]);
        }
    }

    for (i = 0; i < a->n_others; i++) {
        if (a->others[i].is_hash) {
            write_right(a, &a->others[i], value);
        }
    }
}

static void
write_right(lp_activation_t *a, const lp_held_key_t *key, lp_span_t value)
{
    lp_store_add(a->store, LP_WORDS(lp_span("HSET"), lp_held_key(key),
                                    a->field, value));
}

/* It does not follow any more. What does now is the chain's. */
static void
drop_follows(lp_activation_t *a, const lp_held_key_t *key)
{
    char      name[LP_FOLLOWS_MAX];
    lp_span_t field = {name, lp_field_follows(name, a->field)};

    lp_store_add(a->store, LP_WORDS(lp_span("HDEL"), lp_held_key(key), field));
}

/* The i-th right is the one in hand, or the same one under another key. */
static int
is_this_right(const lp_activation_t *a, unsigned i)
{
    const lp_held_key_t *key = &a->held.keys[a->held.found[i].key];

    return key->user.len > 0 && lp_span_equal(key->school, a->key->school)
           && lp_span_equal(a->held.found[i].field, a->field)
           && memcmp(a->held.rights.list[i].entitlement,
                     a->right.entitlement, LP_ENTITLEMENT_LEN) == 0;
}

/* So that clicks which meet do not meet again. */
static void
pause_a_little(unsigned tries)
{
    struct timespec pause;

    if (tries >= TRIES_AT_ONCE) {
        clock_gettime(CLOCK_MONOTONIC, &pause);
        pause.tv_sec = 0;
        pause.tv_nsec = (pause.tv_nsec ^ (long) getpid() * 7919) % PAUSE_NS;
        nanosleep(&pause, NULL);
    }
}
