/*
 * The page on which a teacher picks, in the platform's frame: a plain form, in
 * which all that is chosen goes along.
 */

#ifndef LP_PICK_PAGE_H
#define LP_PICK_PAGE_H

#include "lti_pick.h"
#include "pick_offers.h"

typedef enum {
    LP_PICK_SAYS_NOTHING = 0,
    LP_PICK_SAYS_NONE,     /* nothing is chosen */
    LP_PICK_SAYS_BAD_PATH, /* form->bad_path */
    LP_PICK_SAYS_NO_PATH,  /* where only a part can be opened */
    LP_PICK_SAYS_TOO_MANY
} lp_pick_says_t;

typedef struct {
    const lp_platform_t  *platform;
    const lp_pick_t      *pick;
    lp_span_t             secret;
    const lp_pick_form_t *form;   /* query and items */
    const lp_offers_t    *offers; /* of each item, then of what was found */
    int                   more;   /* was found */
    lp_pick_says_t        says;
} lp_pick_view_t;

/* The page with the search box. Answers the visit. */
void lp_pick_show(lp_visit_t *visit, const lp_pick_view_t *view);

#endif
