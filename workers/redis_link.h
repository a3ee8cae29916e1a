/*
 * A synchronous link to Redis for the command: one connection, short timeouts,
 * every reply's type checked.
 */

#ifndef LP_REDIS_LINK_H
#define LP_REDIS_LINK_H

#include <hiredis/hiredis.h>
#include <stdint.h>

#include "command_line.h"
#include "store.h"

#define LP_REDIS_WORD_MAX 24 /* room for the first word of an error */
#define LP_REASON_MAX     512

/* Sets of reply types for lp_redis_ask(). */
#define LP_REPLY(type)   (1u << (type))
#define LP_REPLY_STRING  LP_REPLY(REDIS_REPLY_STRING)
#define LP_REPLY_ARRAY   LP_REPLY(REDIS_REPLY_ARRAY)
#define LP_REPLY_INTEGER LP_REPLY(REDIS_REPLY_INTEGER)
#define LP_REPLY_NIL     LP_REPLY(REDIS_REPLY_NIL)
#define LP_REPLY_STATUS  LP_REPLY(REDIS_REPLY_STATUS)
#define LP_REPLY_ERROR   LP_REPLY(REDIS_REPLY_ERROR)

typedef struct {
    redisContext *context;
    const char   *address;
    char          reason[LP_REASON_MAX]; /* the last sentence that was said */
} lp_redis_t;

/*
 * Connects to --redis (else LEERPOORT_REDIS, else Debian's socket) and
 * authenticates. Returns LP_YES; LP_NO or LP_USAGE after saying why; of LP_NO
 * redis->reason holds it too.
 * lp_redis_close() must follow either way.
 */
int lp_redis_open(lp_redis_t *redis, const lp_args_t *args);

void lp_redis_close(lp_redis_t *redis);

/*
 * Sends one command and returns its reply, of one of types. NULL after saying
 * why, which redis->reason then holds too: the link broke, Redis refused, or
 * answered with another type. freeReplyObject() it.
 */
redisReply *lp_redis_ask(lp_redis_t *redis, lp_words_t words, unsigned types);

/* The same for a status or an integer that nobody looks at. LP_YES, LP_NO. */
int lp_redis_tell(lp_redis_t *redis, lp_words_t words);

/*
 * The first word of an error reply ("NOAUTH") and what it means to an operator.
 * The rest of the text is never shown: it may repeat what was sent.
 */
const char *lp_redis_error_word(char *dst, const redisReply *reply);
const char *lp_redis_error_text(const char *word);

/* A string or status reply's bytes; data NULL for other types. */
lp_span_t lp_redis_text(const redisReply *reply);

#endif
