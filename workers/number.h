/*
 * Numbers as words of a command, and read back from a reply.
 */

#ifndef LP_NUMBER_H
#define LP_NUMBER_H

#include <stdint.h>

#include "../core/span.h"

#define LP_NUMBER_MAX  20 /* digits of 2^64 - 1 */
#define LP_NUMBER_READ 18 /* digits that never overflow an int64_t */

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

/* Only digits, at most LP_NUMBER_READ of them; -1: something else. */
static inline int64_t
lp_number_read(lp_span_t text)
{
    int64_t n = 0;
    size_t  i;

    if (text.len == 0 || text.len > LP_NUMBER_READ) {
        return -1;
    }

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return -1;
        }

        n = n * 10 + (text.data[i] - '0');
    }

    return n;
}

#endif
