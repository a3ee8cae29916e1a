/*
 * What the files of the page share (page.c: the report of one run;
 * page_compare.c: two side by side). Nothing else includes it.
 */

#ifndef LP_PAGE_H
#define LP_PAGE_H

#include "chart.h"
#include "html.h"
#include "result.h"
#include "series.h"

#define LP_PAGE_POINTS 600 /* of a chart at most */
#define LP_PAGE_ROWS   200 /* of the table behind it */

/* A run with its seconds. */
typedef struct {
    const lp_result_t *result;
    lp_series_t        points; /* for charts */
    lp_series_t        rows;   /* for the tables behind them */
    int                no_seconds; /* they could not be read */
} lp_page_run_t;

/* Reads the seconds of folder. Returns 0, also where they can't be read; -1:
   out of memory, after lp_say(). */
int lp_page_run_open(lp_page_run_t *run, const lp_result_t *result,
                     const char *folder);
void lp_page_run_close(lp_page_run_t *run);

/* "PASS" */
const char *lp_page_word(lp_pass_t pass);

/* The verdict's shape: a check in a circle, a cross in an octagon, a question
   mark in a triangle. */
void lp_page_shape(FILE *out, lp_pass_t pass);

/* The verdict, large: shape, word and sentence, in an element of ours. */
void lp_page_verdict(FILE *out, const lp_result_t *result, const char *tag);

/* Sections of a report, each with its heading (page_tables.c). */
void lp_page_thresholds(FILE *out, const lp_result_t *result);
void lp_page_latencies(FILE *out, const lp_result_t *result);
void lp_page_outcomes(FILE *out, const lp_result_t *result);
void lp_page_ends(FILE *out, const lp_result_t *result);
void lp_page_marks(FILE *out, const lp_result_t *result);
void lp_page_honesty(FILE *out, const lp_result_t *result);
void lp_page_api(FILE *out, const lp_result_t *result);

/* The charts of a report (page_charts.c, page_percentiles.c). Return 0; -1:
   out of memory, after lp_say(). */
int lp_page_time_charts(FILE *out, const lp_page_run_t *run);
int lp_page_percentiles(FILE *out, const lp_result_t *result);

/* What charts of one run and of two are made from (page_traces.c). */

/* A value of each point; NAN where there is none. */
typedef double (*lp_page_value_t)(const lp_point_t *point);

double lp_page_asked(const lp_point_t *point);
double lp_page_sent(const lp_point_t *point);
double lp_page_not_right(const lp_point_t *point);
double lp_page_p50(const lp_point_t *point);
double lp_page_p90(const lp_point_t *point);
double lp_page_p99(const lp_point_t *point);
double lp_page_max(const lp_point_t *point);

/* The points' times, and their values; n of each. NULL: out of memory, after
   lp_say(). */
double *lp_page_times(const lp_series_t *series);
double *lp_page_values(const lp_series_t *series, lp_page_value_t value);

/* The highest finite value there is, and its place; 0 where there is none. */
double lp_page_highest(const lp_series_t *series, lp_page_value_t value,
                       size_t *at);
double lp_page_lowest(const lp_series_t *series, lp_page_value_t value);

/* Whether one is INFINITY; the place of the first. */
int lp_page_never(const lp_series_t *series, lp_page_value_t value,
                  size_t *at);

/* The percentile curve of a histogram, of all of its clicks: n points
   (LP_PAGE_CURVE of room) of 1 / (1 - share) and us. Returns n. */
#define LP_PAGE_CURVE 400
size_t lp_page_curve(const lp_histogram_t *histogram, uint64_t all, double *x,
                     double *y);

/* What an axis of time is called. */
const char *lp_page_along(const lp_axis_t *clock);

/* How an end reads, "wrong redirect"; and what it means. */
const char *lp_page_end_name(lp_end_t end);
const char *lp_page_end_words(lp_end_t end);

/* How a threshold reads, and a value of it with its unit. */
const char *lp_page_check_name(const char *name);
const char *lp_page_check_value(char dst[LP_FIGURE_MAX], const char *name,
                                double value);

#endif
