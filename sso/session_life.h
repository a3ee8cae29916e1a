/*
 * How long a session lives, and its token for now.
 */

#ifndef LP_SESSION_LIFE_H
#define LP_SESSION_LIFE_H

#include "session.h"
#include "session_store.h"

/* Seconds for which Redis is to keep it, from now; at least 1. */
int64_t lp_session_left(const lp_session_t *session, const lp_sites_t *sites);

/* Its token, issued at session->used, as lp_session_token(); 0 too where a
   browser would not keep it. */
size_t lp_session_make_token(const lp_session_t *session, lp_sso_t *sso,
                             const lp_who_t *who, char *dst);

/* Adds the cookie with that token to the answer. */
void lp_session_put_token(lp_visit_t *visit, lp_span_t token);

/*
 * Lets the browser forget what it showed (Clear-Site-Data): the session that it
 * had is over, or another's now. no-store does not do it: Chromium keeps pages
 * for its back button as they were, My books among them.
 */
void lp_session_hide_former(lp_visit_t *visit);

#endif
