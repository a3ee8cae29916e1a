/*
 * Products, schools and aliases that were seen lately, so that a long import
 * asks Redis once in some seconds for what it names on every line. Only what is
 * there is remembered, never what is missing: an operator who adds a school and
 * sends again is not told that it is still unknown.
 */

#ifndef LP_KNOWN_H
#define LP_KNOWN_H

#include <stdint.h>

#include "record.h"

typedef struct lp_known_s lp_known_t;

/* seconds: how long something is remembered. NULL: out of memory. */
lp_known_t *lp_known_create(int64_t seconds);

/* NULL is none. */
void lp_known_destroy(lp_known_t *known);

/*
 * 1 where the Redis key is remembered at now (Unix time); *value, unless NULL,
 * becomes what was noted with it and lives until the next lp_known_note(). A
 * NULL known remembers nothing.
 */
int lp_known(const lp_known_t *known, lp_span_t key, int64_t now,
             lp_span_t *value);

/* Notes that the key is there. value: at most LP_FIELD_MAX bytes. */
void lp_known_note(lp_known_t *known, lp_span_t key, int64_t now,
                   lp_span_t value);

#endif
