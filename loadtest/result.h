/*
 * The result of a run: a folder with run.json (totals, plan, verdict),
 * seconds.csv (for people and spreadsheets), seconds.ndjson (the same with
 * histograms: what merging adds up), latency.hgrm, report.html, told.bin. No
 * token and no id of a person is in any of them, told.bin included: bits.
 */

#ifndef LP_RESULT_H
#define LP_RESULT_H

#include <stdio.h>

#include "plan.h"
#include "score.h"

#define LP_RESULT_VERSION 1

typedef enum {
    LP_PASS = 0,
    LP_FAIL = 1,
    LP_INVALID = 3 /* exit codes */
} lp_pass_t;

/* One threshold and what became of it. */
typedef struct {
    const char *name; /* "p99_ms" */
    double      limit;
    double      value; /* INFINITY: never */
    int         broken;
} lp_check_t;

#define LP_CHECKS_MAX 16

typedef struct {
    lp_pass_t  pass;
    char       sentence[512]; /* the first thing that a reader sees */
    lp_check_t checks[LP_CHECKS_MAX];
    unsigned   n_checks;
} lp_conclusion_t;

typedef struct {
    double at;      /* seconds since the beginning, as it happened */
    char   name[LP_PLAN_NAME_MAX];
    int    status;  /* the hook's exit code; -1: it could not run; -2: still
                       running at the end */
} lp_fault_mark_t;

/* The sellers' traffic beside the clicks. */
typedef struct {
    uint64_t  requests, errors, lines; /* lines: of bulks, accepted */
    uint64_t  missed;
    lp_fine_t latency; /* from the scheduled moment */
} lp_api_score_t;

typedef struct {
    /* what ran */
    lp_plan_t plan;
    uint64_t  population_seed;
    uint32_t  pupils, products;
    unsigned  shard, shards; /* 0, 1: the whole */
    unsigned  engines;
    double    scale;         /* --scale; 1 */
    char      target[300];   /* scheme, host and port */
    char      started[32];   /* 2026-08-20T06:15:00Z */
    double    seconds;       /* that it took */
    double    clock_step;    /* of the wall clock meanwhile, seconds */
    char      machine[160];  /* "2 cores, Linux 6.1.0, 24 GiB" */
    int       interrupted;   /* ended before the plan */
    int       stopped_early; /* by a hopeless threshold */
    double    cpu;           /* busiest engine's share of a core, mean */
    double    factor;        /* last factor by + and - */
    double    lowest;        /* the lowest one; 1: never below the plan */
    char      trouble[256];  /* why results are lacking; "" none */

    /* totals */
    lp_counts_t    counts;
    lp_fine_t      schedule, service, activation, connect, slip;
    uint64_t       missed_by_tool, most_open, first_uses;
    lp_api_score_t api;
    lp_fault_mark_t marks[LP_FAULTS_MAX + 8];
    unsigned       n_marks;

    lp_conclusion_t conclusion;
} lp_result_t; /* about 1 MB: allocate it */

/* Empties it; must come before anything else. */
void lp_result_reset(lp_result_t *result);

/* Adds an engine's totals. */
void lp_result_take(lp_result_t *result, const lp_score_t *score);

/*
 * The time in ms, from schedule, within which the share (0 to 1) of all clicks
 * that ended was answered. A click that was missed, refused or reset is slower
 * than any limit: INFINITY where so many were; one that was given up counts
 * with the time for which it was waited. Of the run, and of a second.
 */
double lp_result_quantile_ms(const lp_result_t *result, double share);
double lp_second_quantile_ms(const lp_second_t *second, double share);

/* The same of any histogram, and how many there were in all. */
double lp_quantile_of_all_ms(const lp_histogram_t *histogram, uint64_t all,
                             double share);

/* Judges by the plan's thresholds and the tool's own lateness; fills
   conclusion (verdict.c). */
void lp_result_conclude(lp_result_t *result);

/* "p99 from schedule is 71 ms, allowed are 50" as soon as the end can't be
   better: for --stop-early. Returns 1 and the sentence, or 0. */
int lp_result_hopeless(const lp_result_t *result, char *sentence, size_t size);

#define LP_RUN_JSON_MAX (16 << 20) /* bytes; six full histograms take 3 MB */

/* run.json. Writing goes to a new file that then takes its place. Both return
   0; -1 after lp_say(). Reading trusts nothing. path: the folder, or the
   file. */
int lp_result_write(const lp_result_t *result, const char *folder);
int lp_result_read(lp_result_t *result, const char *path);

/* For a terminal: the sentence, then figures; nothing but printable text. */
void lp_result_print(const lp_result_t *result, FILE *out);

/* seconds.csv and seconds.ndjson, a second at a time. */
typedef struct {
    FILE *csv;
    FILE *ndjson;
} lp_seconds_t;

int lp_seconds_create(lp_seconds_t *seconds, const char *folder);
/* target: clicks expected in it. */
int lp_seconds_put(lp_seconds_t *seconds, const lp_second_t *second,
                   double target);
/* 0 where all of it is on disk. */
int lp_seconds_close(lp_seconds_t *seconds);

/* Reads seconds.ndjson back, one after another: 1; 0 at its end; -1 after
   lp_say(). Numbers rise. The reader is NULL after lp_say(). */
typedef struct lp_seconds_reader_s lp_seconds_reader_t;
lp_seconds_reader_t *lp_seconds_open(const char *folder);
int lp_seconds_next(lp_seconds_reader_t *reader, lp_second_t *second,
                    double *target);
void lp_seconds_end(lp_seconds_reader_t *reader);

/* All of them: calls take for each; -1 after lp_say(). */
typedef int (*lp_second_take_t)(void *owner, const lp_second_t *second,
                                double target);
int lp_seconds_read(const char *folder, lp_second_take_t take, void *owner);

/* One of its lines, newline included; file and number are for messages. */
int lp_second_parse(const char *file, unsigned long number, const char *line,
                    lp_second_t *second, double *target);

/* latency.hgrm. */
int lp_result_hgrm(const lp_result_t *result, const char *folder);

/* report.html (page.c), from run.json's content and seconds.ndjson. */
int lp_page_write(const lp_result_t *result, const char *folder);

/* compare.html of two, and the table that compare prints. */
int lp_page_compare(const lp_result_t *a, const lp_result_t *b,
                    const char *folder_a, const char *folder_b,
                    const char *file);

#endif
