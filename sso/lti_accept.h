/*
 * A launch whose id_token is good: what its claims come to.
 */

#ifndef LP_LTI_ACCEPT_H
#define LP_LTI_ACCEPT_H

#include "sso.h"

/*
 * Answers the visit: with the click, a page with a link to a window, the page
 * for picking, or a problem. deployment: what the login spoke of, len 0: of
 * none. claims: of the id_token.
 */
void lp_launch_accept(lp_visit_t *visit, const lp_platform_t *platform,
                      lp_span_t deployment, const json_t *claims);

#endif
