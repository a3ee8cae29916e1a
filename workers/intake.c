/*
 * A batch costs three round trips: what the items name (mostly remembered),
 * what is stored about them, and the transaction. All that a decision rests on
 * is watched, the rights of the users too, because a click may activate at the
 * same moment.
 *
 * The place of an entitlement (x:) is claimed before its record is written:
 * of two messages that see no record, the one that comes second must find the
 * home that the first chose. A message that will be refused claims nothing.
 */

#include "intake.h"

#include <stdlib.h>

#include "codes.h"
#include "journal.h"
#include "open_block.h"

#define PLACE_NAMED 3 /* characters of an entitlement in the name of x: */

/* ---- read ---- */

static lp_span_t
place_field(const lp_record_t *record)
{
    return (lp_span_t) {record->entitlement + PLACE_NAMED,
                        LP_ENTITLEMENT_LEN - PLACE_NAMED};
}

/* The same pupil as in the item before: Redis compares each key that is to be
   watched with all that are, and a school's order comes pupil by pupil. */
static int
is_watched(const lp_item_t *before, const lp_holder_t *holder, unsigned i)
{
    return before != NULL && i < before->chain.n_holders
           && lp_span_equal((lp_span_t) {holder->key, holder->key_len},
                            (lp_span_t) {before->chain.holders[i].key,
                                         before->chain.holders[i].key_len});
}

static void
watch(lp_intake_t *intake)
{
    /* WATCH; of each item its record, its rights, its code */
    lp_span_t  words[1 + LP_INTAKE_MAX * (2 + LP_TOKEN_USERS)];
    char       names[LP_INTAKE_MAX][2][LP_KEY_MAX];
    lp_item_t *item, *before = NULL;
    unsigned   i, j, n = 1;

    words[0] = lp_span("WATCH");
    for (i = 0; i < intake->n; i++) {
        item = &intake->items[i];
        if (item->refused) {
            continue;
        }
        words[n++] = (lp_span_t) {
            names[i][0], lp_key_entitlement(names[i][0], item->wanted.shard,
                                            item->wanted.entitlement)};
        for (j = 0; j < item->chain.n_holders; j++) {
            if (!is_watched(before, &item->chain.holders[j], j)) {
                words[n++] = (lp_span_t) {item->chain.holders[j].key,
                                          item->chain.holders[j].key_len};
            }
        }
        before = item;
        if (item->message->has_code) {
            words[n++] = (lp_span_t) {
                names[i][1], lp_key_code(names[i][1], item->message->code)};
        }
    }
    if (n > 1) {
        lp_store_add(intake->service->store, (lp_words_t) {words, n});
    }
}

/* A message that can't make a record only looks where one would be. */
static int
claims(const lp_item_t *item)
{
    return !item->unknown && item->message->status != LP_STATUS_CANCELLED;
}

static void
ask_place(lp_store_t *store, const lp_item_t *item)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, 0};

    if (claims(item)) {
        lp_place_claim(store, &item->wanted);
    } else {
        key.len = lp_key_place(name, item->wanted.entitlement);
        lp_store_add(store, LP_WORDS(lp_span("HGET"), key,
                                     place_field(&item->wanted)));
    }
}

static void
ask_item(lp_store_t *store, const lp_item_t *item)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, 0}, product = lp_field(&item->wanted.product);
    unsigned  i;

    key.len = lp_key_entitlement(name, item->wanted.shard,
                                 item->wanted.entitlement);
    lp_store_add(store, LP_WORDS(lp_span("HGETALL"), key));
    for (i = 0; i < item->chain.n_holders; i++) {
        lp_slots_ask(store,
                     (lp_span_t) {item->chain.holders[i].key,
                                  item->chain.holders[i].key_len},
                     product);
    }
    if (item->message->has_code) {
        key.len = lp_key_code(name, item->message->code);
        lp_store_add(store,
                     LP_WORDS(lp_span("HMGET"), key, lp_span("entitlement"),
                              lp_span("product"), lp_span("party"),
                              lp_span("state"), lp_span("licence")));
    }
}

/* A code may be there already: made by us for this seller, and not yet of any
   entitlement; or of this one. */
