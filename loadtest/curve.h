/*
 * One stage of a curve, in closed form: what curve.c adds up, and what
 * segments.c takes apart.
 */

#ifndef LP_CURVE_H
#define LP_CURVE_H

#include "plan.h"

/* Clicks a second at t since the stage began, within the stage. */
double lp_stage_rate(const lp_stage_t *stage, double t);

/* Clicks from the stage's beginning until t, 0 to stage->seconds. */
double lp_stage_clicks(const lp_stage_t *stage, double t);

/* The integral of the normal curve of height 1 from a to b. */
double lp_bell_area(double at, double sigma, double a, double b);

#endif
