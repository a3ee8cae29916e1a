/*
 * The school of a person whose token has another id of it than the master
 * identifier, and who comes from a place where the edge asks Redis nothing.
 */

#ifndef LP_SCHOOL_ALIAS_H
#define LP_SCHOOL_ALIAS_H

#include "service.h"

/*
 * The school of the request: as the edge named it, or by its alias. dst has
 * room for LP_FIELD_MAX bytes. An alias that is unknown, or leads to no
 * school's id, is no school: school->len 0. LP_STORE_OK, or why it isn't known.
 */
lp_store_status_t lp_request_school(lp_service_t *service,
                                    const lp_request_t *request, char *dst,
                                    lp_span_t *school);

#endif
