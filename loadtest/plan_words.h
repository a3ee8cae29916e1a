/*
 * What a plan asks for, in sentences: of the plan, and of who runs it.
 */

#ifndef LP_PLAN_WORDS_H
#define LP_PLAN_WORDS_H

#include <stdio.h>

#include "plan.h"

void lp_plan_explain(const lp_plan_t *plan, FILE *out);

#endif
