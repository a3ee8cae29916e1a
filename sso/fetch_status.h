/*
 * How the sources are doing, for operators: status.json in the folder of the
 * fetched files, and "leerpoort-keys --status", which reads it.
 */

#ifndef LP_FETCH_STATUS_H
#define LP_FETCH_STATUS_H

#include "fetcher.h"

/* Takes from status.json what a former process knew of these sources. */
void lp_status_recall(lp_fetcher_t *fetcher);

/* Writes status.json. 0; -1: errno. */
int lp_status_write(lp_fetcher_t *fetcher);

/* Prints how each source is doing. Returns LP_YES; LP_NO where one was not
   fetched for a day, or nothing is known. */
int lp_status_print(const char *folder);

#endif
