/*
 * The sentences of the pages, a table for each language. A problem without a
 * page of its own (title NULL) has none.
 */

#ifndef LP_PROBLEM_TEXTS_H
#define LP_PROBLEM_TEXTS_H

#include "problem.h"

extern const lp_problem_text_t lp_problem_dutch[LP_PROBLEMS];
extern const lp_problem_text_t lp_problem_english[LP_PROBLEMS];

#endif
