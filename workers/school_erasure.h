/*
 * All that Leerpoort holds of one school, its pupils and its teachers, found
 * and erased. What the school's entitlements added up to stays, per product,
 * in the stream "erased".
 */

#ifndef LP_SCHOOL_ERASURE_H
#define LP_SCHOOL_ERASURE_H

#include "erasure.h"
#include "names.h"
#include "store.h"

typedef struct {
    lp_store_t *store;
    lp_span_t   school;

    lp_names_t  keys;    /* that are the school's alone, whole */
    lp_names_t  aliases; /* keys a: that mean the school */
    lp_names_t  weeks;   /* keys weeks: and report:, where it is one of many */
    lp_names_t  records; /* keys e: */
    lp_names_t  ids;     /* the entitlements of the records */
    uint32_t    n_ids;   /* ... that many of them */
    lp_names_t  streams; /* outbox:, dead: */
    uint64_t    letters; /* messages that wait */
    uint64_t    clicks;  /* entries with clicks that wait to be counted */
    int         failed;  /* out of memory */
} lp_school_data_t;

typedef struct {
    uint64_t keys, aliases, records, letters, clicks;
} lp_school_counts_t;

/* Goes through all of Redis. 0; -1 where Redis failed or memory ran out.
   lp_school_data_free() must follow. */
int lp_school_data_find(lp_school_data_t *data);

int lp_school_data_is_empty(const lp_school_data_t *data);

/*
 * Erases what was found, messages and clicks that wait too, and looks again
 * until nothing is found. The totals of records go into the stream "erased"
 * in the transaction that deletes them, under this receipt.
 */
int lp_school_data_erase(lp_school_data_t *data, const char *receipt,
                         lp_school_counts_t *counts);

/* Its part: the records that were found. 0, or -1 as above. */
int lp_school_records_erase(lp_school_data_t *data, const char *receipt);

void lp_school_data_free(lp_school_data_t *data);

#endif
