/*
 * The shards of one run, added up: as if one machine had done all of it.
 */

#ifndef LP_MERGE_H
#define LP_MERGE_H

#include "../workers/command_line.h"
#include "result.h"

#define LP_RUNS_MAX (LP_OPERANDS_MAX - 1)

/*
 * Reads the runs, checks that they are parts of one, and makes folder with the
 * sum: result, seconds, what clients were told. What is not right with the
 * whole (a part that is missing, one that was invalid by itself) becomes the
 * result's trouble. Returns 0; -1 after lp_say().
 */
int lp_merge(lp_result_t *result, const char *folder, const char *const *runs,
             unsigned n);

#endif
