/*
 * One transaction makes a code used, the licence, the right and the journal
 * entry; everything that it was decided on is watched: of two people who type
 * the same code at the same moment one gets the licence, and the other hears
 * that it is used. A worker that dies has done all of it or nothing.
 *
 * The licence is a record of its own, made from the code's entitlement (where
 * one came with the code) and the person, as with an open right: a code has no
 * home before somebody uses it. It lies at the person's school; a code that was
 * sold to a private customer stays with the person, whatever the school. The
 * entitlement itself becomes licensed, so that it can't be cancelled.
 */

#include "code_redeem.h"

#include "../core/licence.h"
#include "code_tries.h"
#include "pairs.h"
#include "redemption.h"
#include "revoked.h"

#define ATTEMPTS    20 /* others that were quicker */
#define WATCHED_MAX (3 + LP_TOKEN_USERS) /* words of a WATCH */

/* The replies of read_rest(), in the order in which it asks. */
#define REPLY_PARENT  1
#define REPLY_LICENCE 2
#define REPLY_PRODUCT 3
#define REPLY_RIGHTS  4

static lp_codes_result_t attempt(lp_redemption_t *redeem,
                                 lp_redeemed_t *redeemed);
static lp_codes_result_t read_code(lp_redemption_t *redeem,
                                   lp_redeemed_t *redeemed);
static int is_ours(const lp_redemption_t *redeem, const redisReply *reply);
static lp_codes_result_t used_before(const redisReply *reply,
                                     const lp_redemption_t *redeem,
                                     lp_redeemed_t *redeemed);
static lp_codes_result_t find_home(lp_redemption_t *redeem);
static int prepare(lp_redemption_t *redeem);
static lp_codes_result_t read_rest(lp_redemption_t *redeem);
static lp_codes_result_t judge_parent(const lp_redemption_t *redeem);
static void read_held(lp_redemption_t *redeem);
static void hold(lp_redemption_t *redeem, const lp_slot_t *slot);
static void set_days(lp_redemption_t *redeem);
static lp_codes_result_t judge_held(const lp_redemption_t *redeem);
static uint32_t read_day(lp_span_t text);

lp_codes_result_t
lp_code_redeem(lp_service_t *service, const lp_click_by_t *by,
               lp_span_t canonical, lp_redeemed_t *redeemed)
{
    lp_codes_result_t result;
    lp_redemption_t   redeem;
    int64_t           wait;
    unsigned          i;

    memset(&redeem, 0, sizeof(redeem));
    redeem.service = service;
    redeem.by = by;
    redeem.canonical = canonical;
    redeem.code.span.data = redeem.code.bytes;
    if (lp_code_hash(redeem.hash, service->pepper, canonical) != 0) {
        return LP_CODES_FAILED;
    }
    redeem.code.span.len = lp_key_code(redeem.code.bytes, redeem.hash);
    wait = lp_tries_count(service->store, by->users[0], by->school);
    if (wait != 0) {
        redeemed->retry_after = wait;
        return wait > 0 ? LP_CODES_TOO_OFTEN : LP_CODES_FAILED;
    }
    for (i = 0; i < ATTEMPTS; i++) {
        result = attempt(&redeem, redeemed);
        if (result != LP_CODES_CONFLICT) {
            return result;
        }
    }
    return LP_CODES_FAILED;
}

