/*
 * Numbers with a point, as people write them.
 */

#ifndef LP_DECIMAL_H
#define LP_DECIMAL_H

#include <stddef.h>

#define LP_DECIMAL_MAX 12 /* characters */

/* Digits and at most one point between them: no sign, no exponent, nothing of
   a locale. 0, -1. */
static inline int
lp_decimal_read(double *number, const char *text, size_t len)
{
    size_t i;
    double value = 0, unit = 1;
    int    point = 0;

    if (len == 0 || len > LP_DECIMAL_MAX || text[0] == '.'
        || text[len - 1] == '.') {
        return -1;
    }
    for (i = 0; i < len; i++) {
        if (text[i] == '.' && !point) {
            point = 1;
            continue;
        }
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        value = value * 10 + (text[i] - '0');
        unit *= point ? 10 : 1;
    }
    *number = value / unit;
    return 0;
}

#endif
