/*
 * The charts of one run over time: clicks asked and sent, latencies, and how
 * clicks ended. Behind each are its numbers, as a table that opens without a
 * script.
 */

#include "page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../workers/say.h"

#define COLUMNS_MAX (LP_ENDS + 2)

/* What a chart over time begins with: its axis, and faults as pins. */
static void
begin_chart(lp_chart_t *chart, const lp_page_run_t *run, const char *id)
{
    const lp_result_t *result;
    unsigned           i;

    memset(chart, 0, sizeof(*chart));
    chart->id = id;
    lp_axis_clock(&chart->x, (double) run->points.n * run->points.width);
    chart->along = lp_page_along(&chart->x);

    result = run->result;
    for (i = 0; i < result->n_marks
                && i < sizeof(result->marks) / sizeof(result->marks[0]); i++)
    {
        lp_chart_pin(chart, result->marks[i].at, i + 1);
    }
}

static void
open_figure(FILE *out, const char *title)
{
    lp_html_element(out, "h3", NULL, "%s", title);
    (void) fputs("\n<figure>\n", out);
}

static void
close_figure(FILE *out, const lp_page_run_t *run, const char *caption)
{
    (void) fputs("<figcaption>", out);
    lp_html_text(out, caption);
    if (run->points.width > 1) {
        lp_html_textf(out, " Each point puts %u s together.",
                      run->points.width);
    }
    (void) fputs("</figcaption>\n</figure>\n", out);
}

/* --- the tables behind charts --- */

typedef struct {
    const char     *head;
    lp_page_value_t value;
    int             is_time;
    int             end; /* where value is NULL: clicks that ended so */
} lp_column_t;

static void
write_cell(FILE *out, const lp_point_t *point, const lp_column_t *column)
{
    char   figure[LP_FIGURE_MAX];
    double value;

    if (point->seconds == 0) {
        (void) fputs("<td class=\"n\">-</td>", out);
        return;
    }

    if (column->value == NULL) {
        (void) fprintf(out, "<td class=\"n\">%s</td>",
                       lp_figure_count(figure,
                                       point->counts.ended[column->end]));
        return;
    }

    value = column->value(point);
    (void) fprintf(out, "<td class=\"n\">%s</td>",
                   column->is_time ? lp_figure_time(figure, value)
                                   : lp_figure_number(figure, value,
                                                      value < 100));
}

static void
write_rows(FILE *out, const lp_page_run_t *run, const lp_column_t *columns,
           size_t n)
{
    const lp_series_t *rows;
    char               figure[LP_FIGURE_MAX];
    size_t             i, c;

    rows = &run->rows;
    for (i = 0; i < rows->n; i++) {
        (void) fprintf(out, "<tr><th scope=\"row\">%s</th>",
                       lp_figure_clock(figure, (double) i * rows->width));
        for (c = 0; c < n; c++) {
            write_cell(out, &rows->point[i], &columns[c]);
        }
        (void) fputs("</tr>\n", out);
    }
}

static void
write_details(FILE *out, const lp_page_run_t *run, const char *caption,
              const lp_column_t *columns, size_t n)
{
    size_t i;

    (void) fputs("<details>\n<summary>The numbers of this chart</summary>\n"
                 "<div class=\"wide\" role=\"region\" tabindex=\"0\" "
                 "aria-label=\"",
                 out);
    lp_html_text(out, caption);
    (void) fputs("\">\n<table>\n<caption>", out);
    lp_html_textf(out, "%s; each row is of %u s", caption, run->rows.width);
    (void) fputs("</caption>\n<thead><tr><th scope=\"col\">From</th>", out);

    for (i = 0; i < n; i++) {
        (void) fputs("<th scope=\"col\" class=\"n\">", out);
        lp_html_text(out, columns[i].head);
        (void) fputs("</th>", out);
    }

    (void) fputs("</tr></thead>\n<tbody>\n", out);
    write_rows(out, run, columns, n);
    (void) fputs("</tbody>\n</table>\n</div>\n</details>\n", out);
}

/* --- the rate --- */

