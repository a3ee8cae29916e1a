/*
 * Pairs are few, and looked through from the start each time.
 */

#include "pairs.h"

#include "store.h"

lp_span_t
lp_pairs_find(const redisReply *pairs, const char *name)
{
    lp_span_t wanted = lp_span_of(name);
    size_t    i;

    if (pairs == NULL || pairs->type != REDIS_REPLY_ARRAY) {
        return (lp_span_t) {NULL, 0};
    }
    for (i = 0; i + 1 < pairs->elements; i += 2) {
        if (lp_span_equal(lp_store_text(pairs->element[i]), wanted)) {
            return lp_store_text(pairs->element[i + 1]);
        }
    }
    return (lp_span_t) {NULL, 0};
}
