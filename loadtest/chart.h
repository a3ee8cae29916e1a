/*
 * Charts, as SVG inside the page. Lines and areas are drawn in a square of
 * 1000 by 1000 that the browser stretches to whatever room there is; texts
 * are placed by shares of that room and are never stretched, so that a phone
 * shows the same chart with letters of the same size.
 */

#ifndef LP_CHART_H
#define LP_CHART_H

#include <stddef.h>
#include <stdio.h>

#include "axis.h"

#define LP_TRACES_MAX 16
#define LP_PINS_MAX   48

/* Each a colour and a style of line (page_style.c), told apart by both. */
typedef enum {
    LP_LOOK_TARGET = 0,
    LP_LOOK_REACHED,
    LP_LOOK_P50,
    LP_LOOK_P90,
    LP_LOOK_P99,
    LP_LOOK_MAX,
    LP_LOOK_RANGE, /* between two lines */
    LP_LOOK_A,     /* of two runs */
    LP_LOOK_B,
    LP_LOOK_END    /* of areas: LP_LOOK_END + lp_end_t */
} lp_look_t;

typedef struct {
    const char   *name; /* of the legend; NULL: not in it */
    lp_look_t     look;
    const double *x;
    const double *y;    /* NAN: nothing there; INFINITY: at the top */
    const double *base; /* an area from here up to y; NULL: a line */
    size_t        n;
} lp_trace_t;

/* A vertical line with a number, which a table explains. */
typedef struct {
    double   x;
    unsigned number;
} lp_pin_t;

typedef struct {
    const char *id;    /* ours, unique on the page */
    const char *title;
    const char *words; /* what it shows, in numbers, for who can't see it */
    const char *unit;  /* of y */
    const char *along; /* of x */
    lp_axis_t   x, y;
    lp_trace_t  trace[LP_TRACES_MAX];
    unsigned    n_traces;
    int         last_first; /* the legend begins with what was drawn last */
    lp_pin_t    pin[LP_PINS_MAX];
    unsigned    n_pins;
    double      limit; /* a horizontal line; 0: none */
    const char *limit_name;
} lp_chart_t;

/* Add a trace (its fields in order) or a pin; more than there is room for are
   left out. */
void lp_chart_trace(lp_chart_t *chart, const char *name, lp_look_t look,
                    const double *x, const double *y, const double *base,
                    size_t n);
void lp_chart_pin(lp_chart_t *chart, double x, unsigned number);

/* Writes legend and drawing. */
void lp_chart_draw(FILE *out, const lp_chart_t *chart);

/* The "d" of a path: M and L with one digit behind the point, from the left
   top; a new M behind a gap. */
void lp_chart_line(FILE *out, const lp_chart_t *chart,
                   const lp_trace_t *trace);

#endif
