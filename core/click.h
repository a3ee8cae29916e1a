/*
 * What a click asks for, as it stands in the raw request target.
 */

#ifndef LP_CLICK_H
#define LP_CLICK_H

#include "span.h"

#define LP_PATH_MAX 512 /* bytes of a click's path */

/* The spans lie inside the raw request target. */
typedef struct {
    lp_span_t product;
    lp_span_t path; /* percent-encoded as sent; len 0: none */
} lp_click_t;

/*
 * Reads what stands below the click's location in the raw request target:
 * "<product>[/<path>][?query]". "?product=<id>" names the product where the
 * path has none; then, two different ones are refused.
 * Path: characters of RFC 3986 pchar and "/", well-formed escapes, no
 * dot segments and no control bytes, also not when decoded (with %2F and %5C
 * taken as separators, and ";" as the end of a segment's name); escaped bytes
 * from 0x80 only as UTF-8; at most LP_PATH_MAX bytes. A lone trailing slash
 * after the product is no path.
 * Returns 0, or -1: a bad request; then *click is not set.
 */
int lp_click_parse(lp_click_t *click, lp_span_t below);

#endif
