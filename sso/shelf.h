/*
 * The catalogue as teachers search it: the hash "products" (workers/products.h)
 * in memory, folded, for some seconds. A name in it is a hint: who shows it
 * looks the product up.
 */

#ifndef LP_SHELF_H
#define LP_SHELF_H

#include "../workers/store.h"

#define LP_SHELF_MAX   50000 /* products that are looked at */
#define LP_SHELF_HITS  50    /* of one search */
#define LP_SHELF_AGE   10    /* seconds until it is read anew */
#define LP_SHELF_WORDS 8     /* of a search; more are passed over */

typedef struct lp_shelf_s lp_shelf_t;

/* NULL: out of memory. */
lp_shelf_t *lp_shelf_open(void);

/* NULL is none. */
void lp_shelf_close(lp_shelf_t *shelf);

/*
 * Products whose name or id contains each word of the query, whatever its case
 * and accents (of an ISBN also its hyphens), by name: their ids into hits (room
 * for LP_SHELF_HITS), good until the next search. An empty query finds all.
 * *more: there are others. Returns their number; -1: Redis failed, and nothing
 * is known.
 */
int lp_shelf_search(lp_shelf_t *shelf, lp_store_t *store, lp_span_t query,
                    lp_span_t *hits, int *more);

#endif
