/*
 * Results for tests: a run as it would be if everything went well, by figures
 * that a test then breaks.
 */

#ifndef LP_REHEARSAL_RESULT_H
#define LP_REHEARSAL_RESULT_H

#include "../../loadtest/result.h"

/* A run of 10 s at 100/s in which all 1,000 clicks were right after 1 ms to
   10 ms. Never NULL; to be freed. */
lp_result_t *good_result(void);

/* One of its seconds. */
void good_second(lp_second_t *second, int64_t number);

#endif
