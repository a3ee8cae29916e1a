/*
 * An entry of the stream usage:{NN}, as an edge wrote it: who produced it, its
 * number in that producer's sequence, and a line for each redirect,
 *
 *     <unix> <school or -> <product> <user or -> <entitlement or ->\n
 *
 * Nothing is believed: whoever may write to Redis may write anything.
 */

#ifndef LP_USAGE_ENTRY_H
#define LP_USAGE_ENTRY_H

#include <hiredis/hiredis.h>
#include <stdint.h>

#include "../core/span.h"
#include "usage_keys.h"

#define LP_USAGE_LINES_MAX (1 << 20) /* bytes of an entry's lines */
#define LP_USAGE_OLDEST    1577836800 /* 2020-01-01 00:00 UTC */
#define LP_USAGE_AHEAD     86400      /* seconds that a clock may be ahead */

typedef struct {
    lp_span_t producer; /* LP_PRODUCER_LEN hexadecimal digits */
    uint64_t  sequence;
    lp_span_t lines;
} lp_usage_entry_t;

typedef struct {
    uint32_t  day;         /* YYYYMMDD in Amsterdam */
    char      week[LP_WEEK_LEN + 1];
    lp_span_t school;      /* len 0: none, and so below */
    lp_span_t product;
    lp_span_t user;        /* a user key */
    lp_span_t entitlement; /* 22 characters */
} lp_usage_line_t;

/* Goes through lines; the day of the last line is kept, as most of them share
   it. */
typedef struct {
    lp_span_t rest;
    int64_t   latest; /* times after this are refused */
    int64_t   since, until; /* day holds for these times; until 0: for none */
    uint32_t  day;
    char      week[LP_WEEK_LEN + 1];
} lp_usage_reader_t;

typedef enum {
    LP_USAGE_END = 0,
    LP_USAGE_LINE,
    LP_USAGE_UNREADABLE /* this line; go on with the next one */
} lp_usage_read_t;

/*
 * Reads the fields of an entry (names and values in turn; others than p, n and
 * b are passed over). The spans point into the reply. Returns 0, -1 where it
 * is no entry of an edge.
 */
int lp_usage_entry_read(lp_usage_entry_t *entry, const redisReply *fields);

/* now: Unix time. The reader may be used for one entry after the other. */
void lp_usage_reader_init(lp_usage_reader_t *reader, int64_t now);
void lp_usage_reader_begin(lp_usage_reader_t *reader,
                           const lp_usage_entry_t *entry);

/* *line is set for LP_USAGE_LINE alone. */
lp_usage_read_t lp_usage_line(lp_usage_reader_t *reader,
                              lp_usage_line_t *line);

#endif
