/*
 * Products as they are offered to a teacher: looked up all together, where they
 * are, not where an index says so. Spans lie in the store's replies: they are
 * good until its next run.
 */

#ifndef LP_PICK_OFFERS_H
#define LP_PICK_OFFERS_H

#include "../core/click.h"
#include "../workers/store.h"
#include "pick_form.h"
#include "shelf.h"

#define LP_OFFERS_MAX      (LP_SHELF_HITS + LP_PICK_ITEMS_MAX)
#define LP_OFFERS_CHAPTERS 400 /* on one page, but a book has all of its */

typedef struct {
    lp_span_t         product;
    lp_span_t         name;     /* the id where it has none */
    int               linked;   /* the whole of it can be opened */
    int               deep;     /* a part of it can */
    const redisReply *chapters; /* lines; NULL: none */
} lp_offer_t;

typedef struct {
    lp_offer_t list[LP_OFFERS_MAX]; /* as they were asked for */
    unsigned   n;
} lp_offers_t;

/* Looks up n products, at most LP_OFFERS_MAX. One that is gone, or that has no
   link at all, has neither linked nor deep. 0; -1: Redis failed. */
int lp_offers_read(lp_offers_t *offers, lp_store_t *store,
                   const lp_span_t *products, unsigned n);

/* The i-th chapter. 0; -1: none, or one that no click could reach. */
int lp_offer_chapter(const lp_offer_t *offer, size_t i, lp_span_t *path,
                     lp_span_t *title);

/* 1 where the path may be chosen: it is one of the chapters, or there are none
   and any path will do; the empty path is the whole. *title: the chapter's, or
   len 0. */
int lp_offer_has(const lp_offer_t *offer, lp_span_t path, lp_span_t *title);

#endif
