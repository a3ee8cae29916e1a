/*
 * The members of run.json and of the lines of seconds.ndjson, as tables: what
 * writes them, what reads them and the page about them (docs/results.md) agree
 * about names, types and bounds.
 */

#ifndef LP_RESULT_MEMBERS_H
#define LP_RESULT_MEMBERS_H

#include <stddef.h>

#include <jansson.h>

#include "result.h"

/* Sums of 64 of them are far from overflowing. */
#define LP_COUNT_MAX 1000000000000000

typedef enum {
    LP_VALUE_COUNT = 0, /* uint64_t, at most LP_COUNT_MAX */
    LP_VALUE_SEED,      /* uint64_t, at most INT64_MAX */
    LP_VALUE_U32,
    LP_VALUE_UNSIGNED,
    LP_VALUE_FLAG,      /* int, 0 or 1: false or true */
    LP_VALUE_WHOLE,     /* int, from -2 to 255 */
    LP_VALUE_REAL,
    LP_VALUE_TEXT
} lp_value_t;

/* A row; one without a name ends a table. */
typedef struct {
    const char *name;
    lp_value_t  kind;
    size_t      offset; /* in the struct that the table is of */
    size_t      size;   /* of a text's room */
} lp_result_row_t;

/* A table with a name of its own in run.json: "run", "population". */
typedef struct {
    const char            *name;
    const lp_result_row_t *rows;
} lp_result_group_t;

/* One of the result's histograms. */
typedef struct {
    const char *name; /* "schedule" */
    size_t      offset;
} lp_result_times_t;

extern const lp_result_group_t lp_result_groups[]; /* of lp_result_t */
extern const lp_result_times_t lp_result_times[];
extern const lp_result_row_t   lp_mark_rows[];
extern const lp_result_row_t   lp_api_rows[];

/* What is being read, for messages: a file, and in it a line or 0. */
typedef struct {
    const char   *file;
    unsigned long line;
} lp_result_source_t;

/* Says "run.json: counts.sent: why". group NULL: of none. Returns -1. */
int lp_result_refuse(const lp_result_source_t *source, const char *group,
                     const char *name, const char *why);

/* Puts the members of a table into object. Returns 0; -1: out of memory. */
int lp_rows_put(json_t *object, const lp_result_row_t *rows, const void *of);

/* Reads them; all must be there. group: of messages. Returns 0; -1 after
   lp_say(). */
int lp_rows_take(const lp_result_source_t *source, const char *group,
                 const json_t *object, const lp_result_row_t *rows, void *of);

/* Counters as run.json and seconds.ndjson have them. NULL: out of memory. */
json_t *lp_counts_json(const lp_counts_t *counts);
int lp_counts_take(const lp_result_source_t *source, const json_t *object,
                   lp_counts_t *counts);

/* The text form of a histogram as a JSON string. NULL: out of memory. */
json_t *lp_histogram_json(const lp_histogram_t *histogram);

/* The whole of run.json. NULL: out of memory. */
json_t *lp_result_json(const lp_result_t *result);

/* What `report --json` and others for machines print: the same without
   histograms and plan. NULL: out of memory. */
json_t *lp_result_summary(const lp_result_t *result);

/* Reads the whole of run.json into a result. Returns 0; -1 after lp_say(). */
int lp_result_take_json(const lp_result_source_t *source, const json_t *object,
                        lp_result_t *result);

/* The names that checks may have; ends with NULL. */
extern const char *const lp_check_names[];

#endif
