/*
 * The plans that are shipped, one by one.
 */

#ifndef LP_PLAN_FOLDER_H
#define LP_PLAN_FOLDER_H

#include "../core/span.h"
#include "plan.h"

/*
 * Gives the path and the name of each to take, in order of names, until it
 * returns something else than 0. Returns what it returned; -1 after lp_say()
 * where there are none.
 */
int lp_plan_each(int (*take)(void *owner, const char *path, lp_span_t name),
                 void *owner);

#endif
