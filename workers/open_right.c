/*
 * The record of an open right, from the command line. It is written before the
 * right itself, so that no licence is given without the limit; activations
 * change it too, so that it is watched.
 */

#include "open_right.h"

#include <stdlib.h>

#include "say.h"
#include "store_args.h"

#define ATTEMPTS     16 /* of a change that activations were quicker than */
#define TIMEOUT_MS   2000
#define QUANTITY_MAX 1000000000

static int change_record(lp_store_t *store, const lp_record_t *wanted,
                         lp_store_status_t *status);
static uint64_t number_of(const redisReply *reply);

int
lp_open_right_limit(const lp_args_t *args, const lp_right_t *right,
                    lp_span_t product)
{
    lp_store_status_t status = LP_STORE_CONFLICT;
    lp_record_t       wanted;
    lp_store_t       *store;
    int64_t           quantity = 0;
    int               i, rc;

    rc = lp_args_number(args, LP_OPT_QUANTITY, QUANTITY_MAX, &quantity);
    if (rc == LP_YES) {
        rc = lp_store_of_args(&store, args, TIMEOUT_MS);
    }
    if (rc != LP_YES) {
        return rc;
    }
    memset(&wanted, 0, sizeof(wanted));
    memcpy(wanted.entitlement, right->entitlement, LP_ENTITLEMENT_LEN);
    wanted.type = LP_TYPE_OPEN;
    wanted.status = LP_STATUS_ENTITLED;
    wanted.from = right->from;
    wanted.until = right->until;
    wanted.quantity = (uint64_t) quantity;
    lp_field_set(&wanted.product, product);
    lp_field_set(&wanted.school, lp_span_of(args->value[LP_OPT_SCHOOL]));
    wanted.shard = lp_record_home(&wanted);

    for (i = 0; rc == LP_YES && i < ATTEMPTS && status == LP_STORE_CONFLICT;
         i++) {
        rc = change_record(store, &wanted, &status);
    }
    if (rc == LP_YES && status == LP_STORE_CONFLICT) {
        lp_say("the open right is activated all the time; try again");
        rc = LP_NO;
    } else if (rc == LP_YES && status != LP_STORE_OK) {
        rc = lp_store_say(store);
    }
    lp_store_destroy(store);
    return rc;
}

int
lp_open_right_counts(lp_redis_t *redis, lp_span_t school,
                     const lp_right_t *right, uint64_t *used,
                     uint64_t *quantity)
{
    char        name[LP_KEY_MAX];
    lp_span_t   key = {name, lp_key_entitlement(name, lp_shard(school),
                                                right->entitlement)};
    redisReply *reply;

    reply = lp_redis_ask(redis, LP_WORDS(lp_span("HMGET"), key,
                                         lp_span("used"),
                                         lp_span("quantity")),
                         LP_REPLY_ARRAY);
    if (reply == NULL) {
        return LP_NO;
    }
    *used = reply->elements == 2 ? number_of(reply->element[0]) : 0;
    *quantity = reply->elements == 2 ? number_of(reply->element[1]) : 0;
    freeReplyObject(reply);
    return LP_YES;
}

/* One attempt. LP_NO after saying what no further attempt mends. */
static int
change_record(lp_store_t *store, const lp_record_t *wanted,
              lp_store_status_t *status)
{
    lp_record_t before, after;
    char        name[LP_KEY_MAX];
    lp_span_t   key = {name, lp_key_entitlement(name, wanted->shard,
                                                wanted->entitlement)};

    lp_store_add(store, LP_WORDS(lp_span("WATCH"), key));
    lp_store_add(store, LP_WORDS(lp_span("HGETALL"), key));
    *status = lp_store_run(store);
    if (*status != LP_STORE_OK) {
        return LP_YES;
    }
    if (lp_record_read(&before, wanted->entitlement, wanted->shard,
                       lp_store_reply(store, 1)) != 0) {
        lp_say("the record of this entitlement can't be read");
        return LP_NO;
    }
    if (before.exists && before.type != LP_TYPE_OPEN) {
        lp_say("this entitlement is a person's, and an open right can't be "
               "made of it");
        return LP_NO;
    }
    after = before.exists ? before : *wanted;
    after.quantity = wanted->quantity;
    if (!before.exists) {
        lp_place_claim(store, &after);
    }
    lp_store_begin(store);
    lp_record_write(store, &after, &before);
    *status = lp_store_commit(store);
    return LP_YES;
}

static uint64_t
number_of(const redisReply *reply)
{
    lp_span_t text = lp_redis_text(reply);

    return text.data == NULL ? 0 : strtoull(text.data, NULL, 10);
}
