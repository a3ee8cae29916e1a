/*
 * The licences are found in the list of the school, which names all that it
 * holds and only grows: piece by piece, so that a school of thirty thousand
 * needs no more memory than one of thirty. Those of a piece are changed in one
 * transaction, or one by one where somebody is quicker all the time.
 */

#include "open_block.h"

#include <stdio.h>
#include <stdlib.h>

#include "chain.h"

#define PIECE        128 /* entitlements that are looked at together */
#define ATTEMPTS     3   /* of a piece */
#define ATTEMPTS_ONE 16  /* of a licence by itself */
#define DIGITS_MAX   24

typedef struct {
    lp_record_t before;
    lp_record_t after;
    lp_chain_t  chain;
} licence_t;

typedef struct {
    lp_store_t        *store;
    const lp_record_t *open;
    int                blocked;
    uint32_t           today;
    unsigned           n; /* licences of this piece that are to be changed */
    char               ids[PIECE][LP_ENTITLEMENT_LEN];
    licence_t          licences[PIECE];
} block_t;

static lp_store_status_t list_piece(block_t *block, uint64_t from,
                                    unsigned *listed);
static lp_store_status_t choose(block_t *block);
static lp_store_status_t change_all(block_t *block);
static lp_store_status_t change(block_t *block, unsigned from, unsigned n);
static lp_store_status_t read_licences(block_t *block, licence_t *list,
                                       unsigned from, unsigned n);
static lp_store_status_t read_rights(lp_store_t *store, licence_t *list,
                                     unsigned n);
static lp_store_status_t read_chains(lp_store_t *store, licence_t *list,
                                     unsigned n);

lp_store_status_t
lp_open_block(lp_store_t *store, const lp_record_t *open, int blocked,
              uint32_t today, int *changed)
{
    block_t          *block = malloc(sizeof(*block));
    lp_store_status_t status = LP_STORE_OK;
    uint64_t          from = 0;
    unsigned          listed = PIECE;

    *changed = 0;
    if (block == NULL) {
        return LP_STORE_REFUSED;
    }
    block->store = store;
    block->open = open;
    block->blocked = blocked;
    block->today = today;
    while (status == LP_STORE_OK && listed == PIECE) {
        status = list_piece(block, from, &listed);
        if (status == LP_STORE_OK) {
            status = choose(block);
        }
        if (status == LP_STORE_OK && block->n > 0) {
            *changed = 1;
            status = change_all(block);
        }
        from += PIECE;
    }
    free(block);
    return status;
}

static lp_store_status_t
list_piece(block_t *block, uint64_t from, unsigned *listed)
{
    char              name[LP_KEY_MAX], first[DIGITS_MAX], last[DIGITS_MAX];
    lp_span_t         key = {name, lp_key_held(name,
                                               lp_field(&block->open->school),
                                               lp_span(""))};
    const redisReply *reply;
    lp_span_t         id;
    size_t            i;

    snprintf(first, sizeof(first), "%llu", (unsigned long long) from);
    snprintf(last, sizeof(last), "%llu",
             (unsigned long long) from + PIECE - 1);
    block->n = 0;
    *listed = 0;
    reply = lp_store_ask(block->store,
                         LP_WORDS(lp_span("LRANGE"), key, lp_span_of(first),
                                  lp_span_of(last)));
    if (reply == NULL) {
        return lp_store_status(block->store);
    }
    for (i = 0; i < reply->elements && i < PIECE; i++) {
        id = lp_store_text(reply->element[i]);
        if (id.len == LP_ENTITLEMENT_LEN) {
            memcpy(block->ids[block->n++], id.data, id.len);
        }
        (*listed)++;
    }
    return LP_STORE_OK;
}

/* Those that were taken from the open right, and are not as they should be. */
static lp_store_status_t
choose(block_t *block)
{
    const char       *found = lp_status_name(block->blocked
                                                 ? LP_STATUS_LICENSED
                                                 : LP_STATUS_BLOCKED);
    char              name[LP_KEY_MAX];
    lp_span_t         key = {name, 0};
    lp_span_t         open = {block->open->entitlement, LP_ENTITLEMENT_LEN};
    lp_store_status_t status;
    const redisReply *reply;
    unsigned          i, n = 0;

    for (i = 0; i < block->n; i++) {
        key.len = lp_key_entitlement(name, block->open->shard, block->ids[i]);
        lp_store_add(block->store, LP_WORDS(lp_span("HMGET"), key,
                                            lp_span("open"),
                                            lp_span("status")));
    }
    status = lp_store_run(block->store);
    if (status == LP_STORE_REFUSED
        && strcmp(lp_store_error(block->store), "WRONGTYPE") == 0) {
        status = LP_STORE_OK; /* a key of another type is no licence */
    }
    for (i = 0; status == LP_STORE_OK && i < block->n; i++) {
        reply = lp_store_reply(block->store, i);
        if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2
            && lp_span_equal(lp_store_text(reply->element[0]), open)
            && lp_span_equal(lp_store_text(reply->element[1]),
                             lp_span_of(found))) {
            memmove(block->ids[n++], block->ids[i], LP_ENTITLEMENT_LEN);
        }
    }
    block->n = n;
    return status;
}

