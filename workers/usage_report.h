/*
 * The weekly report: clicks and readers per school and product, and which of
 * these figures must not be told because too few people are behind them.
 */

#ifndef LP_USAGE_REPORT_H
#define LP_USAGE_REPORT_H

#include <jansson.h>
#include <stdint.h>

#include "names.h"

#define LP_HIDE_FLOOR 5  /* no report tells of fewer readers */
#define LP_HIDE_USUAL 10
#define LP_HIDE_MAX   1000
#define LP_HIDE_GROUP 3  /* cells that hide behind one total, at least */

typedef struct {
    uint32_t school, product; /* numbers of their names */
    uint64_t clicks;
    uint64_t readers;
    int      hidden;
} lp_report_cell_t;

typedef struct {
    uint64_t clicks;
    int      hidden;
} lp_report_total_t;

typedef struct {
    lp_names_t         schools, products;
    lp_report_cell_t  *cells; /* those of a school together */
    uint32_t           n_cells, room;
    lp_report_total_t *school_totals; /* by number; after lp_report_hide() */
    lp_report_total_t *product_totals;
    lp_report_total_t  total;
} lp_report_t;

/* All zero is an empty report. */
void lp_report_free(lp_report_t *report);

/* A cell, once; clicks > 0. Cells of a school follow each other. Returns 0, -1
   where memory ran out. */
int lp_report_add(lp_report_t *report, lp_span_t school, lp_span_t product,
                  uint64_t clicks, uint64_t readers);

/* Adds up totals and decides what is hidden. Returns 0, -1: out of memory. */
int lp_report_hide(lp_report_t *report, unsigned hide);

/*
 * For a week that is not over: figures are rounded down to multiples of hide,
 * cells with fewer readers and all totals are hidden. Somebody who asks every
 * day learns little from the differences. After lp_report_hide().
 */
void lp_report_coarsen(lp_report_t *report, unsigned hide);

/* {"clicks", "products": [{"product", "clicks"}...]}, sorted; a figure that is
   hidden is null. NULL: out of memory. */
json_t *lp_report_totals_json(const lp_report_t *report);

/* {"school", "clicks", "products": [{"product", "clicks", "readers"}...]} of
   the cells from *at on that are of one school; *at becomes the next one's. */
json_t *lp_report_school_json(const lp_report_t *report, uint32_t *at);

/*
 * Writes a field of CSV (RFC 4180). A text that a spreadsheet would take for a
 * formula gets an apostrophe before it. dst has room for 2 * len + 4 bytes;
 * returns the length.
 */
size_t lp_csv_field(char *dst, lp_span_t text);

#endif
