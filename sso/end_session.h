/*
 * OpenID Connect RP-Initiated Logout 1.0: who signs out here is sent to the
 * provider, to sign out there too.
 */

#ifndef LP_END_SESSION_H
#define LP_END_SESSION_H

#include "../core/text.h"
#include "sso.h"

/* Where a provider comes back to, below publicUrl. To be registered there. */
#define LP_SIGNED_OUT "/sso/logout?done"

/* As configured, else as discovered; len 0: the provider has none. Good until
   the loop's next turn. */
lp_span_t lp_end_session_endpoint(lp_sso_t *sso,
                                  const lp_provider_t *provider);

/* Writes the URL. hint: the id_token; len 0: none. */
void lp_end_session_url(lp_text_t *out, lp_span_t endpoint,
                        const lp_sites_t *sites,
                        const lp_provider_t *provider, lp_span_t hint);

#endif
