/*
 * The names of the keys in which usage is counted and reported
 * (docs/data-model.md). All of a school lies in the school's shard.
 */

#ifndef LP_USAGE_KEYS_H
#define LP_USAGE_KEYS_H

#include <stdint.h>

#include "../core/span.h"

#define LP_WEEK_LEN      8   /* "2026-W36" */
#define LP_PRODUCER_LEN  16  /* characters of a producer's name */
#define LP_USAGE_KEY_MAX 160 /* bytes of the longest key below: readers:, 154 */

/* The field of school:{NN}:<school> that says whether a dashboard may see. */
#define LP_CONSENT_DASHBOARD "consent:usage.dashboard"

/* What of a producer's sequence one key of seen: covers. */
#define LP_SEEN_BITS 65536

/*
 * Each writes a key of at most LP_USAGE_KEY_MAX bytes, without a NUL, and
 * returns its length. Schools and products are valid ones (core/keys.h), a week
 * is LP_WEEK_LEN characters.
 *   seen:{NN}:<producer>:<part>           NN as told
 *   week:{NN}:<school>:<week>             NN of the school, as are the next
 *   readers:{NN}:<school>:<week>:<product>
 *   tally:{NN}                            NN as told
 *   weeks:{NN}:<week>                     NN as told: the schools of a shard
 *   school:{NN}:<school>
 *   report:{NN}:<week>, report:{NN}:<week>:<day>   NN of the week
 */
size_t lp_key_seen(char *dst, unsigned shard, lp_span_t producer,
                   uint64_t part);
size_t lp_key_turn(char *dst, unsigned shard);
size_t lp_key_week(char *dst, unsigned shard, lp_span_t school,
                   const char *week);
size_t lp_key_readers(char *dst, unsigned shard, lp_span_t school,
                      const char *week, lp_span_t product);
size_t lp_key_weeks(char *dst, unsigned shard, const char *week);
size_t lp_key_known_school(char *dst, lp_span_t school);

/* day: of a preliminary report, YYYYMMDD; 0: of the final one. */
size_t lp_key_report(char *dst, const char *week, uint32_t day);

#endif