static lp_codes_result_t
attempt(lp_redemption_t *redeem, lp_redeemed_t *redeemed)
{
    lp_store_t       *store = redeem->service->store;
    lp_codes_result_t result;
    lp_store_status_t status;

    result = read_code(redeem, redeemed);
    if (result == LP_CODES_NEW) {
        result = find_home(redeem);
    }
    if (result == LP_CODES_NEW) {
        result = read_rest(redeem);
    }
    if (result == LP_CODES_NEW) {
        redeemed->product = redeem->product;
        redeemed->until = redeem->licence.expires;
        status = lp_redemption_write(redeem);
        lp_chain_clear(&redeem->chain);
        return status == LP_STORE_OK         ? LP_CODES_OK
               : status == LP_STORE_CONFLICT ? LP_CODES_CONFLICT
                                             : LP_CODES_FAILED;
    }
    if (result == LP_CODES_UNKNOWN || result == LP_CODES_REVOKED
        || result == LP_CODES_FAILED) {
        lp_store_unwatch(store);
        return result;
    }
    /* What was read may be of before and after another click of the same
       person, whose licence then seems to be one that was held already. */
    lp_store_begin(store);
    if (result != LP_CODES_USED) { /* a right code, whatever becomes of it */
        lp_tries_forgive(store, redeem->by->users[0], redeem->by->school);
    }
    return lp_store_commit(store) == LP_STORE_CONFLICT ? LP_CODES_CONFLICT
                                                       : result;
}

/* Watches the code, and whether the token counts; what the code says is
   copied. */
static lp_codes_result_t
read_code(lp_redemption_t *redeem, lp_redeemed_t *redeemed)
{
    lp_store_t       *store = redeem->service->store;
    const redisReply *reply;
    lp_span_t         state, entitlement;
    unsigned          at;

    at = lp_revoked_ask(store, redeem->by);
    lp_store_add(store, LP_WORDS(lp_span("WATCH"), redeem->code.span));
    lp_store_add(store, LP_WORDS(lp_span("HGETALL"), redeem->code.span));
    if (lp_store_run(store) != LP_STORE_OK) {
        return LP_CODES_FAILED;
    }
    if (lp_revoked_read(store, redeem->by, 0)) {
        return LP_CODES_TOKEN;
    }
    reply = lp_store_reply(store, at + 1);
    state = lp_pairs_find(reply, "state");
    if (lp_span_equal(state, lp_span("used"))) {
        return used_before(reply, redeem, redeemed);
    }
    if (lp_span_equal(state, lp_span("revoked"))) {
        return LP_CODES_REVOKED;
    }
    entitlement = lp_pairs_find(reply, "entitlement");
    if (!lp_span_equal(state, lp_span("new"))
        || !lp_product_valid(lp_pairs_find(reply, "product"))
        || lp_field_set(&redeem->product, lp_pairs_find(reply, "product"))
        || lp_field_set(&redeem->party, lp_pairs_find(reply, "party"))
        || lp_field_set(&redeem->contract, lp_pairs_find(reply, "contract"))
        || (entitlement.len != 0 && entitlement.len != LP_ENTITLEMENT_LEN)) {
        return LP_CODES_UNKNOWN;
    }
    redeem->has_parent = entitlement.len > 0;
    if (redeem->has_parent) {
        memcpy(redeem->parent_id, entitlement.data, LP_ENTITLEMENT_LEN);
    }
    return LP_CODES_NEW;
}

/* The person who used it gets the same answer again. */
static lp_codes_result_t
used_before(const redisReply *reply, const lp_redemption_t *redeem,
            lp_redeemed_t *redeemed)
{
    if (!is_ours(redeem, reply)
        || lp_field_set(&redeemed->product, lp_pairs_find(reply, "product"))
               != 0) {
        return LP_CODES_USED;
    }
    redeemed->until = read_day(lp_pairs_find(reply, "until"));
    return LP_CODES_OK;
}

static int
is_ours(const lp_redemption_t *redeem, const redisReply *reply)
{
    lp_span_t user;
    unsigned  i, j;

    for (i = 0; i < LP_TOKEN_USERS; i++) {
        user = lp_pairs_find(reply, lp_code_user_fields[i]);
        for (j = 0; j < redeem->by->n_users; j++) {
            if (user.len > 0 && lp_span_equal(user, redeem->by->users[j])) {
                return 1;
            }
        }
    }
    return 0;
}

static uint32_t
read_day(lp_span_t text)
{
    uint32_t day = 0;
    size_t   i;

    for (i = 0; i < text.len && i < 8; i++) {
        day = day * 10 + (uint32_t) (text.data[i] - '0');
    }
    return day;
}

