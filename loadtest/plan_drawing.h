/*
 * A plan's curve as characters, 72 columns wide.
 */

#ifndef LP_PLAN_DRAWING_H
#define LP_PLAN_DRAWING_H

#include <stdio.h>

#include "plan.h"

/* Whether the terminal's locale writes UTF-8: dots of braille then. */
int lp_drawing_braille(void);

/* The curve with its axes, and marks where faults are. */
void lp_plan_draw(const lp_plan_t *plan, FILE *out, int braille);

#endif