static void
take_code(lp_item_t *item, const redisReply *reply)
{
    lp_span_t field[5];
    unsigned  i;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != 5) {
        return;
    }
    for (i = 0; i < 5; i++) {
        field[i] = lp_store_text(reply->element[i]);
    }
    item->has_licence = field[4].len == LP_ENTITLEMENT_LEN;
    if (item->has_licence) {
        memcpy(item->licence, field[4].data, LP_ENTITLEMENT_LEN);
    }
    item->code_new = field[3].data == NULL;
    item->code_known = item->code_new
                       || ((field[0].data == NULL
                            || lp_span_equal(field[0],
                                             (lp_span_t) {
                                                 item->wanted.entitlement,
                                                 LP_ENTITLEMENT_LEN}))
                           && lp_span_equal(field[1],
                                            lp_field(&item->wanted.product))
                           && lp_span_equal(field[2], item->by.party));
}

static void
take_place(lp_item_t *item, const lp_store_t *store, unsigned *at)
{
    int shard;

    *at += claims(item) ? 1 : 0;
    shard = lp_place_read(lp_store_reply(store, (*at)++));
    item->placed = shard < 0 ? item->wanted.shard : (unsigned) shard;
}

static void
take_item(lp_item_t *item, const lp_store_t *store, unsigned *at)
{
    lp_holder_t *holder;
    unsigned     i;

    if (lp_record_read(&item->before, item->wanted.entitlement,
                       item->wanted.shard, lp_store_reply(store, *at))
        != 0) {
        lp_verdict_refuse(item->verdict, LP_CODE_OTHER,
                          "entitlement.entitlementId: what is stored of it "
                          "can't be read");
        item->refused = 1;
    }
    *at += 1;
    for (i = 0; i < item->chain.n_holders; i++) {
        holder = &item->chain.holders[i];
        lp_slots_read(&holder->first, &holder->follows,
                      lp_store_reply(store, (*at)++));
    }
    if (item->message->has_code) {
        take_code(item, lp_store_reply(store, (*at)++));
    }
}

/* The place names another home: it is read there. Where there is nothing, the
   place is left over from a message that came to nothing. */
static lp_store_status_t
read_elsewhere(lp_store_t *store, lp_item_t *item)
{
    char              name[LP_KEY_MAX];
    lp_span_t         key = {name, 0};
    lp_record_t       found;
    lp_store_status_t status;

    key.len = lp_key_entitlement(name, item->placed, item->wanted.entitlement);
    lp_store_add(store, LP_WORDS(lp_span("WATCH"), key));
    lp_store_add(store, LP_WORDS(lp_span("HGETALL"), key));
    status = lp_store_run(store);
    if (status != LP_STORE_OK) {
        return status;
    }
    if (lp_record_read(&found, item->wanted.entitlement, item->placed,
                       lp_store_reply(store, 1))
            == 0
        && found.exists) {
        item->before = found;
        item->wanted.shard = item->placed;
    } else {
        item->moved = !item->unknown;
    }
    return LP_STORE_OK;
}

/* All places first: they are written, and Redis reads a long batch in pieces,
   each with an fsync where something in it was written. */
static lp_store_status_t
read_items(lp_intake_t *intake)
{
    lp_store_t       *store = intake->service->store;
    lp_store_status_t status;
    unsigned          i, at = 1;

    watch(intake);
    for (i = 0; i < intake->n; i++) {
        if (!intake->items[i].refused) {
            ask_place(store, &intake->items[i]);
        }
    }
    for (i = 0; i < intake->n; i++) {
        if (!intake->items[i].refused) {
            ask_item(store, &intake->items[i]);
        }
    }
    status = lp_store_run(store);
    for (i = 0; status == LP_STORE_OK && i < intake->n; i++) {
        if (!intake->items[i].refused) {
            take_place(&intake->items[i], store, &at);
        }
    }
    for (i = 0; status == LP_STORE_OK && i < intake->n; i++) {
        if (!intake->items[i].refused) {
            take_item(&intake->items[i], store, &at);
        }
    }
    return status;
}

