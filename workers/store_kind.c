/*
 * A table of the commands on whose answers decisions rest.
 */

#include "store_kind.h"

typedef struct {
    const char *command;
    lp_kind_t   kind;
} row_t;

static const row_t rows[] = {
    {"HGETALL", LP_KIND_ARRAY},  {"HMGET", LP_KIND_ARRAY},
    {"LRANGE", LP_KIND_ARRAY},   {"SMEMBERS", LP_KIND_ARRAY},
    {"XRANGE", LP_KIND_ARRAY},   {"XREADGROUP", LP_KIND_ARRAY},
    {"HGET", LP_KIND_TEXT},      {"GET", LP_KIND_TEXT},
    {"EXISTS", LP_KIND_NUMBER},  {"INCR", LP_KIND_NUMBER},
    {"HEXISTS", LP_KIND_NUMBER}, {"TTL", LP_KIND_NUMBER},
};

lp_kind_t
lp_kind_of(lp_span_t command)
{
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (lp_span_equal(command, lp_span_of(rows[i].command))) {
            return rows[i].kind;
        }
    }

    return LP_KIND_ANY;
}

int
lp_kind_fits(lp_kind_t kind, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        return 1;
    }

    switch (kind) {
    case LP_KIND_QUEUED:
        return reply->type == REDIS_REPLY_STATUS;
    case LP_KIND_TEXT:
        return reply->type == REDIS_REPLY_STRING
               || reply->type == REDIS_REPLY_NIL;
    case LP_KIND_NUMBER:
        return reply->type == REDIS_REPLY_INTEGER;
    case LP_KIND_ARRAY:
        return reply->type == REDIS_REPLY_ARRAY
               || reply->type == REDIS_REPLY_NIL;
    default:
        return 1;
    }
}