/* Where the code's entitlement is, and with it where the licence will be. */
static lp_codes_result_t
find_home(lp_redemption_t *redeem)
{
    lp_span_t school = redeem->by->school;

    if (redeem->has_parent) {
        if (lp_record_find(redeem->service->store, &redeem->parent,
                           redeem->parent_id) != LP_STORE_OK) {
            return LP_CODES_FAILED;
        }
        if (!redeem->parent.exists) {
            return LP_CODES_UNKNOWN;
        }
        /* a code of another school's is no code here */
        if (redeem->parent.type == LP_TYPE_SCHOOL_CODE
            && !lp_span_equal(lp_field(&redeem->parent.school), school)) {
            return LP_CODES_UNKNOWN;
        }
        if (redeem->parent.type == LP_TYPE_CUSTOMER_CODE) {
            school = lp_span("");
        }
    }
    redeem->school = school;
    return prepare(redeem) == 0 ? LP_CODES_NEW : LP_CODES_FAILED;
}

/* The licence's name, home and owner, and the keys of the rights. */
static int
prepare(lp_redemption_t *redeem)
{
    lp_record_t *licence = &redeem->licence;
    unsigned     i;

    memset(licence, 0, sizeof(*licence));
    if (lp_licence_id(licence->entitlement,
                      redeem->has_parent ? redeem->parent_id : redeem->hash,
                      redeem->by->users[0])
            != 0
        || lp_field_set(&licence->school, redeem->school) != 0) {
        return -1;
    }
    licence->n_users = redeem->by->n_users;
    for (i = 0; i < licence->n_users; i++) {
        memcpy(licence->users[i], redeem->by->users[i].data, LP_USER_KEY_LEN);
        redeem->rights[i].span.data = redeem->rights[i].bytes;
        redeem->rights[i].span.len = lp_key_user(
            redeem->rights[i].bytes, redeem->school, redeem->by->users[i]);
    }
    licence->shard = lp_record_home(licence);
    return 0;
}

/* Watches and reads what the decision needs, and takes it. */
static lp_codes_result_t
read_rest(lp_redemption_t *redeem)
{
    lp_store_t       *store = redeem->service->store;
    lp_record_t      *licence = &redeem->licence;
    lp_codes_result_t result;
    char              parent[LP_KEY_MAX], name[LP_KEY_MAX];
    char              product[LP_KEY_MAX];
    lp_span_t         parent_key, key;
    lp_span_t         watch[WATCHED_MAX];
    unsigned          i, n = 0;

    key.data = name;
    key.len = lp_key_entitlement(name, licence->shard, licence->entitlement);
    parent_key = key;
    if (redeem->has_parent) {
        parent_key.data = parent;
        parent_key.len = lp_key_entitlement(parent, redeem->parent.shard,
                                            redeem->parent_id);
    }
    watch[n++] = lp_span("WATCH");
    watch[n++] = key;
    watch[n++] = parent_key;
    for (i = 0; i < licence->n_users; i++) {
        watch[n++] = redeem->rights[i].span;
    }
    lp_store_add(store, (lp_words_t) {watch, n});
    lp_store_add(store, LP_WORDS(lp_span("HGETALL"), parent_key));
    lp_store_add(store, LP_WORDS(lp_span("HGETALL"), key));
    key.data = product;
    key.len = lp_key_product(product, lp_field(&redeem->product));
    lp_store_add(store, LP_WORDS(lp_span("HGET"), key, lp_span("licence")));
    for (i = 0; i < licence->n_users; i++) {
        lp_slots_ask(store, redeem->rights[i].span,
                     lp_field(&redeem->product));
    }
    if (lp_store_run(store) != LP_STORE_OK
        || lp_record_read(&redeem->before, licence->entitlement,
                          licence->shard,
                          lp_store_reply(store, REPLY_LICENCE)) != 0
        || (redeem->has_parent
            && lp_record_read(&redeem->parent, redeem->parent_id,
                              redeem->parent.shard,
                              lp_store_reply(store, REPLY_PARENT)) != 0)) {
        return LP_CODES_FAILED;
    }
    read_held(redeem);
    result = judge_parent(redeem);
    if (result == LP_CODES_NEW) {
        set_days(redeem);
        result = judge_held(redeem);
    }
    return result;
}

