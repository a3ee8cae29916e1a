/*
 * Support codes: ten characters, "K7QM2-4XW9T", that a pupil can read out over
 * the telephone. A code holds what went wrong, why, and in which minute;
 * nothing about the person, nothing that has to be looked up elsewhere. Four
 * lines of the same minute are told apart by random bits, so that the code also
 * finds its line in the log.
 */

#ifndef LP_SUPPORT_CODE_H
#define LP_SUPPORT_CODE_H

#include <stdint.h>

#include "problem.h"
#include "span.h"

#define LP_SUPPORT_CODE_LEN 11 /* with the hyphen */

typedef struct {
    lp_problem_t problem;
    unsigned     reason; /* an lp_jose_error_t where a token was looked at,
                            an lp_lti_fault_t of a launch; 0: none */
    int64_t      at;     /* Unix time; cut to the minute when read */
    unsigned     salt;   /* random; the lowest bits count */
} lp_support_code_t;

/* Writes LP_SUPPORT_CODE_LEN characters of 0-9 A-Z without I, L, O, U; no NUL.
 */
void lp_support_code_write(char *dst, const lp_support_code_t *code);

/* Either case; with or without hyphens and blanks; O as 0, I and L as 1.
   Returns 0; -1: no code of ours, or a character is wrong. */
int lp_support_code_read(lp_support_code_t *code, lp_span_t text);

#endif
