/*
 * A teacher who picks: a Deep Linking request (LTI Deep Linking 2.0) that was
 * checked, kept while its page is open, with nothing about the teacher. The
 * launch stores it under a secret that only the page holds, sealed; the page
 * may be sent as often as its owner searches; the answer to the platform takes
 * it out, so that it is given once.
 */

#ifndef LP_LTI_PICK_H
#define LP_LTI_PICK_H

#include "secret.h"
#include "sso.h"

typedef struct {
    lp_span_t platform;   /* its name in lti.json: it may be gone by now */
    lp_span_t deployment; /* deployment_id, for the answer */
    lp_span_t return_url; /* https, or http to loopback; where the answer is
                             posted */
    lp_span_t data;       /* goes back as it came; data NULL: none came, none
                             goes */
    lp_span_t locale;     /* launch_presentation.locale; len 0: none */
    int       multiple;   /* more than one item may be picked */
    void     *memory;     /* what the spans lie in; NULL: the caller's */
} lp_pick_t;

/*
 * Keeps pick for an hour; secret: room for LP_RANDOM_LEN + 1. OK, or the
 * store's failure (LP_STORE_REFUSED too where it can't be sealed, and where no
 * key would sign the answer: better now than when all has been picked).
 */
lp_store_status_t lp_pick_store(lp_sso_t *sso, const lp_pick_t *pick,
                                char *secret);

/*
 * Reads it; take: takes it out, so that a second one finds nothing. 1: *pick is
 * set, lp_pick_close() must follow; 0: unknown, old, used; -1: the store
 * failed.
 */
int lp_pick_load(lp_sso_t *sso, lp_span_t secret, int take, lp_pick_t *pick);

void lp_pick_close(lp_pick_t *pick);

/*
 * The first page, in answer to the launch: what can be picked, in forms that
 * are posted to /lti/pick with the secret in them. The platform is still that
 * of the list in force: it says who may frame the page. Answers the visit.
 */
void lp_pick_page(lp_visit_t *visit, const lp_platform_t *platform,
                  const lp_pick_t *pick, lp_span_t secret);

#endif