lp_store_status_t
lp_intake_read(lp_intake_t *intake)
{
    lp_store_status_t status;
    lp_item_t        *item;
    unsigned          i;

    for (i = 0; i < intake->n; i++) {
        lp_chain_holders(&intake->items[i].chain, &intake->items[i].wanted);
    }
    status = read_items(intake);
    for (i = 0; status == LP_STORE_OK && i < intake->n; i++) {
        item = &intake->items[i];
        if (!item->refused && !item->before.exists
            && item->placed != item->wanted.shard) {
            status = read_elsewhere(intake->service->store, item);
        }
    }
    return status;
}

/* ---- decide ---- */

/* A message that repeats what is stored mends a right that is gone, and leaves
   alone what an operator made of it. */
static int
touches_rights(const lp_item_t *item)
{
    unsigned i;

    if (!item->before.exists || item->before.status != item->after.status) {
        return 1;
    }
    for (i = 0; i < item->chain.n_holders; i++) {
        if (!item->chain.holders[i].first.has && item->after.n_users > 0) {
            return 1;
        }
    }
    return 0;
}

static void
refuse_item(lp_item_t *item, int code, const char *reason)
{
    lp_verdict_refuse(item->verdict, code, reason);
    item->refused = 1;
    item->write = 0;
    item->rights = 0;
}

static int
decide_item(lp_item_t *item)
{
    if (!item->before.exists && item->unknown) {
        refuse_item(item, item->unknown,
                    item->unknown == LP_CODE_SCHOOL_UNKNOWN
                        ? LP_SCHOOL_UNKNOWN
                        : LP_PRODUCT_UNKNOWN);
        return 0;
    }
    item->write = lp_entitlement_change(item->message, &item->wanted,
                                        &item->before, &item->by, &item->after,
                                        &item->at, item->verdict);
    item->refused = item->verdict->result == LP_REFUSED_STATE;
    if (!item->refused && item->message->has_code && !item->code_known) {
        refuse_item(item, LP_CODE_OTHER,
                    "entitlement.activationCode: belongs to something else");
    }
    item->rights = item->write && item->verdict->result == LP_APPLIED
                   && touches_rights(item);
    return item->rights ? lp_chain_seek(&item->chain, &item->before) : 0;
}

/* Reads the chains, a link of each in a round trip. */
static lp_store_status_t
read_chains(lp_intake_t *intake)
{
    lp_store_t       *store = intake->service->store;
    lp_store_status_t status = LP_STORE_OK;
    unsigned          i, at, n;

    do {
        for (i = 0, n = 0; i < intake->n; i++) {
            n += lp_chain_ask(&intake->items[i].chain, store,
                              &intake->items[i].after);
        }
        if (n == 0) {
            return LP_STORE_OK;
        }
        status = lp_store_run(store);
        for (i = 0, at = 0; status == LP_STORE_OK && i < intake->n; i++) {
            lp_chain_take(&intake->items[i].chain, store,
                          &intake->items[i].after, &at);
        }
        for (i = 0; status == LP_STORE_OK && i < intake->n; i++) {
            status = lp_chain_find(&intake->items[i].chain, store,
                                   &intake->items[i].after);
        }
    } while (status == LP_STORE_OK);
    return status;
}

lp_store_status_t
lp_intake_decide(lp_intake_t *intake)
{
    lp_store_status_t status;
    lp_item_t        *item;
    unsigned          i;

    for (i = 0; i < intake->n; i++) {
        if (!intake->items[i].refused && decide_item(&intake->items[i]) != 0) {
            return LP_STORE_REFUSED;
        }
    }
    status = read_chains(intake);
    for (i = 0; status == LP_STORE_OK && i < intake->n; i++) {
        item = &intake->items[i];
        if (item->rights && !item->before.exists
            && lp_chain_alive(&item->chain, intake->today) >= LP_CHAIN_MAX) {
            refuse_item(item, LP_CODE_OTHER,
                        "entitlement.productId: the user has eight "
                        "entitlements to it already");
        }
    }
    return status;
}

/* The right is blocked before its licences are, so that no click adds one
   meanwhile. The message is applied when all is done: whoever repeats it after
   this process was killed finishes it. */
static lp_store_status_t
close_open(lp_intake_t *intake, lp_item_t *item)
{
    lp_store_t *store = intake->service->store;
    lp_record_t closed = item->before;

    closed.status = LP_STATUS_BLOCKED;
    lp_store_begin(store);
    lp_chain_write(&item->chain, store, &closed, intake->today);
    lp_record_write(store, &closed, &item->before);
    return lp_store_commit(store);
}

