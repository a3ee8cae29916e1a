/*
 * The tally: clicks from the usage streams become totals, each click once.
 * leerpoort-tally runs it; how a batch is counted is in tally_count.c.
 */

#ifndef LP_TALLY_H
#define LP_TALLY_H

#include "store.h"
#include "tally_batch.h"

#define LP_TALLY_GROUP "tally"

/* Redis keeps who read what in a week for so long after the last new reader. */
#define LP_READERS_DAYS 60
/* ... what a week added up to: two school years and what is left of one. */
#define LP_WEEK_DAYS    800
/* ... and which entries of a producer were counted. */
#define LP_SEEN_DAYS    40

typedef struct {
    lp_store_t        *reader; /* its replies live while a batch is written */
    lp_store_t        *writer;
    const char        *name; /* of the consumer: what it had in hand when it
                                died is done by the next of this name */
    int                once; /* until nothing is left, then end */
    lp_usage_reader_t  lines;
    lp_batch_t         batch;
    unsigned           added; /* commands since a run or MULTI */
    int                said_entry; /* what is said once */
    int                said_line;
    int                said_failure;
    unsigned           count; /* entries of a stream to read in a round */
} lp_tally_t;

/*
 * Tallies until SIGTERM or SIGINT, which it blocks and looks for between two
 * batches, or with once until the streams are empty. Returns LP_YES; LP_NO
 * after saying why: only with once does a failure of Redis end it.
 */
int lp_tally_run(lp_tally_t *tally);

/*
 * Counts and acknowledges the entries of tally->batch. LP_STORE_CONFLICT:
 * another tally was first with something, nothing is counted; try again.
 */
lp_store_status_t lp_tally_count(lp_tally_t *tally);

#endif
