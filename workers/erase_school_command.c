/*
 * leerpoort school erase: a school that has left. Its people, rights, aliases,
 * entitlements and figures go; what its entitlements added up to per product
 * stays, without the school's name.
 */

#include <inttypes.h>
#include <stdio.h>

#include "../core/keys.h"
#include "commands.h"
#include "erasure.h"
#include "say.h"
#include "school_erasure.h"

static int refuse_waiting(const lp_school_data_t *data,
                          const lp_args_t *args);
static int erase(lp_school_data_t *data, const lp_args_t *args);
static int record(lp_store_t *store, const char *receipt,
                  const lp_school_counts_t *n);

int
lp_command_school_erase(const lp_args_t *args)
{
    lp_school_data_t data;
    char             question[160];
    int              rc;

    memset(&data, 0, sizeof(data));
    data.school = lp_span_of(args->value[LP_OPT_ALIAS_SCHOOL]);
    if (!lp_school_valid(data.school)) {
        return lp_args_refuse(args, "--school is 1 to 64 of A-Z a-z 0-9 _ . "
                                    "-");
    }
    rc = lp_erasure_open(&data.store, args);
    if (rc == LP_YES) {
        snprintf(question, sizeof(question),
                 "Erase all that is held of the school %.*s and its people?",
                 (int) data.school.len, data.school.data);
        rc = lp_erasure_confirm(args, question);
    }
    if (rc == LP_YES) {
        rc = lp_school_data_find(&data) == 0 ? erase(&data, args)
                                             : lp_erasure_failed(data.store);
    }
    lp_store_destroy(data.store);
    lp_school_data_free(&data);
    return rc;
}

static int
erase(lp_school_data_t *data, const lp_args_t *args)
{
    lp_school_counts_t n;
    char               receipt[LP_RECEIPT_LEN + 1];

    if (refuse_waiting(data, args) != LP_YES
        || lp_erasure_receipt(receipt) != 0) {
        return LP_NO;
    }
    if (lp_school_data_erase(data, receipt, &n) != 0
        || record(data->store, receipt, &n) != 0) {
        return lp_erasure_failed(data->store);
    }
    printf("erased: %" PRIu64 " entitlements, %" PRIu64 " aliases, %" PRIu64
           " other keys; %" PRIu64 " messages and %" PRIu64 " batches of "
           "clicks that waited\nreceipt: %s\n",
           n.records, n.aliases, n.keys, n.letters, n.clicks, receipt);
    return lp_erasure_rewrite(data->store, args);
}

/* What sellers have not been told yet would never be told. */
static int
refuse_waiting(const lp_school_data_t *data, const lp_args_t *args)
{
    if (args->value[LP_OPT_FORCE] != NULL
        || data->letters + data->clicks == 0) {
        return LP_YES;
    }
    lp_say("%" PRIu64 " messages to sellers and %" PRIu64 " batches of clicks "
           "of this school wait: let leerpoort-relay and leerpoort-tally do "
           "their work first; --force erases them too",
           data->letters, data->clicks);
    return LP_NO;
}

/* That it was done, and how much, but not which school it was. */
static int
record(lp_store_t *store, const char *receipt, const lp_school_counts_t *n)
{
    const lp_erased_count_t counts[] = {
        {"records", n->records},   {"aliases", n->aliases},
        {"keys", n->keys},         {"messages", n->letters},
        {"clicks", n->clicks},
    };

    lp_erasure_add(store, "school", receipt, counts,
                   sizeof(counts) / sizeof(counts[0]));
    return lp_store_run(store) == LP_STORE_OK ? 0 : -1;
}