static void
rate_words(char words[512], const lp_page_run_t *run)
{
    char               asked[LP_FIGURE_MAX], sent[LP_FIGURE_MAX];
    char               asked_at[LP_FIGURE_MAX], sent_at[LP_FIGURE_MAX];
    double             most_asked, most_sent;
    size_t             i;
    const lp_series_t *points;

    points = &run->points;
    most_asked = lp_page_highest(points, lp_page_asked, &i);
    (void) lp_figure_clock(asked_at, (double) i * points->width);
    most_sent = lp_page_highest(points, lp_page_sent, &i);
    (void) lp_figure_clock(sent_at, (double) i * points->width);

    (void) snprintf(words, 512,
                    "The plan asked for up to %s clicks a second, at %s. Up "
                    "to %s a second were sent, at %s.",
                    lp_figure_number(asked, most_asked, 0), asked_at,
                    lp_figure_number(sent, most_sent, 0), sent_at);
}

static int
rate_chart(FILE *out, const lp_page_run_t *run, lp_chart_t *chart)
{
    static const lp_column_t columns[] = {
        {"Asked, clicks a second", lp_page_asked, 0, 0},
        {"Sent, clicks a second", lp_page_sent, 0, 0}};
    const lp_series_t *points;
    double            *x, *asked, *sent;
    char               words[512];
    size_t             at;

    points = &run->points;
    x = lp_page_times(points);
    asked = lp_page_values(points, lp_page_asked);
    sent = lp_page_values(points, lp_page_sent);

    if (x != NULL && asked != NULL && sent != NULL) {
        begin_chart(chart, run, "rate");
        rate_words(words, run);
        chart->title = "Clicks a second over time, asked and sent";
        chart->words = words;
        chart->unit = "clicks a second";
        lp_axis_counts(&chart->y,
                       fmax(lp_page_highest(points, lp_page_asked, &at),
                            lp_page_highest(points, lp_page_sent, &at)));
        lp_chart_trace(chart, "sent", LP_LOOK_REACHED, x, sent, NULL,
                       points->n);
        lp_chart_trace(chart, "asked by the plan", LP_LOOK_TARGET, x, asked,
                       NULL, points->n);

        open_figure(out, "Clicks a second");
        lp_chart_draw(out, chart);
        close_figure(out, run,
                     "What the plan asked for, and what was sent. A click "
                     "counts in the second for which it was scheduled.");
        write_details(out, run, "Clicks a second", columns, 2);
    }

    free(x);
    free(asked);
    free(sent);

    return x != NULL && asked != NULL && sent != NULL ? 0 : -1;
}

/* --- latencies --- */

static double
lowest_p99(const lp_point_t *point)
{
    return point->p99_lowest;
}

static double
highest_p99(const lp_point_t *point)
{
    return point->p99_highest;
}

/* "912 ms, at 1:02": the worst of a value. */
static const char *
worst(char dst[2 * LP_FIGURE_MAX + 8], const lp_series_t *points,
      lp_page_value_t value)
{
    char   us[LP_FIGURE_MAX], clock[LP_FIGURE_MAX];
    double high;
    size_t at;

    high = lp_page_never(points, value, &at)
               ? INFINITY
               : lp_page_highest(points, value, &at);
    (void) snprintf(dst, 2 * LP_FIGURE_MAX + 8, "%s, at %s",
                    lp_figure_time(us, high),
                    lp_figure_clock(clock, (double) at * points->width));

    return dst;
}

static void
latency_words(char words[512], const lp_page_run_t *run)
{
    char p50[2 * LP_FIGURE_MAX + 8], p99[2 * LP_FIGURE_MAX + 8];
    char max[2 * LP_FIGURE_MAX + 8];

    (void) snprintf(words, 512,
                    "From the scheduled moment. The median (p50) at its "
                    "worst: %s. The time for 99 %% of the clicks (p99) at its "
                    "worst: %s. The slowest answer: %s.",
                    worst(p50, &run->points, lp_page_p50),
                    worst(p99, &run->points, highest_p99),
                    worst(max, &run->points, lp_page_max));
}

enum { TIMES, LOWEST, HIGHEST, P50, P90, P99, MAX, ARRAYS };

