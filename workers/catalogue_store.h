/*
 * From a pulled catalogue into Redis: only what differs is written, so that no
 * edge drops what it has mirrored of products that stayed the same.
 */

#ifndef LP_CATALOGUE_STORE_H
#define LP_CATALOGUE_STORE_H

#include "catalogue.h"
#include "store.h"

typedef struct {
    uint64_t made, changed, unchanged;
    uint64_t gone; /* an earlier pull had them; they are left alone */
} lp_catalogue_count_t;

/* Reads which products earlier pulls of this address had. */
lp_store_status_t lp_catalogue_recall(lp_catalogue_t *catalogue,
                                      lp_store_t *store, const char *url);

/*
 * Compares with Redis and, unless dry is set, writes. Refusals that show only
 * now (too many sets) are noted in the catalogue. Where it fails in between,
 * another pull does the rest.
 */
lp_store_status_t lp_catalogue_store(lp_catalogue_t *catalogue,
                                     lp_store_t *store, int dry,
                                     lp_catalogue_count_t *count);

/* Notes the products of this pull for the next one's lp_catalogue_recall(). */
lp_store_status_t lp_catalogue_remember(const lp_catalogue_t *catalogue,
                                        lp_store_t *store, const char *url);

#endif
