/*
 * What goes back to the platform when a teacher has picked: the
 * LtiDeepLinkingResponse of LTI Deep Linking 2.0, section 4.5.
 */

#ifndef LP_LTI_RESPONSE_H
#define LP_LTI_RESPONSE_H

#include "lti_pick.h"

#define LP_RESPONSE_LIFE 600 /* seconds: the page with it is open for a while */

/*
 * One content item: a link of this site to a product, or to a part of it (path,
 * len 0: the whole). A new reference; NULL: no memory, or a title that is not
 * UTF-8.
 */
json_t *lp_lti_item(const lp_sites_t *sites, lp_span_t title,
                    lp_span_t product, lp_span_t path);

/*
 * The signed response with these items, a JSON array that it takes over, which
 * may be empty; NUL-terminated, to be freed. message: what the platform may
 * show to the teacher; NULL: nothing. now: Unix time. NULL: no key of the ring
 * signs, or memory or OpenSSL failed.
 */
char *lp_lti_response(lp_key_ring_t *ring, const lp_platform_t *platform,
                      const lp_pick_t *pick, json_t *items,
                      const char *message, int64_t now);

#endif
