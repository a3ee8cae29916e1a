/*
 * The pages of an Edu-V Catalogue: GET <url>?start=&limit= until there is
 * nothing new.
 */

#ifndef LP_CATALOGUE_PAGES_H
#define LP_CATALOGUE_PAGES_H

#include <jansson.h>

#define LP_CATALOGUE_REASON_MAX 160

/* Takes the rows of a page, an array; returns how many of them are new, -1 to
   end with an error, which *reason then names. */
typedef int (*lp_catalogue_page_t)(void *owner, const json_t *rows,
                                   const char **reason);

/*
 * Fetches all pages. ca: NULL, or a PEM file to trust instead of the system's.
 * Returns 0; -1, and reason (LP_CATALOGUE_REASON_MAX bytes) says why: what came
 * before is not the whole catalogue.
 */
int lp_catalogue_fetch(const char *url, const char *ca,
                       lp_catalogue_page_t on_page, void *owner, char *reason);

#endif
