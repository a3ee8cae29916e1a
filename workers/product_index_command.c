/*
 * leerpoort product index: makes the indexes of the catalogue (products.h) from
 * the products themselves, for a store from before there were any, or one that
 * somebody wrote into by hand. It goes through all keys; clicks and writers go
 * on meanwhile.
 *
 * A product is noted under WATCH, so that a name that is changed at that moment
 * wins. What an index names and is no more is taken out in the same pass: a
 * set's parts are looked up as they come by, the products at the end.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "../core/product.h"
#include "commands.h"
#include "erasure.h"
#include "products.h"
#include "say.h"
#include "store_args.h"

#define BATCH     128
#define TRIES     20
#define SCAN_SIZE "1000"
#define CURSOR    24 /* digits of a cursor, and a NUL */
#define ASKED     4  /* fields of each product */

typedef struct {
    lp_store_t *store;
    lp_names_t  ids;      /* of the batch in hand */
    lp_span_t   set;      /* whose parts they are, while that is looked at */
    uint64_t    products; /* that were noted; some perhaps twice */
    uint64_t    gone;     /* names that were taken out */
} index_t;

/* Adds to the transaction what a product's fields ask for, if anything. 1: it
   did. */
typedef int (*decide_t)(index_t *index, lp_span_t product,
                        const redisReply *fields);

static int visit_keys(void *owner, const lp_span_t *keys, unsigned n);
static int decide_all(index_t *index, decide_t decide, uint64_t *done);
static int note(index_t *index, lp_span_t product, const redisReply *fields);
static int clear_parts(index_t *index, lp_span_t set);
static int clear_products(index_t *index);
static int drop_part(index_t *index, lp_span_t product,
                     const redisReply *fields);
static int drop_name(index_t *index, lp_span_t product,
                     const redisReply *fields);
static int take_names(index_t *index, const redisReply *list, unsigned step);

int
lp_command_product_index(const lp_args_t *args)
{
    index_t index = {.store = NULL};
    int     rc;

    rc = lp_erasure_open(&index.store, args);
    if (rc == LP_YES
        && (lp_keys_walk(index.store, visit_keys, &index) != 0
            || clear_products(&index) != 0)) {
        rc = lp_store_say(index.store);
    }
    if (rc == LP_YES) {
        printf("%" PRIu64 " products, %" PRIu64 " names taken out\n",
               index.products, index.gone);
    }
    lp_names_free(&index.ids);
    lp_store_destroy(index.store);
    return rc;
}

static int
visit_keys(void *owner, const lp_span_t *keys, unsigned n)
{
    index_t  *index = owner;
    lp_span_t rest;
    unsigned  i;

    lp_names_reset(&index->ids);
    for (i = 0; i < n; i++) {
        if (lp_key_after(keys[i], "p", &rest) && lp_product_valid(rest)
            && lp_names_add(&index->ids, rest) == LP_NAMES_FULL) {
            return -1;
        }
    }
    if (decide_all(index, note, &index->products) != 0) {
        return -1;
    }
    for (i = 0; i < n; i++) {
        if (lp_key_after(keys[i], "parts", &rest)
            && clear_parts(index, rest) != 0) {
            return -1;
        }
    }
    return 0;
}

/* WATCH of all, then what is asked of each: 1 + n replies. LP_STORE_OK also
   where a key of another type stands in a product's place. */
static lp_store_status_t
ask_batch(index_t *index, uint32_t from, uint32_t n)
{
    lp_span_t words[1 + BATCH];
    char      keys[BATCH][LP_KEY_MAX];
    uint32_t  i;

    words[0] = lp_span("WATCH");
    for (i = 0; i < n; i++) {
        words[1 + i].data = keys[i];
        words[1 + i].len = lp_key_product(keys[i],
                                          lp_name(&index->ids, from + i));
    }
    lp_store_add(index->store, (lp_words_t) {words, 1 + n});
    for (i = 0; i < n; i++) {
        lp_store_add(index->store,
                     LP_WORDS(lp_span("HMGET"), words[1 + i], lp_span("name"),
                              lp_span("in"), lp_span("url"),
                              lp_span("deep")));
    }
    if (lp_store_run(index->store) == LP_STORE_DOWN
        || lp_store_text(lp_store_reply(index->store, 0)).data == NULL
        || (lp_store_status(index->store) == LP_STORE_REFUSED
            && strcmp(lp_store_error(index->store), "WRONGTYPE") != 0)) {
        return lp_store_status(index->store);
    }
    return LP_STORE_OK;
}

