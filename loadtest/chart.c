/*
 * Drawing charts. See chart.h for how they fit every screen.
 *
 * Paths hold numbers alone; every text is written by html.h.
 */

#include "chart.h"

#include <math.h>
#include <string.h>

#include "html.h"

#define SIDE     1000 /* of the square that is stretched */
#define PIN_ROWS 3    /* of numbers above each other where pins are near */
#define PIN_HEIGHT 20 /* of a row, as in page_style.c */
#define PIN_NEAR 0.07 /* of the width: as far as two numbers need on a phone */

static const char *const looks[] = {
    [LP_LOOK_TARGET] = "target",   [LP_LOOK_REACHED] = "reached",
    [LP_LOOK_P50] = "p50",         [LP_LOOK_P90] = "p90",
    [LP_LOOK_P99] = "p99",         [LP_LOOK_MAX] = "max",
    [LP_LOOK_RANGE] = "range",     [LP_LOOK_A] = "a",
    [LP_LOOK_B] = "b",
};

/* The class of a look: "p99", "e3". */
static void
write_look(FILE *out, lp_look_t look)
{
    if (look >= LP_LOOK_END) {
        (void) fprintf(out, "e%d", (int) look - LP_LOOK_END);
    } else {
        (void) fputs(looks[look], out);
    }
}

void
lp_chart_trace(lp_chart_t *chart, const char *name, lp_look_t look,
               const double *x, const double *y, const double *base, size_t n)
{
    lp_trace_t new = {name, look, x, y, base, n};

    if (chart->n_traces < LP_TRACES_MAX) {
        chart->trace[chart->n_traces++] = new;
    }
}

void
lp_chart_pin(lp_chart_t *chart, double x, unsigned number)
{
    if (chart->n_pins < LP_PINS_MAX) {
        chart->pin[chart->n_pins].x = x;
        chart->pin[chart->n_pins++].number = number;
    }
}

static void
point(FILE *out, const lp_chart_t *chart, char letter, double x, double y)
{
    (void) fprintf(out, "%c%.1f %.1f", letter,
                   SIDE * lp_axis_place(&chart->x, x),
                   SIDE * (1 - lp_axis_place(&chart->y, y)));
}

/* An area of no height, here and beside it: its border would hide that of the
   area below. */
static int
flat(const lp_trace_t *trace, size_t i)
{
    size_t first, last;

    first = i > 0 ? i - 1 : i;
    last = i + 1 < trace->n ? i + 1 : i;

    for (i = first; i <= last; i++) {
        if (trace->y[i] > trace->base[i]) {
            return 0;
        }
    }

    return 1;
}

static int
there(const lp_trace_t *trace, size_t i)
{
    if (isnan(trace->y[i])) {
        return 0;
    }

    return trace->base == NULL
           || (!isnan(trace->base[i]) && !flat(trace, i));
}

void
lp_chart_line(FILE *out, const lp_chart_t *chart, const lp_trace_t *trace)
{
    size_t i;
    int    begun;

    begun = 0;
    for (i = 0; i < trace->n; i++) {
        if (!there(trace, i)) {
            begun = 0;
            continue;
        }

        point(out, chart, begun ? 'L' : 'M', trace->x[i], trace->y[i]);
        if (!begun && (i + 1 == trace->n || !there(trace, i + 1))) {
            (void) fputs("h0", out); /* one alone: a dot */
        }
        begun = 1;
    }
}

/* Forth over the tops and back over the bases, for each part without gap. */
static void
write_area(FILE *out, const lp_chart_t *chart, const lp_trace_t *trace)
{
    size_t first, end, i;

    for (first = 0; first < trace->n; first = end + 1) {
        end = first;
        while (end < trace->n && there(trace, end)) {
            point(out, chart, end == first ? 'M' : 'L', trace->x[end],
                  trace->y[end]);
            end++;
        }

        for (i = end; i > first; i--) {
            point(out, chart, 'L', trace->x[i - 1], trace->base[i - 1]);
        }
        if (end > first) {
            (void) fputc('Z', out);
        }
    }
}

