/*
 * The ids of a school beside its master identifier: Edu-V's
 * organisationIdTypes.
 */

#ifndef LP_SCHOOL_TYPE_H
#define LP_SCHOOL_TYPE_H

#include "../core/span.h"

/* 1 where type is one (OIE_CODE ...); it then points into static text. */
int lp_school_type(lp_span_t *type);

/* 1 where id may be one: 1 to LP_SCHOOL_ID_MAX bytes, none of them a control
   character. */
int lp_school_id_valid(lp_span_t id);

#endif
