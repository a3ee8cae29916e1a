/*
 * Whose request it is, in the terms of licences.h.
 */

#ifndef LP_CLICK_BY_H
#define LP_CLICK_BY_H

#include "licences.h"

/*
 * Fills *by from what the edge said of the request, today's date, and the
 * school, by its alias where only that is known; school: room for LP_FIELD_MAX,
 * as long as *by is used. LP_STORE_OK, or why the school isn't known.
 */
lp_store_status_t lp_click_by(lp_service_t *service,
                              const lp_request_t *request, char *school,
                              lp_click_by_t *by);

#endif
