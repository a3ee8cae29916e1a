/*
 * Open rights: a whole school may use a product, and each pupil who does gets
 * a licence of their own, under an entitlement that follows from the open
 * right and the user. The seller is told of the open right.
 *
 * Licences are counted in "used" of the open right's record. On the first
 * morning of a school year a whole school activates at once, so that the
 * record is not watched where it makes no difference how many are before us:
 * without a limit, when the limit is passed already, and, where going beyond it
 * is only reported, when it is more than CLICKS_AT_ONCE away. Only near the
 * limit clicks wait for each other.
 */

#include "activation.h"
#include "chain.h"

#define CLICKS_AT_ONCE 128 /* more workers than there are */

static lp_store_status_t read_both(lp_activation_t *a);
static lp_store_status_t read_open(lp_activation_t *a, unsigned reply);
static int near_limit(const lp_activation_t *a);
static void make_open(lp_activation_t *a);
static void make_licence(lp_activation_t *a, lp_span_t user);
static int read_chain(lp_activation_t *a, lp_chain_t *chain);
static lp_outcome_t write_again(lp_activation_t *a, lp_chain_t *chain);
static lp_outcome_t write_new(lp_activation_t *a, lp_chain_t *chain);
static void write_right(lp_activation_t *a, lp_chain_t *chain);
static void count_use(lp_activation_t *a);

/* The user's hash at the school: of the first key, which is the ECK iD's. */
static const lp_held_key_t *
home_of_user(const lp_activation_t *a)
{
    return &a->held.keys[0];
}

lp_outcome_t
lp_activate_open(lp_activation_t *a)
{
    lp_chain_t   chain = {.members = NULL};
    lp_outcome_t outcome;

    if (a->by->n_users == 0 || !home_of_user(a)->is_hash) {
        return LP_NO_RIGHT;
    }

    if (read_both(a) != LP_STORE_OK) {
        return LP_UNAVAILABLE;
    }

    if (a->open.status == LP_STATUS_BLOCKED
        || (a->before.exists && a->before.status == LP_STATUS_BLOCKED)) {
        return LP_BLOCKED_OUT;
    }

    if (a->open.status == LP_STATUS_CANCELLED
        || (a->before.exists && a->before.status == LP_STATUS_CANCELLED)) {
        return LP_NO_RIGHT;
    }

    /* the licence is there, but the right is not: it is given back */
    if (a->before.exists && a->before.expires >= a->by->today) {
        outcome = write_again(a, &chain);
    } else {
        outcome = write_new(a, &chain);
    }
    lp_chain_clear(&chain);

    return outcome;
}

/* The licence, if there is one from before, and the open right's record. */
static lp_store_status_t
read_both(lp_activation_t *a)
{
    lp_span_t user = home_of_user(a)->user;
    char      id[LP_ENTITLEMENT_LEN], name[LP_KEY_MAX];
    lp_span_t key = {name, lp_key_entitlement(name, a->key->shard,
                                              a->right.entitlement)};

    if (lp_licence_id(id, a->right.entitlement, user) != 0) {
        return LP_STORE_DOWN;
    }

    lp_activation_ask(a, id, a->key->shard);
    lp_store_add(a->store, LP_WORDS(lp_span("HGETALL"), key));
    lp_activation_ask_set(a);

    if (lp_store_run(a->store) != LP_STORE_OK) {
        return lp_store_status(a->store);
    }

    if (lp_activation_read(a, &a->before, id, a->key->shard, 1) != 0
        || read_open(a, 2) != LP_STORE_OK) {
        return LP_STORE_REFUSED;
    }

    a->until = lp_activation_until(a, lp_store_reply(a->store, 3),
                                   a->open.minimum);
    a->licence = a->before;

    if (a->open.exists && !near_limit(a)) {
        return LP_STORE_OK;
    }

    /* now nobody may come between */
    lp_activation_ask(a, a->right.entitlement, a->key->shard);
    if (lp_store_run(a->store) != LP_STORE_OK
        || read_open(a, 1) != LP_STORE_OK) {
        return LP_STORE_REFUSED;
    }

    if (!a->open.exists) {
        make_open(a);
    }

    return LP_STORE_OK;
}

static lp_store_status_t
read_open(lp_activation_t *a, unsigned reply)
{
    if (lp_activation_read(a, &a->open_before, a->right.entitlement,
                           a->key->shard, reply) != 0) {
        return LP_STORE_REFUSED;
    }

    a->open = a->open_before;

    return LP_STORE_OK;
}

/*
 * The next one may, or may not, be the first too many. Where that is refused, a
 * limit is never far away: a worker may stand still between this and its write
 * while others give all that is left.
 */
static int
near_limit(const lp_activation_t *a)
{
    const lp_record_t *open = &a->open;

    return open->used < open->quantity
           && (a->service->refuse_over
               || open->quantity - open->used <= CLICKS_AT_ONCE);
}