static lp_store_status_t
change_all(block_t *block)
{
    lp_store_status_t status = LP_STORE_CONFLICT;
    unsigned          i, j;

    for (i = 0; i < ATTEMPTS && status == LP_STORE_CONFLICT; i++) {
        status = change(block, 0, block->n);
    }
    if (status != LP_STORE_CONFLICT) {
        return status;
    }
    for (i = 0; i < block->n; i++) {
        status = LP_STORE_CONFLICT;
        for (j = 0; j < ATTEMPTS_ONE && status == LP_STORE_CONFLICT; j++) {
            status = change(block, i, 1);
        }
        if (status != LP_STORE_OK) {
            return status;
        }
    }
    return LP_STORE_OK;
}

/* One transaction. */
static lp_store_status_t
change(block_t *block, unsigned from, unsigned n)
{
    lp_status_t       found = block->blocked ? LP_STATUS_LICENSED
                                             : LP_STATUS_BLOCKED;
    licence_t        *list = block->licences;
    lp_store_status_t status;
    unsigned          i;

    memset(list, 0, n * sizeof(*list));
    status = read_licences(block, list, from, n);
    if (status == LP_STORE_OK) {
        status = read_rights(block->store, list, n);
    }
    if (status == LP_STORE_OK) {
        status = read_chains(block->store, list, n);
    }
    if (status == LP_STORE_OK) {
        lp_store_begin(block->store);
        for (i = 0; i < n; i++) {
            if (list[i].before.exists && list[i].before.status == found) {
                lp_chain_write(&list[i].chain, block->store, &list[i].after,
                               block->today);
                lp_record_write(block->store, &list[i].after,
                                &list[i].before);
            }
        }
        status = lp_store_commit(block->store);
    }
    for (i = 0; i < n; i++) {
        lp_chain_clear(&list[i].chain);
    }
    return status;
}

static lp_store_status_t
read_licences(block_t *block, licence_t *list, unsigned from, unsigned n)
{
    char              name[LP_KEY_MAX];
    lp_span_t         key = {name, 0};
    lp_store_status_t status;
    unsigned          i, shard = block->open->shard;

    for (i = 0; i < n; i++) {
        key.len = lp_key_entitlement(name, shard, block->ids[from + i]);
        lp_store_add(block->store, LP_WORDS(lp_span("WATCH"), key));
        lp_store_add(block->store, LP_WORDS(lp_span("HGETALL"), key));
    }
    status = lp_store_run(block->store);
    for (i = 0; status == LP_STORE_OK && i < n; i++) {
        /* what can't be read is no licence to anybody */
        if (lp_record_read(&list[i].before, block->ids[from + i], shard,
                           lp_store_reply(block->store, 2 * i + 1))
            != 0) {
            list[i].before.exists = 0;
        }
        list[i].after = list[i].before;
        list[i].after.status = block->blocked ? LP_STATUS_BLOCKED
                                              : LP_STATUS_LICENSED;
        if (list[i].before.exists) {
            lp_chain_holders(&list[i].chain, &list[i].after);
        }
    }
    return status;
}

static lp_store_status_t
read_rights(lp_store_t *store, licence_t *list, unsigned n)
{
    lp_holder_t      *holder;
    lp_span_t         key;
    lp_store_status_t status;
    unsigned          i, j, at = 0;

    for (i = 0; i < n; i++) {
        for (j = 0; j < list[i].chain.n_holders; j++) {
            holder = &list[i].chain.holders[j];
            key = (lp_span_t) {holder->key, holder->key_len};
            lp_store_add(store, LP_WORDS(lp_span("WATCH"), key));
            lp_slots_ask(store, key, lp_field(&list[i].before.product));
        }
    }
    status = lp_store_run(store);
    for (i = 0; status == LP_STORE_OK && i < n; i++) {
        for (j = 0; j < list[i].chain.n_holders; j++, at += 2) {
            holder = &list[i].chain.holders[j];
            lp_slots_read(&holder->first, &holder->follows,
                          lp_store_reply(store, at + 1));
        }
        if (lp_chain_seek(&list[i].chain, &list[i].before) != 0) {
            return LP_STORE_REFUSED;
        }
    }
    return status;
}

/* A link of each chain in a round trip. */
static lp_store_status_t
read_chains(lp_store_t *store, licence_t *list, unsigned n)
{
    lp_store_status_t status = LP_STORE_OK;
    unsigned          i, at, asked;

    while (status == LP_STORE_OK) {
        asked = 0;
        for (i = 0; i < n; i++) {
            asked += lp_chain_ask(&list[i].chain, store, &list[i].after);
        }
        if (asked == 0) {
            return LP_STORE_OK;
        }
        status = lp_store_run(store);
        at = 0;
        for (i = 0; status == LP_STORE_OK && i < n; i++) {
            lp_chain_take(&list[i].chain, store, &list[i].after, &at);
        }
        for (i = 0; status == LP_STORE_OK && i < n; i++) {
            status = lp_chain_find(&list[i].chain, store, &list[i].after);
        }
    }
    return status;
}