static lp_store_status_t
decide_batch(index_t *index, uint32_t from, uint32_t n, decide_t decide,
             uint64_t *done)
{
    lp_store_status_t status = ask_batch(index, from, n);
    uint32_t          i, decided = 0;

    if (status != LP_STORE_OK) {
        return status;
    }
    lp_store_begin(index->store);
    for (i = 0; i < n; i++) {
        decided += (uint32_t) decide(index, lp_name(&index->ids, from + i),
                                     lp_store_reply(index->store, 1 + i));
    }
    status = lp_store_commit(index->store);
    *done += status == LP_STORE_OK ? decided : 0;
    return status;
}

/* Of the products in index->ids, in batches. */
static int
decide_all(index_t *index, decide_t decide, uint64_t *done)
{
    lp_store_status_t status;
    uint32_t          from, n;
    unsigned          tries;

    for (from = 0; from < index->ids.n; from += n) {
        n = index->ids.n - from < BATCH ? index->ids.n - from : BATCH;
        tries = 0;
        do {
            status = decide_batch(index, from, n, decide, done);
        } while (status == LP_STORE_CONFLICT && ++tries < TRIES);
        if (status != LP_STORE_OK) {
            return -1;
        }
    }
    return 0;
}

/* 0: it has gone by now, or is a key of another type. */
static int
is_product(const redisReply *reply)
{
    size_t i;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != ASKED) {
        return 0;
    }
    for (i = 0; i < reply->elements; i++) {
        if (lp_store_text(reply->element[i]).data != NULL) {
            return 1;
        }
    }
    return 0;
}

static int
note(index_t *index, lp_span_t product, const redisReply *fields)
{
    lp_span_t name;

    if (!is_product(fields)) {
        return 0;
    }
    name = lp_store_text(fields->element[0]);
    (void) lp_products_note(lp_products_to_store, index->store, product,
                            name.data == NULL ? lp_span("") : name,
                            lp_store_text(fields->element[1]));
    return 1;
}

/* Products that said to be in the set once, and do not now. */
static int
clear_parts(index_t *index, lp_span_t set)
{
    const redisReply *reply;
    char              name[LP_KEY_MAX];
    lp_span_t         key = {name, lp_key_parts(name, set)};

    reply = lp_store_ask(index->store, LP_WORDS(lp_span("SMEMBERS"), key));
    if (reply == NULL) {
        return -1;
    }
    index->set = set;
    return take_names(index, reply, 1) == 0
               ? decide_all(index, drop_part, &index->gone) : -1;
}

static int
is_in(const redisReply *reply, lp_span_t set)
{
    lp_product_t product = {.in = {NULL, 0}};
    lp_span_t    sets[LP_SETS_MAX];
    unsigned     i, n;

    if (!is_product(reply)) {
        return 0;
    }
    product.in = lp_store_text(reply->element[1]);
    n = lp_product_sets(&product, sets);
    for (i = 0; i < n; i++) {
        if (lp_span_equal(sets[i], set)) {
            return 1;
        }
    }
    return 0;
}

static int
drop_part(index_t *index, lp_span_t product, const redisReply *fields)
{
    char      name[LP_KEY_MAX];
    lp_span_t key = {name, lp_key_parts(name, index->set)};

    if (is_in(fields, index->set)) {
        return 0;
    }
    lp_store_add(index->store, LP_WORDS(lp_span("SREM"), key, product));
    return 1;
}

/* Names of products that are no more. */
static int
clear_products(index_t *index)
{
    const redisReply *reply;
    char              cursor[CURSOR] = "0";

    do {
        reply = lp_store_ask(index->store,
                             LP_WORDS(lp_span("HSCAN"),
                                      lp_span(LP_PRODUCTS_KEY),
                                      lp_span_of(cursor), lp_span("COUNT"),
                                      lp_span(SCAN_SIZE)));
        if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
            || reply->elements != 2
            || lp_store_text(reply->element[0]).len >= sizeof(cursor)) {
            return -1;
        }
        snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
        if (take_names(index, reply->element[1], 2) != 0
            || decide_all(index, drop_name, &index->gone) != 0) {
            return -1;
        }
    } while (strcmp(cursor, "0") != 0);
    return 0;
}

static int
drop_name(index_t *index, lp_span_t product, const redisReply *fields)
{
    if (is_product(fields)) {
        return 0;
    }
    lp_store_add(index->store,
                 LP_WORDS(lp_span("HDEL"), lp_span(LP_PRODUCTS_KEY), product));
    return 1;
}

/* Every step-th text of a list becomes an id of the batch; what is no id of a
   product was put there by no command of ours, and stays. */
static int
take_names(index_t *index, const redisReply *list, unsigned step)
{
    lp_span_t text;
    size_t    i;

    lp_names_reset(&index->ids);
    for (i = 0; i < list->elements; i += step) {
        text = lp_store_text(list->element[i]);
        if (text.data != NULL && lp_product_valid(text)
            && lp_names_add(&index->ids, text) == LP_NAMES_FULL) {
            return -1;
        }
    }
    return 0;
}
