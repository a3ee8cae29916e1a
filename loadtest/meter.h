/*
 * How far a long command is: a bar that is drawn over on a terminal, a line now
 * and then elsewhere. On standard error.
 */

#ifndef LP_METER_H
#define LP_METER_H

#include <stdint.h>

typedef struct {
    const char *what; /* "rights" */
    uint64_t    before;
    uint64_t    all;  /* 0: not known */
    int         terminal;
    int         drawn;
    int64_t     started; /* monotonic ms */
    int64_t     next;    /* not to draw before */
} lp_meter_t;

/* before: what was done already, of all. */
void lp_meter_begin(lp_meter_t *meter, const char *what, uint64_t before,
                    uint64_t all);

/* Cheap enough to be called often. */
void lp_meter_show(lp_meter_t *meter, uint64_t done);

/* Clears the bar; seconds that it took. */
double lp_meter_end(lp_meter_t *meter);

#endif
