/*
 * Guessing at activation codes is slowed down per user and per school, never
 * per address: a school is one address. Tries are counted before the code is
 * looked at, so that many at once gain nothing; a right one is taken off again.
 *
 *   tries:{NN}:<user>           tries of a person; expires
 *   tries:{NN}:school:<school>  tries of all of a school; expires
 *   ...:level                   how often that ran into its limit; expires
 */

#ifndef LP_CODE_TRIES_H
#define LP_CODE_TRIES_H

#include <stdint.h>

#include "store.h"

#define LP_TRIES_USER     10  /* in a window */
#define LP_TRIES_SCHOOL   100
#define LP_TRIES_WINDOW   900 /* seconds; the first wait as well */
#define LP_TRIES_LONGEST  86400 /* a person's longest wait */
#define LP_TRIES_LONGEST_SCHOOL 3600 /* pupils must not lock a school out */
#define LP_TRIES_MEMORY   86400 /* so long a level is remembered */

/* Keys, at most LP_KEY_MAX bytes, no NUL; they return the length. */
size_t lp_key_tries(char *dst, lp_span_t user);
size_t lp_key_tries_school(char *dst, lp_span_t school);

/* The wait when a limit is reached for the level-th time: doubled each time. */
int64_t lp_tries_wait(unsigned level, int64_t longest);

/*
 * Counts a try. Returns 0: it may be made; seconds to wait; -1: Redis failed.
 * school.len 0: none.
 */
int64_t lp_tries_count(lp_store_t *store, lp_span_t user, lp_span_t school);

/* Adds the commands that take a try off again. */
void lp_tries_forgive(lp_store_t *store, lp_span_t user, lp_span_t school);

#endif
