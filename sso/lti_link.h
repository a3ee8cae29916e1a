/*
 * Account links: a person at a platform who has no id that Leerpoort knows, and
 * the account at the school that this person signed in with, once, to link the
 * two (docs/lti.md). link:{NN}:<hash>, <hash> the user key of "LTI" and
 * "<issuer>|<sub>".
 */

#ifndef LP_LTI_LINK_H
#define LP_LTI_LINK_H

#include "sso.h"
#include "tokens_before.h"

#define LP_LINK_LIFE 34560000 /* seconds without use: 400 days */

/*
 * Whose account is linked to this subject. 1: *who is set; 0: nobody's, or what
 * is there can't be read; -1: the store failed. A link that is used is kept for
 * another LP_LINK_LIFE.
 */
int lp_link_find(lp_sso_t *sso, const lp_platform_t *platform,
                 lp_span_t subject, lp_who_t *who);

/*
 * 1 where an account is one of the school that a launch comes from: no school
 * is every school's. An alias is resolved; where that can't be done it does not
 * fit.
 */
int lp_link_fits(lp_sso_t *sso, const lp_who_t *who,
                 const lp_who_id_t *school);

/*
 * Links the account, in place of one that was linked before. owner: who's, by
 * lp_owner_of(). OK, or the store's failure.
 */
lp_store_status_t lp_link_store(lp_sso_t *sso, const lp_platform_t *platform,
                                lp_span_t subject, const lp_who_t *who,
                                const lp_owner_t *owner);

#endif
