/*
 * The provider that somebody chose in this browser, and got in by: who comes
 * again is not asked again.
 *
 * It is kept when they have arrived, not when they choose. Whoever picked the
 * wrong school would be sent to its door for half a year, even by the browser's
 * back button. And it is forgotten when that door stays shut, or leads to
 * somebody who is nobody here: others may use this computer.
 */

#ifndef LP_LAST_PROVIDER_H
#define LP_LAST_PROVIDER_H

#include "sso.h"

/* NULL: none, or none that is still there. */
const lp_provider_t *lp_last_provider(const lp_visit_t *visit,
                                      const lp_sites_t *sites);

/* Both add a cookie to the answer; to forget another one than was kept adds
   none. */
void lp_last_provider_keep(lp_visit_t *visit, const lp_provider_t *provider);
void lp_last_provider_forget(lp_visit_t *visit, lp_span_t name);

#endif