static lp_codes_result_t
judge_parent(const lp_redemption_t *redeem)
{
    const lp_record_t *parent = &redeem->parent;

    if (!redeem->has_parent) {
        return LP_CODES_NEW;
    }
    if (!parent->exists) {
        return LP_CODES_UNKNOWN;
    }
    if (parent->used > 0) {
        return LP_CODES_USED; /* by another code of the same entitlement */
    }
    switch (parent->status) {
    case LP_STATUS_CANCELLED:
        return LP_CODES_REVOKED;
    case LP_STATUS_BLOCKED:
        return LP_CODES_BLOCKED;
    default:
        break;
    }
    if (parent->from != 0 && redeem->by->today < parent->from) {
        return LP_CODES_NOT_YET;
    }
    if (parent->until != 0 && redeem->by->today > parent->until) {
        return LP_CODES_ENDED;
    }
    return LP_CODES_NEW;
}

/* The best right that the person has by any of the ids. */
static void
read_held(lp_redemption_t *redeem)
{
    lp_slot_t first, follows;
    unsigned  i;

    redeem->has_held = 0;
    for (i = 0; i < redeem->by->n_users; i++) {
        lp_slots_read(&first, &follows,
                      lp_store_reply(redeem->service->store,
                                     REPLY_RIGHTS + i));
        hold(redeem, &first);
        hold(redeem, &follows);
    }
}

static void
hold(lp_redemption_t *redeem, const lp_slot_t *slot)
{
    if (slot->has
        && (!redeem->has_held
            || lp_chain_compare(&slot->right, &redeem->held,
                                redeem->by->today) < 0)) {
        redeem->held = slot->right;
        redeem->has_held = 1;
    }
}

/* The licence, from the code's entitlement where there is one. */
static void
set_days(lp_redemption_t *redeem)
{
    const lp_record_t *parent = &redeem->parent;
    lp_record_t       *licence = &redeem->licence;
    lp_span_t          period;

    period = lp_store_text(lp_store_reply(redeem->service->store,
                                          REPLY_PRODUCT));
    licence->type = redeem->school.len > 0 ? LP_TYPE_SCHOOL_CODE
                                           : LP_TYPE_CUSTOMER_CODE;
    licence->party = redeem->party;
    licence->product = redeem->product;
    licence->contract = redeem->contract;
    licence->from = redeem->by->today;
    licence->until = redeem->by->today;
    if (redeem->has_parent) {
        licence->type = parent->type;
        licence->party = parent->party;
        licence->product = parent->product;
        licence->contract = parent->contract;
        licence->order = parent->order;
        licence->from = parent->from;
        licence->until = parent->until;
        licence->minimum = parent->minimum;
        licence->has_open = 1;
        memcpy(licence->open, redeem->parent_id, LP_ENTITLEMENT_LEN);
    }
    licence->status = LP_STATUS_LICENSED;
    licence->licensed = redeem->by->today;
    licence->expires = lp_licence_until(period, redeem->by->today,
                                        licence->minimum);
}

/* A code is not spent on what the person has already, nor against a block. */
static lp_codes_result_t
judge_held(const lp_redemption_t *redeem)
{
    const lp_right_t *held = &redeem->held;

    if (!redeem->has_held
        || (held->until != 0 && held->until < redeem->by->today)) {
        return LP_CODES_NEW;
    }
    if (held->state == LP_BLOCKED) {
        return LP_CODES_BLOCKED;
    }
    if (held->state == LP_LICENSED
        && (held->until == 0 || held->until >= redeem->licence.expires)) {
        return LP_CODES_HELD;
    }
    return LP_CODES_NEW;
}
