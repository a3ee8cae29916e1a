/*
 * What a record becomes in Redis, read again: a store whose Redis is a socket
 * of this process, where commands are taken out as soon as they are sent.
 */

#ifndef LP_FUZZ_ECHO_H
#define LP_FUZZ_ECHO_H

#include "../../workers/record.h"

/*
 * Writes the difference of record to before; before->exists 0: all of it.
 * Returns the HSET that was sent, to be freed; NULL: there was none. *others:
 * how many other commands.
 */
redisReply *echo_write(const lp_record_t *record, const lp_record_t *before,
                       unsigned *others);

/* Insists that what is written of the record reads as the same record, and
   that nothing is written where nothing has changed. */
void echo_check(const lp_record_t *record);

#endif
