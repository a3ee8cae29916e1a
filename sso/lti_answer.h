/*
 * How a launch is answered: with the click itself, or with a page that the
 * platform may frame. Shared by the routes of LTI.
 */

#ifndef LP_LTI_ANSWER_H
#define LP_LTI_ANSWER_H

#include "once.h"

#define LP_LAUNCH_TOKEN_LIFE 60 /* seconds: from here to the edge */

/*
 * Gives the request back to nginx as a click by who: X-Accel-Redirect to
 * /lti/click, with a session token that never leaves the server and no cookie.
 * click: "<product>[/<path>]". Or a page that says why not.
 */
void lp_lti_click(lp_visit_t *visit, const lp_platform_t *platform,
                  const lp_who_t *who, lp_span_t click);

/* The page of a problem, in the platform's frame. platform NULL: in none;
   school.len 0: in the default style. */
void lp_lti_problem(lp_visit_t *visit, const lp_platform_t *platform,
                    lp_span_t school, lp_problem_t problem, unsigned reason);

/* A sentence for the operator's log: which platform (NULL: none that we know),
   and what is wrong. */
void lp_lti_say(const lp_platform_t *platform, const char *name,
                const char *why);

/* The problem of a message of which not even the form is right: parameter is
   missing, there twice, too long or badly encoded. */
void lp_lti_malformed(lp_visit_t *visit, const lp_platform_t *platform,
                      const char *parameter);

/* The problem "unavailable". */
void lp_lti_unavailable(lp_visit_t *visit, const lp_platform_t *platform);

/*
 * A page with a link that opens a window of its own, where cookies are kept:
 * what waits for it goes into Redis under the secret at the end of the link.
 * kind: LP_ONCE_OPEN or LP_ONCE_LINK. document has "platform", its name, and
 * "house", the school whose style the page has.
 */
void lp_lti_window(lp_visit_t *visit, const lp_platform_t *platform,
                   lp_span_t school, lp_once_t kind, const json_t *document);

/* The same page once more, in the language of the query, where the request for
   the window's address says so. 1 after answering; 0: the window is meant. */
int lp_lti_window_again(lp_visit_t *visit, lp_once_t kind);

/*
 * From here on pages are in the language of the platform's page, where that is
 * one of ours ("nl-NL", "en_us"); else in the browser's, as before. What
 * somebody chose comes before either.
 */
void lp_lti_use_locale(lp_visit_t *visit, lp_span_t locale);

/* What stands behind the last slash of the request's path. */
lp_span_t lp_lti_secret(const lp_visit_t *visit);

#endif