static void
draw_latencies(FILE *out, const lp_page_run_t *run, lp_chart_t *chart,
               double *const array[ARRAYS])
{
    static const lp_column_t columns[] = {
        {"p50", lp_page_p50, 1, 0},
        {"p90", lp_page_p90, 1, 0},
        {"p99", lp_page_p99, 1, 0},
        {"slowest answer", lp_page_max, 1, 0}};
    const double *x;
    char          words[512], limit[LP_FIGURE_MAX + 32];
    char          figure[LP_FIGURE_MAX];
    size_t        n, at;
    int           never;

    n = run->points.n;
    x = array[TIMES];
    never = lp_page_never(&run->points, highest_p99, &at);
    begin_chart(chart, run, "latency");
    latency_words(words, run);
    chart->title = "Latencies over time, from the scheduled moment";
    chart->words = words;
    chart->unit = "from schedule, logarithmic";
    lp_axis_times(&chart->y, lp_page_lowest(&run->points, lp_page_p50),
                  lp_page_highest(&run->points, lp_page_max, &at), never);

    if (run->result->plan.thresholds.p99_ms > 0) {
        chart->limit = 1000 * run->result->plan.thresholds.p99_ms;
        (void) snprintf(limit, sizeof(limit), "p99 allowed: %s",
                        lp_page_check_value(
                            figure, "p99_ms",
                            run->result->plan.thresholds.p99_ms));
        chart->limit_name = limit;
    }

    if (run->points.width > 1) {
        lp_chart_trace(chart, "p99 of single seconds", LP_LOOK_RANGE, x,
                       array[HIGHEST], array[LOWEST], n);
    }
    lp_chart_trace(chart, "slowest answer", LP_LOOK_MAX, x, array[MAX], NULL,
                   n);
    lp_chart_trace(chart, "p99", LP_LOOK_P99, x, array[P99], NULL, n);
    lp_chart_trace(chart, "p90", LP_LOOK_P90, x, array[P90], NULL, n);
    lp_chart_trace(chart, "p50", LP_LOOK_P50, x, array[P50], NULL, n);

    open_figure(out, "How long clicks took");
    lp_chart_draw(out, chart);
    close_figure(out, run,
                 never ? "From the scheduled moment: what a pupil waits, also "
                         "while the server did not answer. p99: 99 of 100 "
                         "clicks were answered within it; never: more than 1 "
                         "of 100 got no answer at all."
                       : "From the scheduled moment: what a pupil waits, also "
                         "while the server did not answer. p99: 99 of 100 "
                         "clicks were answered within it.");
    write_details(out, run, "Latencies from the scheduled moment", columns,
                  4);
}

static int
latency_chart(FILE *out, const lp_page_run_t *run, lp_chart_t *chart)
{
    static const lp_page_value_t of[ARRAYS] = {
        [LOWEST] = lowest_p99, [HIGHEST] = highest_p99, [P50] = lp_page_p50,
        [P90] = lp_page_p90,   [P99] = lp_page_p99,     [MAX] = lp_page_max};
    double *array[ARRAYS];
    int     i, rc;

    rc = 0;
    for (i = 0; i < ARRAYS; i++) {
        array[i] = i == TIMES ? lp_page_times(&run->points)
                              : lp_page_values(&run->points, of[i]);
        if (array[i] == NULL) {
            rc = -1;
        }
    }

    if (rc == 0) {
        draw_latencies(out, run, chart, array);
    }

    for (i = 0; i < ARRAYS; i++) {
        free(array[i]);
    }

    return rc;
}

/* --- ends --- */

/* Adds areas of the ends that there were, on top of each other, beginning with
   first. top: LP_ENDS + 1 arrays one behind the other, the lowest 0. Returns
   the highest sum. */
