/*
 * Where messages wait, in Redis. An entry of the journal goes to its party's
 * outbox in one transaction, and leaves it when the party has it, or for the
 * party's dead letters when the party refused it. Only the relay that holds the
 * lock writes here, and the command "leerpoort relay retry".
 *
 *   outbox:<oin>   stream: the journal's fields, and "since", when it came into
 *                  the journal (Unix milliseconds)
 *   dead:<oin>     stream: the same, and "reason". dead:unknown: entries that
 *                  name no party
 *   relay:<oin>    hash, while a receiver is paused: failures, next, reason
 *   relay:parties  set of all OINs that ever had an outbox
 */

#ifndef LP_OUTBOX_H
#define LP_OUTBOX_H

#include "messages.h"
#include "record.h"
#include "relay_lock.h"

#define LP_OUTBOX_KEY_MAX    32
#define LP_OUTBOX_ID_MAX     48 /* room for a stream's id and a NUL */
#define LP_OUTBOX_REASON_MAX 120
#define LP_OUTBOX_PARTIES    "relay:parties"
#define LP_OUTBOX_NOBODY     "unknown" /* in the place of an OIN */

/* Why and until when a receiver is left alone; failures 0: it is not. */
typedef struct {
    int64_t failures; /* one after the other */
    int64_t next;     /* Unix milliseconds of the next attempt */
    char    reason[LP_OUTBOX_REASON_MAX];
} lp_pause_t;

typedef struct {
    lp_relay_lock_t *lock;
    int              grouped; /* the consumer group is there */
    int              pending; /* what was read before and not moved is looked
                                 for first */
} lp_outbox_t;

/* Called for each entry that was moved to a party's outbox. */
typedef void (*lp_outbox_moved_t)(void *owner, lp_span_t oin);

/* 1 where it is an OIN: 20 digits. */
int lp_oin_valid(lp_span_t oin);

/* "<kind>:<oin>": kind "outbox", "dead" or "relay". dst: LP_OUTBOX_KEY_MAX. */
lp_span_t lp_outbox_key(char *dst, const char *kind, lp_span_t oin);

/*
 * Moves up to a thousand entries from the journal to outboxes, all or none;
 * waits up to block_ms for the first (0: not at all). *n becomes their number.
 */
lp_relay_lock_status_t lp_outbox_take(lp_outbox_t *outbox, int block_ms,
                                      lp_outbox_moved_t moved, void *owner,
                                      unsigned *n);

/* Removes messages that their party has, and its pause. */
lp_relay_lock_status_t lp_outbox_done(lp_outbox_t *outbox, lp_span_t oin,
                                      const lp_span_t *ids, unsigned n);

/* Moves a message to the dead letters. */
lp_relay_lock_status_t lp_outbox_bury(lp_outbox_t *outbox, lp_span_t oin,
                                      lp_span_t id, const lp_letter_t *letter,
                                      const char *reason);

/* Writes down that a receiver is to be left alone. */
lp_relay_lock_status_t lp_outbox_pause(lp_outbox_t *outbox, lp_span_t oin,
                                       const lp_pause_t *pause);

/*
 * Up to n messages of an outbox behind the id after ("" : from the start), as
 * XRANGE gives them; NULL where Redis failed.
 */
const redisReply *lp_outbox_read(lp_store_t *store, lp_span_t oin,
                                 const char *after, unsigned n);

/* Reads an HGETALL reply of relay:<oin>; what can't be read is no pause. */
void lp_pause_read(lp_pause_t *pause, const redisReply *reply);

/* Adds the words of a letter's XADD to the stream of that kind; reason NULL:
   none, and an older one is left out. */
void lp_outbox_add_letter(lp_store_t *store, const char *kind, lp_span_t oin,
                          const lp_letter_t *letter, const char *reason);

#endif