static void
write_traces(FILE *out, const lp_chart_t *chart)
{
    unsigned          i;
    const lp_trace_t *trace;

    (void) fprintf(out,
                   "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" "
                   "width=\"100%%\" height=\"100%%\">\n",
                   SIDE, SIDE);

    for (i = 0; i < chart->n_traces; i++) {
        trace = &chart->trace[i];
        (void) fprintf(out, "<path class=\"%s ",
                       trace->base != NULL ? "area" : "line");
        write_look(out, trace->look);
        (void) fputs("\" d=\"", out);

        if (trace->base != NULL) {
            write_area(out, chart, trace);
        } else {
            lp_chart_line(out, chart, trace);
        }
        (void) fputs("\"/>\n", out);
    }

    (void) fputs("</svg>\n", out);
}

static void
write_grid(FILE *out, const lp_chart_t *chart)
{
    const lp_tick_t *tick;
    unsigned         i;
    double           y;

    (void) fputs("<g class=\"grid\">\n", out);

    for (i = 0; i < chart->y.n_ticks; i++) {
        tick = &chart->y.tick[i];
        y = 100 * (1 - lp_axis_place(&chart->y, tick->at));
        (void) fprintf(out,
                       "<line%s x1=\"0\" x2=\"100%%\" y1=\"%.2f%%\" "
                       "y2=\"%.2f%%\"/>\n",
                       tick->label[0] == '\0' ? " class=\"fine\"" : "", y, y);
        if (tick->label[0] != '\0') {
            (void) fprintf(out,
                           "<text class=\"y%s\" x=\"0\" dx=\"-8\" "
                           "y=\"%.2f%%\" dy=\"4\">",
                           tick->spare ? " spare" : "", y);
            lp_html_text(out, tick->label);
            (void) fputs("</text>\n", out);
        }
    }

    (void) fputs("</g>\n", out);
}

/* Its text would stand out of the screen of a phone. */
static int
wide(const lp_tick_t *tick, double x)
{
    return x > 94 && strlen(tick->label) > 6;
}

static void
write_along(FILE *out, const lp_chart_t *chart)
{
    const lp_tick_t *tick;
    unsigned         i;
    double           x;

    (void) fputs("<g class=\"along\">\n", out);

    for (i = 0; i < chart->x.n_ticks; i++) {
        tick = &chart->x.tick[i];
        x = 100 * lp_axis_place(&chart->x, tick->at);
        (void) fprintf(out,
                       "<line x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" "
                       "y2=\"100%%\"/>\n<text class=\"x%s%s\" x=\"%.2f%%\" "
                       "y=\"100%%\" dy=\"18\">",
                       x, x, tick->spare ? " spare" : "",
                       wide(tick, x) ? " end" : "", wide(tick, x) ? 100 : x);
        lp_html_text(out, tick->label);
        (void) fputs("</text>\n", out);
    }

    (void) fputs("</g>\n", out);
}

static void
write_limit(FILE *out, const lp_chart_t *chart)
{
    double y;

    if (chart->limit <= 0 || chart->limit > chart->y.high) {
        return;
    }

    y = 100 * (1 - lp_axis_place(&chart->y, chart->limit));
    (void) fprintf(out,
                   "<line class=\"limit\" x1=\"0\" x2=\"100%%\" "
                   "y1=\"%.2f%%\" y2=\"%.2f%%\"/>\n<text class=\"limit\" "
                   "x=\"100%%\" dx=\"-4\" y=\"%.2f%%\" dy=\"%d\">",
                   y, y, y, y < 12 ? 14 : -5);
    lp_html_text(out, chart->limit_name);
    (void) fputs("</text>\n", out);
}

/* The row of each pin's number, so that near ones stand above each other.
   Returns how many rows there are. */
