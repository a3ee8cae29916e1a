/*
 * How many licences an open right may give, and has given, for operators.
 */

#ifndef LP_OPEN_RIGHT_H
#define LP_OPEN_RIGHT_H

#include "redis_link.h"
#include "record.h"

/*
 * Sets --quantity in the record of a school's open right, which is made where
 * there is none. Returns LP_YES; LP_NO or LP_USAGE after saying why.
 */
int lp_open_right_limit(const lp_args_t *args, const lp_right_t *right,
                        lp_span_t product);

/*
 * Reads both numbers; 0 and 0 where there is no record. Returns LP_YES, or
 * LP_NO after saying why.
 */
int lp_open_right_counts(lp_redis_t *redis, lp_span_t school,
                         const lp_right_t *right, uint64_t *used,
                         uint64_t *quantity);

#endif
