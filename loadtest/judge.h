/*
 * The judge: what came back against what this pupil had to get.
 */

#ifndef LP_LOAD_JUDGE_H
#define LP_LOAD_JUDGE_H

#include "answer.h"
#include "score.h"

/*
 * How a click with a whole answer ended. Right means all of it: outcome,
 * status and exact Location. login: what a redirect to the login begins with;
 * "": none is expected of anybody.
 */
lp_end_t lp_judge(const lp_expected_t *expected, const lp_answer_t *answer,
                  const char *login);

#endif