static unsigned
pin_rows(const lp_chart_t *chart, unsigned row[LP_PINS_MAX])
{
    double   last[PIN_ROWS], x;
    unsigned i, r, rows;

    for (r = 0; r < PIN_ROWS; r++) {
        last[r] = -1;
    }

    rows = 0;
    for (i = 0; i < chart->n_pins; i++) {
        x = lp_axis_place(&chart->x, chart->pin[i].x);
        for (r = 0; r + 1 < PIN_ROWS && last[r] >= 0
                    && fabs(x - last[r]) < PIN_NEAR; r++)
        {
        }
        row[i] = r;
        last[r] = x;
        rows = r + 1 > rows ? r + 1 : rows;
    }

    return rows;
}

/* All lines first: none goes through the number of another. */
static void
write_pins(FILE *out, const lp_chart_t *chart, const unsigned *row)
{
    unsigned i;
    double   x;
    int      y;

    if (chart->n_pins == 0) {
        return;
    }

    (void) fputs("<g class=\"pins\">\n", out);

    for (i = 0; i < chart->n_pins; i++) {
        x = 100 * lp_axis_place(&chart->x, chart->pin[i].x);
        (void) fprintf(out,
                       "<line x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"%d\" "
                       "y2=\"100%%\"/>\n",
                       x, x, -2 - PIN_HEIGHT * (int) row[i]);
    }

    for (i = 0; i < chart->n_pins; i++) {
        x = 100 * lp_axis_place(&chart->x, chart->pin[i].x);
        y = -11 - PIN_HEIGHT * (int) row[i];
        (void) fprintf(out,
                       "<circle cx=\"%.2f%%\" cy=\"%d\" r=\"9\"/>\n"
                       "<text x=\"%.2f%%\" y=\"%d\">%u</text>\n",
                       x, y, x, y + 4, chart->pin[i].number);
    }

    (void) fputs("</g>\n", out);
}

/* A list, each entry with a piece of its line. */
static void
write_legend(FILE *out, const lp_chart_t *chart)
{
    unsigned          i;
    const lp_trace_t *trace;

    (void) fputs("<ul class=\"legend\">\n", out);

    for (i = 0; i < chart->n_traces; i++) {
        trace = &chart->trace[chart->last_first ? chart->n_traces - 1 - i : i];
        if (trace->name == NULL) {
            continue;
        }

        (void) fputs("<li><svg aria-hidden=\"true\" width=\"34\" "
                     "height=\"12\"><path class=\"",
                     out);
        (void) fputs(trace->base != NULL ? "area " : "line ", out);
        write_look(out, trace->look);
        (void) fputs(trace->base != NULL ? "\" d=\"M1 1H33V11H1Z\"/></svg>"
                                         : "\" d=\"M1 6H33\"/></svg>",
                     out);
        lp_html_text(out, trace->name);
        (void) fputs("</li>\n", out);
    }

    (void) fputs("</ul>\n", out);
}

void
lp_chart_draw(FILE *out, const lp_chart_t *chart)
{
    unsigned row[LP_PINS_MAX], rows;

    write_legend(out, chart);
    lp_html_element(out, "p", "unit", "%s", chart->unit);

    rows = pin_rows(chart, row);
    (void) fprintf(out,
                   "\n<div class=\"plot pins%u\">\n<svg role=\"img\" "
                   "aria-labelledby=\"%s-title %s-words\" width=\"100%%\" "
                   "height=\"100%%\" overflow=\"visible\">\n"
                   "<title id=\"%s-title\">",
                   rows, chart->id, chart->id, chart->id);
    lp_html_text(out, chart->title);
    (void) fprintf(out, "</title>\n<desc id=\"%s-words\">", chart->id);
    lp_html_text(out, chart->words);
    (void) fputs("</desc>\n", out);

    write_grid(out, chart);
    write_along(out, chart);
    write_traces(out, chart);
    write_limit(out, chart);
    write_pins(out, chart, row);

    (void) fputs("</svg>\n</div>\n", out);
    lp_html_element(out, "p", "unit along", "%s", chart->along);
    (void) fputc('\n', out);
}