/* An operator has set the right alone: without a limit, and without a party. */
static void
make_open(lp_activation_t *a)
{
    a->open.type = LP_TYPE_OPEN;
    a->open.status = LP_STATUS_ENTITLED;
    a->open.from = a->right.from;
    a->open.until = a->right.until;
    lp_field_set(&a->open.product, a->field);
    lp_field_set(&a->open.school, a->key->school);
}

static lp_outcome_t
write_again(lp_activation_t *a, lp_chain_t *chain)
{
    lp_outcome_t outcome;

    if (read_chain(a, chain) != 0) {
        return LP_UNAVAILABLE;
    }

    lp_store_begin(a->store);
    write_right(a, chain);
    lp_record_write(a->store, &a->licence, &a->before);
    outcome = lp_activation_commit(a, a->licence.expires);
    a->licence.exists = outcome == LP_REDIRECT;

    return outcome;
}

static lp_outcome_t
write_new(lp_activation_t *a, lp_chain_t *chain)
{
    lp_outcome_t outcome;
    int          over;

    over = a->open.quantity > 0 && a->open.used >= a->open.quantity;
    if (over && a->service->refuse_over) {
        return LP_NO_RIGHT;
    }

    make_licence(a, home_of_user(a)->user);

    if (read_chain(a, chain) != 0 || lp_activation_seal(a, &a->open) != 0) {
        return LP_UNAVAILABLE;
    }

    /* their places, before them; both follow from the same school */
    if (!a->before.exists) {
        lp_place_claim(a->store, &a->licence);
    }
    if (!a->open_before.exists) {
        lp_place_claim(a->store, &a->open);
    }

    lp_store_begin(a->store);
    write_right(a, chain);
    lp_record_write(a->store, &a->licence, &a->before);
    count_use(a);
    lp_journal_activation(a->store, &a->open, a->licence.licensed,
                          a->licence.expires, lp_activation_person(a), over);

    outcome = lp_activation_commit(a, a->licence.expires);
    a->licence.exists = outcome == LP_REDIRECT;

    return outcome;
}

/* One that ended in an earlier year begins anew. */
static void
make_licence(lp_activation_t *a, lp_span_t user)
{
    lp_record_t *licence = &a->licence;

    licence->type = LP_TYPE_SCHOOL_STUDENT;
    licence->status = LP_STATUS_LICENSED;
    licence->party = a->open.party;
    licence->order = a->open.order;
    licence->contract = a->open.contract;
    licence->from = a->open.from;
    licence->until = a->open.until;
    licence->minimum = a->open.minimum;
    licence->licensed = a->by->today;
    licence->expires = a->until;
    licence->has_open = 1;
    licence->n_users = 1;
    memcpy(licence->open, a->right.entitlement, LP_ENTITLEMENT_LEN);
    memcpy(licence->users[0], user.data, LP_USER_KEY_LEN);
    lp_field_set(&licence->product, a->field);
    lp_field_set(&licence->school, a->key->school);
}

/* Rights of the user's own that are of no use today must not be lost: they come
   next in the chain. It stays empty where there are none. */
static int
read_chain(lp_activation_t *a, lp_chain_t *chain)
{
    unsigned i;
    int      chained = a->licence.has_next;

    for (i = 0; i < a->held.rights.n; i++) {
        chained |= a->held.found[i].key == 0
                   && lp_span_equal(a->held.found[i].field, a->field);
    }

    return chained
                   && lp_chain_read(chain, a->store, &a->licence)
                          != LP_STORE_OK
               ? -1 : 0;
}

static void
write_right(lp_activation_t *a, lp_chain_t *chain)
{
    char       text[LP_RIGHT_MAX];
    lp_right_t right;
    lp_span_t  value;

    if (chain->n_holders > 0) {
        lp_chain_write(chain, a->store, &a->licence, a->by->today);
        return;
    }

    right.state = LP_LICENSED;
    right.from = a->licence.licensed;
    right.until = a->licence.expires;
    memcpy(right.entitlement, a->licence.entitlement, LP_ENTITLEMENT_LEN);
    value = (lp_span_t) {text, lp_right_format(text, &right)};

    lp_store_add(a->store, LP_WORDS(lp_span("HSET"),
                                    lp_held_key(home_of_user(a)), a->field,
                                    value));
}

static void
count_use(lp_activation_t *a)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, lp_key_entitlement(name, a->key->shard,
                                              a->right.entitlement)};

    if (!a->open_before.exists) {
        a->open.used = 1;
        lp_record_write(a->store, &a->open, &a->open_before);
        return;
    }

    lp_store_add(a->store, LP_WORDS(lp_span("HINCRBY"), key, lp_span("used"),
                                    lp_span("1")));
}
