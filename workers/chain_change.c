/*
 * Chains that change without a message about the entitlement itself.
 *
 * The turn of the year: in July a pupil has a licence and, for the same book,
 * next year's entitlement behind it; on the first of August nobody sends
 * anything, and the licence has ended. What follows stands beside it (chain.c)
 * and is activated as any right is. Where that has ended as well, unused, a
 * worker looks whether there is a third.
 *
 * A code: the seller blocks the code's entitlement, which has no user, and
 * means the licence that the code became.
 */

#include "chain.h"

/* The field that is promoted, and what is there. */
typedef struct {
    lp_span_t key;
    unsigned  shard;
    lp_span_t product;
    lp_slot_t first;
    lp_slot_t follows;
} front_t;

static lp_store_status_t read_front(lp_store_t *store, front_t *front);
static lp_store_status_t read_behind(lp_store_t *store, const front_t *front,
                                     lp_record_t *record);
static lp_store_status_t drop_follows(lp_store_t *store, const front_t *front);
static lp_store_status_t write_chain(lp_chain_t *chain, lp_store_t *store,
                                     const lp_record_t *before,
                                     lp_record_t *after, uint32_t today);
static lp_store_status_t read_rights(lp_chain_t *chain, lp_store_t *store,
                                     lp_span_t product);
static lp_store_status_t read_members(lp_chain_t *chain, lp_store_t *store,
                                      const lp_record_t *record);

lp_store_status_t
lp_chain_promote(lp_store_t *store, lp_span_t key, unsigned shard,
                 lp_span_t product, uint32_t today, int *changed)
{
    front_t           front = {.key = key, .shard = shard, .product = product};
    lp_record_t       before, after;
    lp_chain_t        chain;
    lp_store_status_t status;
    int               any;

    *changed = 0;
    status = read_front(store, &front);
    if (status != LP_STORE_OK
        || (front.first.has && !lp_right_ended(&front.first.right, today))) {
        return status;
    }
    status = read_behind(store, &front, &before);
    any = front.follows.any;
    if (status != LP_STORE_OK || (!any && !before.has_next)) {
        return status;
    }
    if (!before.exists) {
        status = drop_follows(store, &front);
        *changed = status == LP_STORE_OK;
        return status;
    }
    after = before;
    status = lp_chain_read(&chain, store, &before);
    if (status == LP_STORE_OK
        && (any || lp_chain_alive(&chain, today) > 0)) {
        status = write_chain(&chain, store, &before, &after, today);
        *changed = status == LP_STORE_OK;
    }
    lp_chain_clear(&chain);
    return status;
}

static lp_store_status_t
write_chain(lp_chain_t *chain, lp_store_t *store, const lp_record_t *before,
            lp_record_t *after, uint32_t today)
{
    lp_store_begin(store);
    lp_chain_write(chain, store, after, today);
    lp_record_write(store, after, before);
    return lp_store_commit(store);
}

/* The record as it is now, watched. */
static lp_store_status_t
read_record(lp_store_t *store, const char *entitlement, unsigned shard,
            lp_record_t *record)
{
    char              name[LP_KEY_MAX];
    lp_span_t         key = {name, 0};
    lp_store_status_t status;

    key.len = lp_key_entitlement(name, shard, entitlement);
    lp_store_add(store, LP_WORDS(lp_span("WATCH"), key));
    lp_store_add(store, LP_WORDS(lp_span("HGETALL"), key));
    status = lp_store_run(store);
    if (status == LP_STORE_OK
        && lp_record_read(record, entitlement, shard, lp_store_reply(store, 1))
               != 0) {
        record->exists = 0;
    }
    return status;
}

