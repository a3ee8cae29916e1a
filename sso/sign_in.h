/*
 * A sign-in that has begun: what /sso/login leaves for /sso/callback (begun.h);
 * bound to the browser by a cookie that all its tabs share.
 */

#ifndef LP_SIGN_IN_H
#define LP_SIGN_IN_H

#include "begun.h"

#define LP_RETURN_MAX 1024

typedef struct {
    char provider[LP_PROVIDER_NAME_MAX + 1];
    char nonce[LP_RANDOM_LEN + 1];
    char verifier[LP_RANDOM_LEN + 1];  /* PKCE, S256 */
    char back[LP_RETURN_MAX + 1];      /* a path of this site */
    char keep[2];                      /* "1": it was chosen here, and is to
                                          be chosen again (last_provider.h) */
} lp_sign_in_t;

/* Stores it with a new nonce and verifier, makes state (LP_RANDOM_LEN
   characters and a NUL), adds the browser's cookie to the answer where it has
   none. OK, TOO_MANY, FAILED. */
lp_begun_t lp_sign_in_store(lp_visit_t *visit, lp_sign_in_t *sign_in,
                            char *state);

/* Takes it out: a second one gets LP_BEGUN_UNKNOWN. One of another browser
   stays there for its own. */
lp_begun_t lp_sign_in_take(lp_visit_t *visit, lp_span_t state,
                           lp_sign_in_t *sign_in);

/*
 * The way back, checked: text is a URL of this site (publicUrl and a path) or a
 * path; a click below click_prefix that lp_click_parse() takes, "/", "/code",
 * or "/lti/link/" and what it makes itself. Writes the path; len 0 text: "/".
 * Of a query it writes a click's, or where that is odd or too long, and for
 * "/code", the product that it names alone. dst has LP_RETURN_MAX + 1 bytes.
 * -1: it leads elsewhere.
 */
int lp_return_check(char *dst, const lp_sites_t *sites, lp_span_t text);

#endif
