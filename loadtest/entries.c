/*
 * In pages, each from behind the last entry of the one before, so that what is
 * read fits in memory whatever has come together.
 */

#include "entries.h"

#include <stdio.h>

#include "../workers/store_args.h"

#define PAGE    lp_span("500")
#define ID_ROOM 64

int
lp_entries_each(lp_store_t *store, lp_span_t key,
                int (*see)(void *owner, lp_span_t id,
                           const redisReply *fields),
                void *owner)
{
    const redisReply *page, *one;
    lp_span_t         id;
    char              from[ID_ROOM] = "-";
    size_t            i, n;
    int               rc;

    do {
        n = 0;
        page = lp_store_ask(store, LP_WORDS(lp_span("XRANGE"), key,
                                            lp_span_of(from), lp_span("+"),
                                            lp_span("COUNT"), PAGE));
        if (page == NULL) {
            lp_store_say(store);
            return -1;
        }
        for (i = 0; i < page->elements; i++) {
            one = page->element[i];
            if (one->type != REDIS_REPLY_ARRAY || one->elements != 2) {
                continue;
            }
            n++;
            id = lp_store_text(one->element[0]);
            snprintf(from, sizeof(from), "(%.*s", (int) id.len, id.data);
            rc = see(owner, id, one->element[1]);
            if (rc != 0) {
                return rc;
            }
        }
    } while (n > 0);

    return 0;
}
