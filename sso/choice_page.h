/*
 * Where somebody is asked at which provider they sign in: a search for the name
 * of a school, and the providers. Plain links and one form, no scripts.
 */

#ifndef LP_CHOICE_PAGE_H
#define LP_CHOICE_PAGE_H

#include "sso.h"

#define LP_SEARCH_MAX 240 /* bytes: of 60 characters */

typedef struct {
    lp_span_t back;   /* the way back, checked */
    lp_span_t school; /* only providers that serve it; len 0: all */
    lp_span_t search; /* UTF-8; len 0: nothing was searched for */
} lp_choice_t;

void lp_choice_page(lp_visit_t *visit, const lp_choice_t *choice);

/* 1 where the provider lists the school. */
int lp_provider_serves(const lp_provider_t *provider, lp_span_t school);

#endif
