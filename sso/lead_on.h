/*
 * A page that leads on by itself, in the place of a redirect. Browsers hold
 * every redirect after a form to the form-action of the policy of the page on
 * which the form stood: a 303 that ends at another site, by whatever way,
 * leaves the reader where they were, without a word.
 */

#ifndef LP_LEAD_ON_H
#define LP_LEAD_ON_H

#include "sso.h"

#define LP_LEAD_URL_MAX 8192

/* In one language, plain text. */
typedef struct {
    const char *title;
    const char *text;
    const char *link; /* for whom nothing happens */
    const char *more; /* a last paragraph; NULL: none */
} lp_lead_t;

/* url: checked; of this site or of another. */
void lp_lead_on(lp_visit_t *visit, lp_span_t school, const lp_lead_t *lead,
                lp_span_t url);

#endif
