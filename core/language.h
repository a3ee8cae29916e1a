/*
 * The two languages of the pages, and which of them somebody reads.
 */

#ifndef LP_LANGUAGE_H
#define LP_LANGUAGE_H

#include "span.h"

typedef enum { LP_DUTCH = 0, LP_ENGLISH, LP_LANGUAGES } lp_language_t;

/* The cookie that keeps a choice: its value is "nl" or "en". */
#define LP_LANGUAGE_COOKIE "leerpoort_lang"

/* "nl" */
const char *lp_language_tag(lp_language_t language);

/* -1: neither "nl" nor "en". */
int lp_language_find(lp_span_t tag);

/*
 * asked: the query's "lang"; cookie: the choice of before; accept: the header
 * Accept-Language (RFC 9110 section 12.5.4, with weights). The first that says
 * something counts; else Dutch. All may be absent.
 */
lp_language_t lp_language_choose(lp_span_t asked, lp_span_t cookie,
                                 lp_span_t accept);

#endif
