/*
 * A block of a code's entitlement must reach the licence that was made from
 * it, which is a record of its own with another home. The seller's message is
 * acknowledged only after this, so that a worker that dies in between is made
 * good by the message that comes again.
 */

#include "chain.h"
#include "code_redeem.h"

#define ATTEMPTS 20

/* The licence and what it stands among. */
typedef struct {
    lp_store_t *store;
    lp_record_t before;
    lp_record_t after;
    lp_chain_t  chain;
} follower_t;

static lp_store_status_t find_licence(lp_store_t *store, const char *hash,
                                      lp_record_t *licence);
static lp_store_status_t follow(follower_t *follower, lp_status_t status);
static lp_store_status_t read_licence(follower_t *follower);
static lp_store_status_t read_chain(follower_t *follower);

lp_store_status_t
lp_code_follow(lp_service_t *service, const char *hash, int blocked)
{
    follower_t        follower;
    lp_record_t       licence;
    lp_store_status_t status;
    unsigned          i;

    status = find_licence(service->store, hash, &licence);
    if (status != LP_STORE_OK || !licence.exists) {
        return status;
    }
    memset(&follower, 0, sizeof(follower));
    follower.store = service->store;
    status = LP_STORE_CONFLICT;
    for (i = 0; i < ATTEMPTS && status == LP_STORE_CONFLICT; i++) {
        follower.before = licence;
        status = follow(&follower, blocked ? LP_STATUS_BLOCKED
                                           : LP_STATUS_LICENSED);
        lp_chain_clear(&follower.chain);
    }
    return status;
}

static lp_store_status_t
find_licence(lp_store_t *store, const char *hash, lp_record_t *licence)
{
    const redisReply *reply;
    lp_span_t         id;
    char              name[LP_KEY_MAX], entitlement[LP_ENTITLEMENT_LEN];

    licence->exists = 0;
    reply = lp_store_ask(store, LP_WORDS(lp_span("HGET"),
                                         {name, lp_key_code(name, hash)},
                                         lp_span("licence")));
    if (reply == NULL) {
        return lp_store_status(store);
    }
    id = lp_store_text(reply);
    if (id.len != LP_ENTITLEMENT_LEN) {
        return LP_STORE_OK;
    }
    memcpy(entitlement, id.data, LP_ENTITLEMENT_LEN);
    return lp_record_find(store, licence, entitlement);
}

static lp_store_status_t
follow(follower_t *follower, lp_status_t wanted)
{
    lp_store_status_t status;

    status = read_licence(follower);
    if (status == LP_STORE_OK && follower->before.status == wanted) {
        lp_store_unwatch(follower->store);
        return LP_STORE_OK;
    }
    follower->after = follower->before;
    follower->after.status = wanted;
    if (status == LP_STORE_OK) {
        status = read_chain(follower);
    }
    if (status != LP_STORE_OK) {
        lp_store_unwatch(follower->store);
        return status;
    }
    lp_store_begin(follower->store);
    lp_chain_write(&follower->chain, follower->store, &follower->after,
                   lp_service_today());
    lp_record_write(follower->store, &follower->after, &follower->before);
    return lp_store_commit(follower->store);
}

/* Again, watched, and with it the rights of its holders. */
static lp_store_status_t
read_licence(follower_t *follower)
{
    lp_store_t       *store = follower->store;
    lp_record_t       found = follower->before;
    lp_holder_t      *holder; /* points into follower->after */
    const redisReply *reply;
    lp_span_t         key, text;
    char              name[LP_KEY_MAX];
    unsigned          i;

    follower->after = found;
    lp_chain_holders(&follower->chain, &follower->after);
    key.data = name;
    key.len = lp_key_entitlement(name, found.shard, found.entitlement);
    lp_store_add(store, LP_WORDS(lp_span("WATCH"), key));
    lp_store_add(store, LP_WORDS(lp_span("HGETALL"), key));
    for (i = 0; i < follower->chain.n_holders; i++) {
        holder = &follower->chain.holders[i];
        key = (lp_span_t) {holder->key, holder->key_len};
        lp_store_add(store, LP_WORDS(lp_span("WATCH"), key));
        lp_store_add(store, LP_WORDS(lp_span("HGET"), key,
                                     lp_field(&found.product)));
    }
    if (lp_store_run(store) != LP_STORE_OK) {
        return lp_store_status(store);
    }
    for (i = 0; i < follower->chain.n_holders; i++) {
        holder = &follower->chain.holders[i];
        text = lp_store_text(lp_store_reply(store, 3 + 2 * i));
        holder->any = text.data != NULL;
        holder->has = holder->any
                      && lp_right_parse(&holder->right, text) == 0;
    }
    reply = lp_store_reply(store, 1);
    return lp_record_read(&follower->before, found.entitlement, found.shard,
                          reply) == 0 && follower->before.exists
               ? LP_STORE_OK
               : LP_STORE_REFUSED;
}

static lp_store_status_t
read_chain(follower_t *follower)
{
    lp_store_status_t status = LP_STORE_OK;
    unsigned          at;

    if (lp_chain_seek(&follower->chain, &follower->before) != 0) {
        return LP_STORE_REFUSED;
    }
    while (status == LP_STORE_OK
           && lp_chain_ask(&follower->chain, follower->store,
                           &follower->after) > 0) {
        status = lp_store_run(follower->store);
        if (status == LP_STORE_OK) {
            at = 0;
            lp_chain_take(&follower->chain, follower->store,
                          &follower->after, &at);
            status = lp_chain_find(&follower->chain, follower->store,
                                   &follower->after);
        }
    }
    return status;
}
