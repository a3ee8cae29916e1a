/*
 * Numbers as words of a command.
 */

#ifndef LP_NUMBER_H
#define LP_NUMBER_H

#include <stdint.h>

#include "../core/span.h"

#define LP_NUMBER_MAX 20 /* digits of 2^64 - 1 */

typedef struct {
    char bytes[LP_NUMBER_MAX];
} lp_number_t;

/* n in decimal; the text lives in number. */
static inline lp_span_t
lp_number(lp_number_t *number, uint64_t n)
{
    size_t i = LP_NUMBER_MAX;

    do {
        number->bytes[--i] = (char) ('0' + n % 10);
        n /= 10;
    } while (n > 0);

    return (lp_span_t) {number->bytes + i, LP_NUMBER_MAX - i};
}

#endif
