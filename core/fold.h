/*
 * Text as people search and sort it: without case and accents.
 */

#ifndef LP_FOLD_H
#define LP_FOLD_H

#include "span.h"

#define LP_FOLDED_MAX 512 /* bytes of a folded text, with its NUL */

/*
 * Writes text, UTF-8, into dst (LP_FOLDED_MAX bytes), NUL-terminated: letters
 * of Latin-1 and Latin Extended-A as the letters of a-z that they look like
 * (U+00C6 as "ae", U+0133 as "ij"), combining accents not at all, the curved
 * apostrophes that telephones type as "'", other characters and what is no
 * UTF-8 as they are, blanks and control bytes as blanks. What does not fit is
 * left out. Returns the length.
 */
size_t lp_fold(char *dst, lp_span_t text);

#endif
