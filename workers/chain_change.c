/*
 * Chains that change without a message about the entitlement itself.
 *
 * The turn of the year: in July a pupil has a licence and, for the same book,
 * next year's entitlement behind it; on the first of August nobody sends
 * anything, and the licence has ended. A worker that finds it ended looks
 * whether something follows.
 *
 * A code: the seller blocks the code's entitlement, which has no user, and
 * means the licence that the code became.
 */

#include "chain.h"

static lp_store_status_t read_first(lp_store_t *store, lp_span_t key,
                                    unsigned shard, lp_span_t product,
                                    uint32_t today, lp_record_t *record);
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
    lp_record_t       before, after;
    lp_chain_t        chain;
    lp_store_status_t status;

    *changed = 0;
    status = read_first(store, key, shard, product, today, &before);
    if (status != LP_STORE_OK || !before.exists || !before.has_next) {
        return status;
    }
    after = before;
    status = lp_chain_read(&chain, store, &before);
    if (status == LP_STORE_OK && lp_chain_alive(&chain, today) > 0) {
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

/* exists 0: the right has not ended, or no record is behind it. */
static lp_store_status_t
read_first(lp_store_t *store, lp_span_t key, unsigned shard, lp_span_t product,
           uint32_t today, lp_record_t *record)
{
    lp_right_t        right;
    lp_store_status_t status;

    memset(record, 0, sizeof(*record));
    lp_store_add(store, LP_WORDS(lp_span("WATCH"), key));
    lp_store_add(store, LP_WORDS(lp_span("HGET"), key, product));
    status = lp_store_run(store);
    if (status != LP_STORE_OK
        || lp_right_parse(&right, lp_store_text(lp_store_reply(store, 1))) != 0
        || right.until == 0 || right.until >= today) {
        return status;
    }
    return read_record(store, right.entitlement, shard, record);
}

/* By each id that the user has. */
static lp_store_status_t
read_rights(lp_chain_t *chain, lp_store_t *store, lp_span_t product)
{
    lp_holder_t      *holder;
    lp_span_t         text;
    lp_store_status_t status;
    unsigned          i;

    for (i = 0; i < chain->n_holders; i++) {
        holder = &chain->holders[i];
        lp_store_add(store, LP_WORDS(lp_span("WATCH"),
                                     ((lp_span_t) {holder->key,
                                                   holder->key_len})));
        lp_store_add(store, LP_WORDS(lp_span("HGET"),
                                     ((lp_span_t) {holder->key,
                                                   holder->key_len}),
                                     product));
    }
    status = lp_store_run(store);
    for (i = 0; status == LP_STORE_OK && i < chain->n_holders; i++) {
        holder = &chain->holders[i];
        text = lp_store_text(lp_store_reply(store, 2 * i + 1));
        holder->any = text.data != NULL;
        holder->has = holder->any && lp_right_parse(&holder->right, text) == 0;
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
