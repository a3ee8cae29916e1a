/*
 * A launch that has begun: what /lti/login leaves for /lti/launch (begun.h).
 *
 * A launch often happens in a frame, where browsers keep no cookies of ours, or
 * not for long. So the cookie that binds a launch to its browser may be absent;
 * but a browser that has such cookies must have the right one. Launches in
 * several frames of one page begin at the same moment: each has a cookie of its
 * own, in one of LP_LAUNCH_SLOTS names.
 */

#ifndef LP_LTI_STATE_H
#define LP_LTI_STATE_H

#include "begun.h"
#include "lti_claims.h"

#define LP_LAUNCH_SLOTS  16
#define LP_LAUNCH_COOKIE "leerpoort-lti-" /* and a slot: 0 to f */

typedef struct {
    char platform[LP_PROVIDER_NAME_MAX + 1];
    char deployment[LP_DEPLOYMENT_MAX + 1]; /* "": the login named none */
    char nonce[LP_RANDOM_LEN + 1];
} lp_launch_state_t;

/* Stores it with a new nonce, makes state (room for LP_RANDOM_LEN + 1), adds
   the cookie to the answer. OK, TOO_MANY, FAILED. */
lp_begun_t lp_launch_store(lp_visit_t *visit, lp_launch_state_t *launch,
                           char *state);

/* Takes it out: a second one gets LP_BEGUN_UNKNOWN. One of another browser
   stays there for its own. Never LP_BEGUN_NO_COOKIE. */
lp_begun_t lp_launch_take(lp_visit_t *visit, lp_span_t state,
                          lp_launch_state_t *launch);

/* Marks the nonce of a good id_token as used: LP_BEGUN_UNKNOWN where it was.
   */
lp_begun_t lp_launch_use_nonce(lp_sso_t *sso, lp_span_t nonce);

#endif
