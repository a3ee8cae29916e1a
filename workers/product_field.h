/*
 * What the fields of a product may hold, whoever writes them: an operator, an
 * import, a publisher's catalogue. What the edge would not redirect to is
 * refused before it is stored.
 */

#ifndef LP_PRODUCT_FIELD_H
#define LP_PRODUCT_FIELD_H

#include "../core/span.h"

#define LP_PRODUCT_FIELDS   7
#define LP_PRODUCT_NAME_MAX 200 /* bytes of a name */

/* name, url, deep, free, in, licence, ticket: in the order in which they are
   shown. */
extern const char *const lp_product_fields[LP_PRODUCT_FIELDS];

/*
 * NULL where value may be stored in this field of p:; else why not, to stand
 * behind the field's name: "is 0 or 1". An unknown field is refused.
 */
const char *lp_product_field_wrong(const char *field, lp_span_t value);

/* 1 where text is UTF-8 of at most max bytes without control characters. */
int lp_one_line(lp_span_t text, size_t max);

#endif
