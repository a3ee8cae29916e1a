/*
 * What a teacher's page for picking sends: what was searched, what is chosen,
 * what is to be done. All of it comes from outside, and what is not as the page
 * would have sent it is no form of ours.
 */

#ifndef LP_PICK_FORM_H
#define LP_PICK_FORM_H

#include "../core/click.h"

#define LP_PICK_FORM_MAX  (128 * 1024) /* bytes */
#define LP_PICK_QUERY_MAX 100          /* bytes of what is searched */
#define LP_PICK_ITEMS_MAX 50

typedef enum { LP_PICK_SEARCH = 0, LP_PICK_PUT, LP_PICK_CANCEL } lp_pick_do_t;

typedef struct {
    lp_pick_do_t act;
    lp_span_t    secret;
    lp_span_t    query; /* shortened to LP_PICK_QUERY_MAX */
    lp_click_t   items[LP_PICK_ITEMS_MAX]; /* each once; path.len 0: the whole
                                              product */
    unsigned     n;
    lp_span_t    bad_path; /* typed by hand, and no path; len 0: none */
    int          too_many; /* items: the rest was left out */
    char        *memory;
} lp_pick_form_t;

/*
 * Reads a form. 0: items are products and paths of clicks, as far as that can
 * be told without Redis; -1: it is none of ours, or memory ran out.
 * lp_pick_form_free() must follow either way.
 */
int lp_pick_form_read(lp_pick_form_t *form, lp_span_t body);

void lp_pick_form_free(lp_pick_form_t *form);

#endif