lp_store_status_t
lp_chain_block(lp_store_t *store, const char *entitlement, int blocked,
               uint32_t today, int *changed)
{
    lp_record_t       before, after;
    lp_chain_t        chain;
    lp_store_status_t status;

    *changed = 0;
    status = lp_record_find(store, &before, entitlement);
    if (status == LP_STORE_OK && before.exists) {
        status = read_record(store, entitlement, before.shard, &before);
    }
    if (status != LP_STORE_OK || !before.exists
        || before.status != (blocked ? LP_STATUS_LICENSED
                                     : LP_STATUS_BLOCKED)) {
        return status;
    }
    after = before;
    after.status = blocked ? LP_STATUS_BLOCKED : LP_STATUS_LICENSED;
    status = lp_chain_read(&chain, store, &before);
    if (status == LP_STORE_OK) {
        status = write_chain(&chain, store, &before, &after, today);
        *changed = status == LP_STORE_OK;
    }
    lp_chain_clear(&chain);
    return status;
}

lp_store_status_t
lp_chain_read(lp_chain_t *chain, lp_store_t *store, const lp_record_t *record)
{
    lp_store_status_t status;

    lp_chain_holders(chain, record);
    status = read_rights(chain, store, lp_field(&record->product));
    if (status != LP_STORE_OK) {
        return status;
    }
    return lp_chain_seek(chain, record) == 0
               ? read_members(chain, store, record)
               : LP_STORE_DOWN;
}

static lp_store_status_t
read_front(lp_store_t *store, front_t *front)
{
    lp_store_status_t status;

    lp_store_add(store, LP_WORDS(lp_span("WATCH"), front->key));
    lp_slots_ask(store, front->key, front->product);
    status = lp_store_run(store);
    if (status == LP_STORE_OK) {
        lp_slots_read(&front->first, &front->follows, lp_store_reply(store, 1));
    }
    return status;
}

/* The record of either right. exists 0: there is none. */
static lp_store_status_t
read_behind(lp_store_t *store, const front_t *front, lp_record_t *record)
{
    const lp_slot_t  *slots[2] = {&front->first, &front->follows};
    lp_store_status_t status = LP_STORE_OK;
    const char       *entitlement;
    unsigned          i;

    memset(record, 0, sizeof(*record));
    for (i = 0; i < 2 && status == LP_STORE_OK && !record->exists; i++) {
        if (!slots[i]->has) {
            continue;
        }
        entitlement = slots[i]->right.entitlement;
        status = read_record(store, entitlement, front->shard, record);
        /* a private customer's may be at home with another id */
        if (status == LP_STORE_OK && !record->exists
            && lp_record_find(store, record, entitlement) == LP_STORE_OK
            && record->exists) {
            status = read_record(store, entitlement, record->shard, record);
        }
    }
    return status;
}

/* What follows has ended, and was an operator's. */
static lp_store_status_t
drop_follows(lp_store_t *store, const front_t *front)
{
    char      name[LP_FOLLOWS_MAX];
    lp_span_t field = {name, lp_field_follows(name, front->product)};

    lp_store_begin(store);
    lp_store_add(store, LP_WORDS(lp_span("HDEL"), front->key, field));
    return lp_store_commit(store);
}

/* By each id that the user has. */
static lp_store_status_t
read_rights(lp_chain_t *chain, lp_store_t *store, lp_span_t product)
{
    lp_holder_t      *holder;
    lp_span_t         key;
    lp_store_status_t status;
    unsigned          i;

    for (i = 0; i < chain->n_holders; i++) {
        holder = &chain->holders[i];
        key = (lp_span_t) {holder->key, holder->key_len};
        lp_store_add(store, LP_WORDS(lp_span("WATCH"), key));
        lp_slots_ask(store, key, product);
    }
    status = lp_store_run(store);
    for (i = 0; status == LP_STORE_OK && i < chain->n_holders; i++) {
        holder = &chain->holders[i];
        lp_slots_read(&holder->first, &holder->follows,
                      lp_store_reply(store, 2 * i + 1));
    }
    return status;
}

static lp_store_status_t
read_members(lp_chain_t *chain, lp_store_t *store, const lp_record_t *record)
{
    lp_store_status_t status = LP_STORE_OK;
    unsigned          at;

    while (status == LP_STORE_OK && lp_chain_ask(chain, store, record) > 0) {
        at = 0;
        status = lp_store_run(store);
        if (status == LP_STORE_OK) {
            lp_chain_take(chain, store, record, &at);
            status = lp_chain_find(chain, store, record);
        }
    }
    return status;
}