static double
stack(lp_chart_t *chart, const lp_page_run_t *run, const double *x,
      double *top, lp_end_t first)
{
    const lp_point_t *point;
    double            highest;
    size_t            i, n;
    unsigned          end, layer;

    n = run->points.n;
    highest = 0;
    layer = 0;

    for (i = 0; i < n; i++) {
        top[i] = run->points.point[i].seconds > 0 ? 0 : NAN;
    }

    for (end = first; end < LP_ENDS; end++) {
        if (run->result->counts.ended[end] == 0) {
            continue;
        }

        layer++;
        for (i = 0; i < n; i++) {
            point = &run->points.point[i];
            top[layer * n + i] = top[(layer - 1) * n + i];
            if (point->seconds > 0) {
                top[layer * n + i] +=
                    (double) point->counts.ended[end] / point->seconds;
                highest = fmax(highest, top[layer * n + i]);
            }
        }
        lp_chart_trace(chart, lp_page_end_name((lp_end_t) end),
                       (lp_look_t) (LP_LOOK_END + end), x, top + layer * n,
                       top + (layer - 1) * n, n);
    }

    return highest;
}

static void
end_words(char words[1024], const lp_result_t *result)
{
    char     count[LP_FIGURE_MAX], share[LP_FIGURE_MAX];
    unsigned end;
    size_t   len;

    len = (size_t) snprintf(words, 1024, "Of %s clicks that were due:",
                            lp_figure_count(count, result->counts.scheduled));

    for (end = 0; end < LP_ENDS && len < 1024; end++) {
        if (result->counts.ended[end] > 0) {
            len += (size_t) snprintf(
                words + len, 1024 - len, " %s %s (%s);",
                lp_figure_count(count, result->counts.ended[end]),
                lp_page_end_name((lp_end_t) end),
                lp_figure_share(share, (double) result->counts.ended[end],
                                (double) result->counts.scheduled));
        }
    }
}

static void
write_end_details(FILE *out, const lp_page_run_t *run)
{
    lp_column_t columns[COLUMNS_MAX];
    size_t      n;
    int         end;

    n = 0;
    for (end = 0; end < LP_ENDS; end++) {
        if (run->result->counts.ended[end] > 0 || end == LP_END_RIGHT) {
            memset(&columns[n], 0, sizeof(columns[n]));
            columns[n].head = lp_page_end_name((lp_end_t) end);
            columns[n++].end = end;
        }
    }

    write_details(out, run, "How clicks ended over time", columns, n);
}

/* All clicks; and where not all were right a second chart of the others, which
   the first shows as a hair. */
static int
end_charts(FILE *out, const lp_page_run_t *run, lp_chart_t *chart)
{
    double *x, *top;
    char    words[1024];
    int     whole;

    x = lp_page_times(&run->points);
    top = calloc((LP_ENDS + 1) * run->points.n + 1, sizeof(double));
    if (x == NULL || top == NULL) {
        free(x);
        free(top);
        lp_say("out of memory");
        return -1;
    }

    end_words(words, run->result);

    for (whole = 1; whole >= 0; whole--) {
        begin_chart(chart, run, whole ? "ends" : "wrong");
        chart->unit = "clicks a second";
        chart->words = words;
        chart->title = whole ? "How clicks ended, over time"
                             : "Clicks that did not end right, over time";
        lp_axis_counts(&chart->y,
                       stack(chart, run, x, top,
                             whole ? LP_END_RIGHT : LP_END_RIGHT + 1));
        if (chart->n_traces == 0) {
            break;
        }

        open_figure(out, whole ? "How clicks ended, over time"
                               : "Of these, the clicks that did not end right");
        lp_chart_draw(out, chart);
        close_figure(out, run,
                     whole ? "All clicks that were due, one on top of the "
                             "other by how they ended."
                           : "The same without those that ended right, on a "
                             "scale of their own.");
        if (whole) {
            write_end_details(out, run);
        }
    }

    free(x);
    free(top);

    return 0;
}

int
lp_page_time_charts(FILE *out, const lp_page_run_t *run)
{
    lp_chart_t *chart;
    int         rc;

    chart = malloc(sizeof(*chart));
    if (chart == NULL) {
        lp_say("out of memory");
        return -1;
    }

    rc = rate_chart(out, run, chart) == -1
                 || latency_chart(out, run, chart) == -1
                 || end_charts(out, run, chart) == -1
             ? -1
             : 0;
    free(chart);

    return rc;
}
