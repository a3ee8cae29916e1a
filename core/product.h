/*
 * A product as the catalogue describes it, and where a click on it leads.
 */

#ifndef LP_PRODUCT_H
#define LP_PRODUCT_H

#include "click.h"
#include "span.h"
#include "target.h"

#define LP_SETS_MAX 16 /* sets that one product may be in */

/* The fields of p:{NN}:<product>; data NULL where there is none. */
typedef struct {
    lp_span_t url;
    lp_span_t deep;
    lp_span_t in;      /* comma-separated ids of sets */
    lp_span_t name;
    lp_span_t licence;
    lp_span_t ticket;  /* audience of a launch ticket; len 0: no ticket */
    int       free;    /* open material: no right needed */
} lp_product_t;

/*
 * Puts one hash field into its place; unknown names are passed over. free is
 * set by the value "1" alone.
 */
void lp_product_field(lp_product_t *product, lp_span_t name, lp_span_t value);

/*
 * Writes the ids of the sets into sets (room for LP_SETS_MAX) and returns their
 * number; ids that are no product ids are passed over.
 */
unsigned lp_product_sets(const lp_product_t *product, lp_span_t *sets);

/*
 * Builds the Location of a click: url where path is empty, else deep with path
 * in the place of {path}. dst has room for LP_LOCATION_MAX bytes; no NUL.
 * path must have passed lp_click_parse(). See lp_target_fill().
 */
lp_target_t lp_location(char *dst, size_t *len, const lp_product_t *product,
                        lp_span_t path, const lp_hosts_t *hosts);

#endif
