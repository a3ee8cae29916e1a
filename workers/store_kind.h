/*
 * What Redis may answer to a command. A reply of another type is no answer to
 * it: replies and questions are out of step, or it is no Redis; and what was
 * read must not count as absent.
 */

#ifndef LP_STORE_KIND_H
#define LP_STORE_KIND_H

#include <hiredis/hiredis.h>

#include "../core/span.h"

typedef enum {
    LP_KIND_ANY = 0,
    LP_KIND_QUEUED, /* in a transaction: the answer is EXEC's */
    LP_KIND_TEXT,   /* or nil */
    LP_KIND_NUMBER,
    LP_KIND_ARRAY   /* or nil */
} lp_kind_t;

/* Of a command outside a transaction. Those that only write may answer
   anything: their callers look at nothing but errors. */
lp_kind_t lp_kind_of(lp_span_t command);

/* 1 where reply may be an answer; an error always may. */
int lp_kind_fits(lp_kind_t kind, const redisReply *reply);

#endif
