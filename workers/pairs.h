/*
 * Names and values in turn, as Redis gives a hash or an entry of a stream.
 */

#ifndef LP_PAIRS_H
#define LP_PAIRS_H

#include <hiredis/hiredis.h>

#include "../core/span.h"

/* The value of a name; data NULL: there is none. */
lp_span_t lp_pairs_find(const redisReply *pairs, const char *name);

#endif
