/*
 * The records of a school that leaves, a hundred in a transaction with what
 * they add up to: broken off and begun again, or done by two at once, every
 * total is written down once.
 */

#include <stdio.h>
#include <stdlib.h>

#include "../core/keys.h"
#include "record.h"
#include "school_erasure.h"

#define BATCH     100 /* records of one transaction */
#define ATTEMPTS  50  /* others that were quicker */
#define HEAD_LEN  7   /* "e:{NN}:" */
#define PLACE_LEN 3   /* characters of an entitlement in the name of its x: */
#define TOTALS    3   /* of each product */
#define NAME_ROOM 96

/* What the records of a batch add up to. */
typedef struct {
    char              names[LP_ERASED_COUNTS][NAME_ROOM];
    lp_erased_count_t counts[LP_ERASED_COUNTS];
    unsigned          n;
} totals_t;

static int erase_records(lp_school_data_t *data, const char *receipt,
                         uint32_t from, uint32_t end);
static lp_store_status_t erase_batch(lp_school_data_t *data,
                                     const char *receipt, uint32_t from,
                                     uint32_t end, totals_t *totals);
static void add_totals(totals_t *totals, const redisReply *reply);
static void add_total(totals_t *totals, lp_span_t product, const char *what,
                      uint64_t n);
static void delete_record(lp_store_t *store, lp_span_t key);

int
lp_school_records_erase(lp_school_data_t *data, const char *receipt)
{
    uint32_t i;
    int      rc = 0;

    for (i = 0; i < data->records.n && rc == 0; i += BATCH) {
        rc = erase_records(data, receipt, i,
                           data->records.n - i > BATCH ? i + BATCH
                                                       : data->records.n);
    }
    return rc;
}

static int
erase_records(lp_school_data_t *data, const char *receipt, uint32_t from,
              uint32_t end)
{
    lp_store_status_t status = LP_STORE_CONFLICT;
    totals_t         *totals = malloc(sizeof(totals_t));
    unsigned          i;

    for (i = 0; totals != NULL && i < ATTEMPTS && status == LP_STORE_CONFLICT;
         i++) {
        memset(totals, 0, sizeof(*totals));
        status = erase_batch(data, receipt, from, end, totals);
    }
    free(totals);
    return status == LP_STORE_OK ? 0 : -1;
}

/* What is added up is what goes: the tally, or somebody else who erases the
   school, may write in between. */
static lp_store_status_t
erase_batch(lp_school_data_t *data, const char *receipt, uint32_t from,
            uint32_t end, totals_t *totals)
{
    lp_span_t words[1 + BATCH];
    uint32_t  i;

    words[0] = lp_span("WATCH");
    for (i = from; i < end; i++) {
        words[1 + i - from] = lp_name(&data->records, i);
    }
    lp_store_add(data->store, (lp_words_t) {words, 1 + end - from});
    for (i = from; i < end; i++) {
        lp_store_add(data->store,
                     LP_WORDS(lp_span("HMGET"), lp_name(&data->records, i),
                              lp_span("product"), lp_span("licensed"),
                              lp_span("count"), lp_span("open"),
                              lp_span("type")));
    }
    if (lp_store_run(data->store) != LP_STORE_OK) {
        return lp_store_status(data->store);
    }
    for (i = from; i < end; i++) {
        add_totals(totals, lp_store_reply(data->store, 1 + i - from));
    }
    lp_store_begin(data->store);
    for (i = from; i < end; i++) {
        delete_record(data->store, lp_name(&data->records, i));
    }
    lp_erasure_add(data->store, "school-totals", receipt, totals->counts,
                   totals->n);
    return lp_store_commit(data->store);
}

/*
 * The uses of a licence that was made of an open right or a code are counted
 * there as well, and a code's entitlement is licensed itself.
 */
static void
add_totals(totals_t *totals, const redisReply *reply)
{
    lp_span_t product, type, count;
    uint64_t  uses = 0;
    size_t    i;
    int       made, licensed;

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != 5) {
        return;
    }
    product = lp_store_text(reply->element[0]);
    type = lp_store_text(reply->element[4]);
    if (product.data == NULL && type.data == NULL) {
        return; /* somebody else has erased it */
    }
    count = lp_store_text(reply->element[2]);
    for (i = 0; i < count.len && i < 18; i++) {
        uses = uses * 10 + (uint64_t) (count.data[i] - '0');
    }
    licensed = lp_store_text(reply->element[1]).len > 0;
    made = lp_store_text(reply->element[3]).len > 0;
    if (!made) {
        add_total(totals, product, "entitlements", 1);
        add_total(totals, product, "uses", uses);
    }
    if (!made || lp_type_find(type) != LP_TYPE_SCHOOL_CODE) {
        add_total(totals, product, "licences", (uint64_t) licensed);
    }
}

/* Beyond the room for products what is left is added up together. */
static void
add_total(totals_t *totals, lp_span_t product, const char *what, uint64_t n)
{
    char     name[NAME_ROOM];
    unsigned i = 0;

    if (n == 0) {
        return;
    }
    if (!lp_product_valid(product)
        || totals->n > LP_ERASED_COUNTS - 2 * TOTALS) {
        product = lp_span("others");
    }
    snprintf(name, sizeof(name), "%.*s %s", (int) product.len, product.data,
             what);
    while (i < totals->n && strcmp(totals->names[i], name) != 0) {
        i++;
    }
    if (i == LP_ERASED_COUNTS) {
        return;
    }
    if (i == totals->n) {
        memcpy(totals->names[i], name, sizeof(name));
        totals->counts[i].name = totals->names[i];
        totals->n++;
    }
    totals->counts[i].n += n;
}

static void
delete_record(lp_store_t *store, lp_span_t key)
{
    const char *entitlement = key.data + HEAD_LEN;
    char        place[LP_KEY_MAX];
    lp_span_t   rest = {entitlement + PLACE_LEN,
                        LP_ENTITLEMENT_LEN - PLACE_LEN};

    lp_store_add(store, LP_WORDS(lp_span("DEL"), key));
    lp_store_add(store, LP_WORDS(lp_span("HDEL"),
                                 {place, lp_key_place(place, entitlement)},
                                 rest));
}
