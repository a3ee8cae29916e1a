/*
 * Comparing what clients were told with Redis: what the files of `verify`
 * share.
 */

#ifndef LP_VERIFY_H
#define LP_VERIFY_H

#include "../workers/command_line.h"
#include "findings.h"
#include "holdings.h"
#include "rehearsed.h"
#include "told.h"
#include "usage_before.h"

/* Sellers' traffic during the run, of run.json. */
typedef struct {
    uint64_t requests, errors, lines;
} lp_run_api_t;

typedef struct {
    const lp_args_t  *args;
    lp_holdings_t     holdings;
    lp_rehearsed_t    rehearsed;
    lp_store_t       *store;
    lp_store_t       *aside; /* for questions about a reply in hand */
    lp_told_t        *told;
    lp_told_t        *earlier; /* activations before the run; NULL: none */
    lp_told_t        *note;    /* where --before writes those; else NULL */
    lp_usage_before_t before, now;
    lp_run_api_t      api;
    lp_findings_t     findings;

    uint64_t people;
    uint64_t licences;    /* that were there, or became */
    uint64_t activations; /* of them, those of the run */
    uint64_t from_open;   /* of them, those of open rights */
    uint64_t journal;     /* records that the run added */
    uint64_t waiting;     /* of them, not delivered yet */
    uint64_t redirects, unheard;
    uint64_t counted;     /* clicks, of which */
    uint64_t untallied;   /* wait in streams */
} lp_verify_t;

/* Waits until relay and tally have done what there is to do, or do no more. 0;
   -1 after lp_say(). */
int lp_verify_wait(lp_verify_t *verify);

/* Each 0 where it could look, whatever it found; -1 after lp_say(). */
int lp_verify_people(lp_verify_t *verify); /* and open rights */
int lp_verify_journal(lp_verify_t *verify);
int lp_verify_usage(lp_verify_t *verify);

/* What usage and journals add up to now. 0; -1 after lp_say(). */
int lp_verify_totals(lp_verify_t *verify);

#endif
