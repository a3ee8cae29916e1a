/*
 * Entitlements of a batch, from and to Redis; part of tally_count.c's story.
 */

#ifndef LP_TALLY_RECORDS_H
#define LP_TALLY_RECORDS_H

#include "tally.h"

/* Adds the questions for records, or their places, that are not known. Returns
   how many. */
unsigned lp_tally_ask_records(lp_tally_t *tally);

/* Takes the answers, after a run. -1: out of memory. */
int lp_tally_take_records(lp_tally_t *tally);

/* Adds to the transaction what writes the totals of the records found. */
void lp_tally_write_records(lp_tally_t *tally);

/* Looks, in the EXEC's reply, whether a record vanished between reading and
   writing; removes what was written in its place. */
lp_store_status_t lp_tally_mend_records(lp_tally_t *tally,
                                        const redisReply *exec);

/* One command to the writer. The number of its reply, counted from the last run
   or MULTI. */
unsigned lp_tally_add(lp_tally_t *tally, lp_words_t words);

#endif
