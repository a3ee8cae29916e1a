/*
 * Finding a cookie in a header, at the edge and in the workers.
 */

#ifndef LP_COOKIE_H
#define LP_COOKIE_H

#include "span.h"

/*
 * The value of the first cookie of this name in a header Cookie (RFC 6265
 * section 4.2: "name=value; name=value"); data NULL: there is none.
 */
lp_span_t lp_cookie_find(lp_span_t header, lp_span_t name);

#endif
