/*
 * The last page of a teacher who picks: what was chosen, and a button that
 * posts the signed answer to the platform.
 */

#ifndef LP_PICK_READY_H
#define LP_PICK_READY_H

#include "lti_pick.h"

/*
 * The page in answer to the form. titles: an array of texts, empty where
 * nothing was chosen; jwt: the answer. Answers the visit.
 */
void lp_pick_ready(lp_visit_t *visit, const lp_platform_t *platform,
                   lp_span_t return_url, const json_t *titles,
                   const char *jwt);

/* The same page once more, from the document in which it was kept under
   secret (LP_ONCE_READY, "platform" in it). Answers the visit. */
void lp_pick_ready_show(lp_visit_t *visit, const lp_platform_t *platform,
                        const json_t *document, lp_span_t secret);

/* That nothing was chosen, in the visit's language. */
const char *lp_pick_ready_none(const lp_visit_t *visit);

#endif
