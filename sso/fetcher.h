/*
 * Fetches metadata and keys of sources in their turns, side by side, and writes
 * what may be written. Runs in leerpoort-keys alone: nobody's click or sign-in
 * ever waits for it.
 */

#ifndef LP_FETCHER_H
#define LP_FETCHER_H

#include "../workers/http_client.h"
#include "fetched_files.h"
#include "schedule.h"
#include "sources.h"

#define LP_FETCH_ERROR_MAX 160

/* How a source is doing. Times are Unix times; 0: never. */
typedef struct {
    int64_t  fetched_at; /* the last success */
    int64_t  changed_at; /* when its keys were others than before */
    unsigned keys;
    unsigned left_out;
    char     error[LP_FETCH_ERROR_MAX]; /* of the last fetch; "": none */
} lp_fetch_state_t;

/* One source under care; its owner is the fetcher. */
typedef struct lp_fetch_s lp_fetch_t;

struct lp_fetch_s {
    lp_fetch_t      *next;
    lp_source_t      source;
    lp_turn_t        turn;
    lp_fetch_state_t state;
    /* of the fetch under way, or the last one */
    char            *keys_from; /* jwks_uri of its metadata; NULL: none yet */
    char             problem[LP_FETCH_ERROR_MAX];
    int64_t          retry_after;
    int              listed; /* no file names it any more: 0 */
    unsigned         tried, succeeded;
    struct lp_fetcher_s *fetcher;
};

typedef struct lp_fetcher_s {
    lp_http_t    *http;
    lp_folder_t  *folder;
    lp_schedule_t schedule;
    lp_fetch_t   *first;
    unsigned      running;
    int           changed; /* a state did: for who writes them down */
} lp_fetcher_t;

/* Milliseconds of a clock that nobody sets. */
int64_t lp_fetcher_clock(void);

/* Takes care of these sources from now on, and no more of others; those that
   it knows keep their turns. -1: no memory; some may be missing then. */
int lp_fetcher_take(lp_fetcher_t *fetcher, const lp_source_list_t *list);

/* Somebody met a key of this issuer that is not there. An issuer that is not
   known is passed over. */
void lp_fetcher_ask(lp_fetcher_t *fetcher, lp_span_t issuer);

/* All are due now. */
void lp_fetcher_hurry(lp_fetcher_t *fetcher);

/* Begins what is due; returns ms until the next is, at most most_ms. */
int lp_fetcher_begin(lp_fetcher_t *fetcher, int most_ms);

/* 1 where each source was tried; with successes, where each succeeded. */
int lp_fetcher_done(const lp_fetcher_t *fetcher, int successes);

/* Frees the sources, not what it was given. */
void lp_fetcher_drop(lp_fetcher_t *fetcher);

#endif
