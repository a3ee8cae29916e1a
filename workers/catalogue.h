/*
 * A publisher's or reseller's catalogue, as it was pulled: every row read and
 * checked, sets turned around into what each product is in.
 */

#ifndef LP_CATALOGUE_H
#define LP_CATALOGUE_H

#include <jansson.h>
#include <stdint.h>

#include "../core/product.h"
#include "names.h"
#include "product_field.h"

#define LP_CATALOGUE_ROWS_MAX 500000
#define LP_CATALOGUE_WHY_MAX  128
#define LP_CATALOGUE_TOLD_MAX 1000 /* refusals that are kept with a reason */

/* What is known of an id: a row, a part of a set, or of an earlier pull. */
typedef struct {
    int      listed;   /* there was a row */
    int      accepted; /* and it holds no mistake */
    int      remembered; /* an earlier pull had a row */
    int      bundles;  /* it names its parts, if only none */
    char    *fields[LP_PRODUCT_FIELDS]; /* NULL: the row does not name it */
    uint32_t sets[LP_SETS_MAX];         /* that contain it, in this pull */
    unsigned n_sets;
} lp_catalogue_item_t;

typedef struct {
    char *product; /* as it was written, escaped for a terminal */
    char *why;
} lp_catalogue_refusal_t;

typedef struct {
    lp_names_t              ids;
    lp_catalogue_item_t    *items; /* as ids */
    uint32_t                room;
    uint32_t               *pairs; /* set, part, set, part ... */
    size_t                  n_pairs, pairs_room;
    uint64_t                rows; /* that were read, repeated ones too */
    lp_catalogue_refusal_t *refusals;
    unsigned                n_refusals; /* that are kept */
    uint64_t                listed;     /* rows, repeated ones once */
    uint64_t                refused;
    uint64_t                passed_over; /* physical, without a link */
} lp_catalogue_t;

/* All zero is an empty one. */
void lp_catalogue_free(lp_catalogue_t *catalogue);

/*
 * Reads the rows of a page. Returns how many new ids there were; -1, and
 * *reason: out of memory, or too many rows.
 */
int lp_catalogue_read(lp_catalogue_t *catalogue, const json_t *rows,
                      const char **reason);

/* After the last page: gives each part its sets. */
void lp_catalogue_close(lp_catalogue_t *catalogue);

/* The number of an id, which is new or not; LP_NAMES_FULL: out of memory. */
uint32_t lp_catalogue_id(lp_catalogue_t *catalogue, lp_span_t id);

/*
 * What the field "in" of the i-th id is to hold: of the sets in old (comma-
 * separated) those that this pull does not speak of or confirms, in their
 * order, then its new ones. dst has room for size bytes. Returns the length;
 * -1 where these are more than LP_SETS_MAX sets, or memory ran out.
 */
int lp_catalogue_sets(lp_catalogue_t *catalogue, uint32_t i,
                      lp_span_t old, char *dst, size_t size);

/* Notes a refusal. */
void lp_catalogue_refuse(lp_catalogue_t *catalogue, lp_span_t product,
                         const char *field, const char *why);

#endif
