/*
 * An entry's id begins with the millisecond in which Redis took it, so that the
 * first of a stream says how long somebody has not read.
 */

#include "backlog.h"

#include <stdlib.h>

#include "../core/keys.h"
#include "say.h"

static int
read_one(lp_redis_t *redis, lp_span_t key, lp_backlog_t *backlog)
{
    redisReply *reply;
    lp_span_t   id;
    int64_t     at;

    reply = lp_redis_ask(redis, LP_WORDS(lp_span("XLEN"), key),
                         LP_REPLY_INTEGER);
    if (reply == NULL) {
        return LP_NO;
    }
    backlog->entries += (uint64_t) reply->integer;
    at = reply->integer;
    freeReplyObject(reply);
    if (at == 0) {
        return LP_YES;
    }
    reply = lp_redis_ask(redis,
                         LP_WORDS(lp_span("XRANGE"), key, lp_span("-"),
                                  lp_span("+"), lp_span("COUNT"),
                                  lp_span("1")),
                         LP_REPLY_ARRAY);
    if (reply == NULL) {
        return LP_NO;
    }
    if (reply->elements == 1 && reply->element[0]->type == REDIS_REPLY_ARRAY
        && reply->element[0]->elements > 0) {
        id = lp_redis_text(reply->element[0]->element[0]);
        at = id.data == NULL ? 0 : strtoll(id.data, NULL, 10);
        if (at > 0 && (backlog->oldest_ms == 0 || at < backlog->oldest_ms)) {
            backlog->oldest_ms = at;
        }
    }
    freeReplyObject(reply);
    return LP_YES;
}

int
lp_backlog_read(lp_redis_t *redis, size_t (*name)(char *, unsigned),
                lp_backlog_t *backlog)
{
    char      key[LP_KEY_MAX];
    lp_span_t text = {key, 0};
    unsigned  shard;

    memset(backlog, 0, sizeof(*backlog));
    for (shard = 0; shard < LP_SHARDS; shard++) {
        text.len = name(key, shard);
        if (read_one(redis, text, backlog) != LP_YES) {
            return LP_NO;
        }
    }
    return LP_YES;
}
