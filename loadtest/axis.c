/*
 * Axes. Their ends are ticks, so that every line of the chart has a number;
 * but for the clock's, which ends where the run does.
 */

#include "axis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define STEPS 5 /* about so many ticks on an axis of counts */

static lp_tick_t *
tick(lp_axis_t *axis, double at)
{
    lp_tick_t *new;

    if (axis->n_ticks == LP_TICKS_MAX) {
        return NULL;
    }

    new = &axis->tick[axis->n_ticks++];
    memset(new, 0, sizeof(*new));
    new->at = at;

    return new;
}

/* 1, 2 or 5 times a power of ten, at least value. */
static double
round_up(double value)
{
    static const double nice[] = {1, 2, 5, 10};
    double              power;
    unsigned            i;

    power = pow(10, floor(log10(value)));
    for (i = 0; i < 3 && nice[i] * power < value * (1 - 1e-9); i++) {
    }

    return nice[i] * power;
}

static double
round_down(double value)
{
    static const double nice[] = {10, 5, 2, 1};
    double              power;
    unsigned            i;

    power = pow(10, floor(log10(value)));
    for (i = 0; i < 3 && nice[i] * power > value * (1 + 1e-9); i++) {
    }

    return nice[i] * power;
}

void
lp_axis_counts(lp_axis_t *axis, double highest)
{
    double     step;
    unsigned   i, n;
    lp_tick_t *new;

    memset(axis, 0, sizeof(*axis));

    if (!isfinite(highest) || highest < 1e-6) {
        highest = 1;
    }

    step = round_up(highest / STEPS);
    n = (unsigned) ceil(highest / step - 1e-9);
    axis->high = n * step;

    for (i = 0; i <= n; i++) {
        new = tick(axis, i * step);
        if (new == NULL) {
            break;
        }
        (void) lp_figure_number(new->label, new->at,
                                step < 0.01 ? 3 : step < 0.1 ? 2
                                : step < 1  ? 1 : 0);
        new->spare = i % 2;
    }
}

/* "1 ms": of whole numbers, as ticks are. */
static void
time_label(char label[LP_FIGURE_MAX], double us)
{
    if (us < 999) {
        (void) snprintf(label, LP_FIGURE_MAX, "%.0f µs", us);
    } else if (us < 999e3) {
        (void) snprintf(label, LP_FIGURE_MAX, "%.0f ms", us / 1e3);
    } else {
        (void) snprintf(label, LP_FIGURE_MAX, "%.0f s", us / 1e6);
    }
}

void
lp_axis_times(lp_axis_t *axis, double low, double high, int never)
{
    double     at, decades;
    lp_tick_t *new;
    int        first;

    memset(axis, 0, sizeof(*axis));
    axis->logarithmic = 1;

    low = isfinite(low) && low >= 1 ? low : 1;
    high = isfinite(high) && high > low ? high : low;

    axis->low = round_down(low);
    axis->high = round_up(high * 1.02);
    if (axis->high < axis->low * 10) {
        axis->high = axis->low * 10;
    }

    decades = log10(axis->high / axis->low);

    at = axis->low;
    while (at < axis->high * 1.01 && axis->n_ticks < LP_TICKS_MAX) {
        first = fabs(log10(at) - round(log10(at))) < 1e-6;

        if (first || decades <= 5) {
            new = tick(axis, at);
            if (first || decades < 2.5) {
                time_label(new->label, at);
            }
            new->spare = !first;
        }
        at = round_up(at * 1.5);
    }

    if (never) {
        axis->high *= pow(axis->high / axis->low, 0.15);
        new = tick(axis, axis->high);
        if (new != NULL) {
            (void) snprintf(new->label, sizeof(new->label), "never");
        }
    }
}

int
lp_axis_hours(const lp_axis_t *axis)
{
    return axis->high >= 3600;
}

void
lp_axis_clock(lp_axis_t *axis, double last)
{
    static const double nice[] = {1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900,
                                  1800, 3600, 7200, 10800, 14400, 21600};
    unsigned            i, n;
    lp_tick_t          *new;

    memset(axis, 0, sizeof(*axis));
    axis->high = isfinite(last) && last >= 1 ? last : 1;

    n = sizeof(nice) / sizeof(nice[0]);
    for (i = 0; i + 1 < n && axis->high / nice[i] > 9; i++) {
    }

    for (n = 0; n * nice[i] <= axis->high; n++) {
        new = tick(axis, n * nice[i]);
        if (new == NULL) {
            break;
        }

        /* 1:30 of minutes or of hours. */
        (void) lp_figure_clock(new->label,
                               lp_axis_hours(axis) ? new->at / 60 : new->at);
        new->spare = n % 2;
    }
}

void
lp_axis_percentiles(lp_axis_t *axis, double values)
{
    static const char *name[] = {"0 %", "50 %", "90 %", "99 %", "99.9 %",
                                 "99.99 %", "99.999 %", "99.9999 %",
                                 "99.99999 %", "99.999999 %"};
    static const double of[] = {1, 2, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
    unsigned            i;
    lp_tick_t          *new;

    memset(axis, 0, sizeof(*axis));
    axis->logarithmic = 1;
    axis->low = 1;
    axis->high = isfinite(values) && values > 100 ? values : 100;

    for (i = 0; i < sizeof(of) / sizeof(of[0]) && of[i] <= axis->high; i++) {
        new = tick(axis, of[i]);
        if (new != NULL) {
            (void) snprintf(new->label, sizeof(new->label), "%s", name[i]);
            new->spare = i == 1 || i == 5 || i == 7 || i == 9;
        }
    }
}

double
lp_axis_place(const lp_axis_t *axis, double value)
{
    if (!(value > axis->low)) {
        return 0;
    }

    if (value >= axis->high) {
        return 1;
    }

    return axis->logarithmic
               ? log(value / axis->low) / log(axis->high / axis->low)
               : (value - axis->low) / (axis->high - axis->low);
}