static lp_store_status_t
change_open(lp_intake_t *intake, lp_item_t *item, int *changed)
{
    int blocks = item->after.status == LP_STATUS_BLOCKED;
    int was_blocked = item->before.status == LP_STATUS_BLOCKED;

    if (item->before.used == 0 || item->after.status == LP_STATUS_CANCELLED
        || (!blocks && !was_blocked)) {
        return LP_STORE_OK;
    }
    if (!was_blocked) {
        *changed = 1;
        return close_open(intake, item);
    }
    return lp_open_block(intake->service->store, &item->before, blocks,
                         intake->today, changed);
}

lp_store_status_t
lp_intake_licences(lp_intake_t *intake, int *changed)
{
    lp_store_status_t status = LP_STORE_OK;
    lp_item_t        *item;
    unsigned          i;
    int               one;

    *changed = 0;
    for (i = 0; status == LP_STORE_OK && i < intake->n; i++) {
        item = &intake->items[i];
        one = 0;
        if (item->refused || !item->write
            || item->verdict->result != LP_APPLIED) {
            continue;
        }
        if (item->after.type == LP_TYPE_OPEN) {
            status = change_open(intake, item, &one);
        } else if (item->rights && item->has_licence) {
            status = lp_chain_block(intake->service->store, item->licence,
                                    item->after.status == LP_STATUS_BLOCKED,
                                    intake->today, &one);
        }
        *changed |= one;
    }
    return status;
}

/* ---- write ---- */

static void
write_code(lp_store_t *store, const lp_item_t *item)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, lp_key_code(name, item->message->code)};
    lp_span_t id = {item->after.entitlement, LP_ENTITLEMENT_LEN};

    if (item->code_new) {
        lp_store_add(store,
                     LP_WORDS(lp_span("HSET"), key, lp_span("entitlement"), id,
                              lp_span("product"),
                              lp_field(&item->after.product), lp_span("party"),
                              lp_field(&item->after.party), lp_span("state"),
                              lp_span("new")));
    } else {
        lp_store_add(store, LP_WORDS(lp_span("HSET"), key,
                                     lp_span("entitlement"), id));
    }
}

/*
 * Who chose the home that the place names may be about to write there, and
 * watches it: a touch, and that message is decided again.
 */
static void
disturb(lp_store_t *store, const lp_item_t *item)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, lp_key_entitlement(name, item->placed,
                                              item->after.entitlement)};

    lp_store_add(store, LP_WORDS(lp_span("HSET"), key, lp_span("status"),
                                 lp_span("")));
    lp_store_add(store, LP_WORDS(lp_span("DEL"), key));
}

static void
write_item(lp_intake_t *intake, lp_item_t *item)
{
    lp_store_t *store = intake->service->store;

    if (item->rights) {
        lp_chain_write(&item->chain, store, &item->after, intake->today);
    }
    if (item->write) {
        if (item->moved) {
            lp_place_write(store, &item->after);
            disturb(store, item);
        }
        lp_record_write(store, &item->after, &item->before);
        if (item->message->has_code
            && item->verdict->result == LP_APPLIED) {
            write_code(store, item);
        }
    }
    if (intake->confirm) {
        lp_journal_confirmation(
            store, &item->after,
            (lp_span_t) {item->message->reference,
                         item->message->reference_len},
            item->at, item->verdict->status);
    }
}

lp_store_status_t
lp_intake_write(lp_intake_t *intake)
{
    lp_store_t *store = intake->service->store;
    unsigned    i, n = 0;

    for (i = 0; i < intake->n; i++) {
        n += !intake->items[i].refused;
    }
    if (n == 0) {
        lp_store_unwatch(store);
        return LP_STORE_OK;
    }
    lp_store_begin(store);
    for (i = 0; i < intake->n; i++) {
        if (!intake->items[i].refused) {
            write_item(intake, &intake->items[i]);
        }
    }
    return lp_store_commit(store);
}

void
lp_intake_clear(lp_intake_t *intake)
{
    unsigned i;

    for (i = 0; i < intake->n; i++) {
        lp_chain_clear(&intake->items[i].chain);
    }
}
