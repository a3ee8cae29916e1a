/*
 * Two questions for each product, all in one batch. A key of another type is
 * none; whatever else Redis refuses means that nothing is known.
 */

#include "pick_offers.h"

#include <string.h>

#include "../workers/products.h"

#define TEXT(n)    TEXT_OF(n)
#define TEXT_OF(n) #n
#define FIELDS     3

static int is_wrong_type(const redisReply *reply);
static void read_offer(lp_offer_t *offer, lp_span_t product,
                       const redisReply *fields, const redisReply *chapters);

int
lp_offers_read(lp_offers_t *offers, lp_store_t *store,
               const lp_span_t *products, unsigned n)
{
    const redisReply *fields, *chapters;
    char              text[LP_KEY_MAX];
    lp_span_t         key = {text, 0};
    unsigned          i;

    offers->n = 0;
    for (i = 0; i < n; i++) {
        key.len = lp_key_product(text, products[i]);
        lp_store_add(store, LP_WORDS(lp_span("HMGET"), key, lp_span("name"),
                                     lp_span("url"), lp_span("deep")));
        key.len = lp_key_chapters(text, products[i]);
        lp_store_add(store, LP_WORDS(lp_span("LRANGE"), key, lp_span("0"),
                                     lp_span(TEXT(LP_CHAPTERS_MAX))));
    }
    if (n > 0 && lp_store_run(store) == LP_STORE_DOWN) {
        return -1;
    }
    for (i = 0; i < n; i++) {
        fields = lp_store_reply(store, 2 * i);
        chapters = lp_store_reply(store, 2 * i + 1);
        if (fields == NULL || chapters == NULL
            || (fields->type != REDIS_REPLY_ARRAY && !is_wrong_type(fields))
            || (chapters->type != REDIS_REPLY_ARRAY
                && !is_wrong_type(chapters))) {
            return -1;
        }
        read_offer(&offers->list[offers->n++], products[i], fields, chapters);
    }
    return 0;
}

static int
is_wrong_type(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR
           && strncmp(reply->str, "WRONGTYPE", 9) == 0;
}

static void
read_offer(lp_offer_t *offer, lp_span_t product, const redisReply *fields,
           const redisReply *chapters)
{
    memset(offer, 0, sizeof(*offer));
    offer->product = product;
    offer->name = product;
    if (fields->type != REDIS_REPLY_ARRAY || fields->elements != FIELDS) {
        return;
    }
    if (lp_store_text(fields->element[0]).len > 0) {
        offer->name = lp_store_text(fields->element[0]);
    }
    offer->linked = lp_store_text(fields->element[1]).len > 0;
    offer->deep = lp_store_text(fields->element[2]).len > 0;
    if (offer->deep && chapters->type == REDIS_REPLY_ARRAY
        && chapters->elements > 0) {
        offer->chapters = chapters;
    }
}

int
lp_offer_chapter(const lp_offer_t *offer, size_t i, lp_span_t *path,
                 lp_span_t *title)
{
    lp_span_t line;

    if (offer->chapters == NULL || i >= offer->chapters->elements) {
        return -1;
    }
    line = lp_store_text(offer->chapters->element[i]);
    return line.data == NULL
               ? -1 : lp_chapter_read(offer->product, line, path, title);
}

int
lp_offer_has(const lp_offer_t *offer, lp_span_t path, lp_span_t *title)
{
    lp_span_t its_path, its_title;
    size_t    i;

    *title = (lp_span_t) {NULL, 0};
    if (path.len == 0) {
        return offer->linked;
    }
    if (offer->chapters == NULL) {
        return offer->deep;
    }
    for (i = 0; i < offer->chapters->elements; i++) {
        if (lp_offer_chapter(offer, i, &its_path, &its_title) == 0
            && lp_span_equal(its_path, path)) {
            *title = its_title;
            return 1;
        }
    }
    return 0;
}
