/*
 * The books of a person: every product of which they hold a right, decided as
 * the edge decides a click on it (core/decide.h), on the same hashes in the
 * same order. What is read is read once; nothing is watched, nothing written.
 */

#ifndef LP_BOOKS_H
#define LP_BOOKS_H

#include "licences.h"

/* Rights, and parts of sets, that are looked at; what is beyond is left out,
   and books->more says so. */
#define LP_BOOKS_MAX 500

typedef struct {
    char         product[65]; /* NUL-terminated */
    size_t       product_len;
    lp_span_t    name;    /* len 0: none */
    lp_outcome_t outcome; /* of a click: LP_REDIRECT, LP_ACTIVATE,
                             LP_NOT_YET, LP_ENDED, LP_BLOCKED_OUT */
    int          linked;  /* the catalogue has a link to it */
    int          opens;   /* a click may lead to it: outcome and link allow */
    uint32_t     from;    /* LP_NOT_YET: the first day; 0: none */
    uint32_t     until;   /* the last day of the right that decided, or of
                             the last that ended; 0: none */
} lp_book_t;

typedef struct {
    lp_book_t *list; /* by name */
    unsigned   n;
    int        more;    /* there were more than LP_BOOKS_MAX */
    int        revoked; /* the token is from before "!": nothing is listed */
} lp_books_t;

static inline lp_span_t
lp_book_product(const lp_book_t *book)
{
    return (lp_span_t) {book->product, book->product_len};
}

/*
 * Reads the books of by (its product is not looked at). LP_STORE_OK;
 * LP_STORE_DOWN also where memory ran out. lp_books_free() must follow.
 */
lp_store_status_t lp_books_read(lp_books_t *books, lp_store_t *store,
                                const lp_click_by_t *by);

void lp_books_free(lp_books_t *books);

#endif
