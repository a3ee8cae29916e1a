/*
 * Numbers with a point, as people write them.
 */

#ifndef LP_DECIMAL_H
#define LP_DECIMAL_H

#include <stddef.h>

#include "../workers/command_line.h"

/* Digits and at most one point between them: no sign, no exponent, nothing of
   a locale. 0, -1. */
int lp_decimal_read(double *number, const char *text, size_t len);

/* An option's, named so: a number above 0. Where it is not given, *number is
   left as it is. LP_YES, LP_USAGE. */
int lp_decimal_option(const lp_args_t *args, unsigned option, const char *name,
                      double *number);

#endif
