/*
 * leerpoort right show|set|drop|revoke: what one person, or a whole school, may
 * use. A change is obeyed by every edge at once: Redis tells them that the
 * key changed.
 *
 * set changes what is given and keeps the rest. Between reading and writing an
 * activation may happen, and a licence must not be turned back into an
 * entitlement by that: the key is WATCHed and the change tried again.
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../core/day.h"
#include "../core/entitlement.h"
#include "../core/keys.h"
#include "../core/right.h"
#include "chain.h"
#include "commands.h"
#include "holder.h"
#include "open_right.h"
#include "redis_link.h"
#include "right_rows.h"
#include "say.h"

#define ATTEMPTS   5  /* of a change that others were quicker than */
#define DIGITS_MAX 24

typedef struct {
    lp_redis_t redis;
    char       name[LP_KEY_MAX];
    lp_span_t  key;
} hash_t;

/* Who is asked first: a bad id must not need Redis to be found out. */
static int
open_hash(hash_t *hash, const lp_args_t *args)
{
    int rc;

    hash->redis.context = NULL;
    hash->key.data = hash->name;
    rc = lp_holder_key(hash->name, &hash->key.len, args);
    return rc == LP_YES ? lp_redis_open(&hash->redis, args) : rc;
}

/* show */

/* What open rights have given. */
static int
count_rows(lp_redis_t *redis, lp_span_t school, lp_right_row_t *rows,
           size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (rows[i].readable
            && lp_open_right_counts(redis, school, &rows[i].right,
                                    &rows[i].used, &rows[i].quantity)
                   != LP_YES) {
            return LP_NO;
        }
        rows[i].counted = rows[i].readable;
    }
    return LP_YES;
}

static int
show_rows(const lp_args_t *args, const redisReply *reply, lp_redis_t *redis)
{
    lp_right_row_t *rows;
    lp_span_t       revoked = {NULL, 0};
    int             open = args->value[LP_OPT_OPEN] != NULL;
    size_t          n;

    rows = calloc(reply->elements / 2 + 1, sizeof(lp_right_row_t));
    if (rows == NULL) {
        lp_say("out of memory");
        return LP_NO;
    }
    n = lp_right_rows_read(reply, args, rows, &revoked);
    if (open
        && count_rows(redis, lp_span_of(args->value[LP_OPT_SCHOOL]), rows, n)
               != LP_YES) {
        free(rows);
        return LP_NO;
    }
    if (args->value[LP_OPT_JSON] != NULL) {
        lp_right_rows_json(rows, n, revoked);
    } else {
        lp_right_rows_print(rows, n, revoked, open);
    }
    free(rows);
    if (n == 0) {
        lp_say("there are no such rights");
    }
    return n == 0 ? LP_NO : LP_YES;
}

int
lp_command_right_show(const lp_args_t *args)
{
    redisReply *reply;
    hash_t      hash;
    int         rc;

    rc = open_hash(&hash, args);
    if (rc == LP_YES) {
        rc = LP_NO;
        reply = lp_redis_ask(&hash.redis,
                             LP_WORDS(lp_span("HGETALL"), hash.key),
                             LP_REPLY_ARRAY);
        if (reply != NULL) {
            rc = show_rows(args, reply, &hash.redis);
            freeReplyObject(reply);
        }
    }
    lp_redis_close(&hash.redis);
    return rc;
}

/* set */

/* "2026-09-01" or "20260901"; "-": none. */
static int
read_day(const char *text, uint32_t *day)
{
    size_t   i, len = strlen(text);
    uint32_t n = 0;

    *day = 0;
    if (strcmp(text, "-") == 0) {
        return 0;
    }
    if (len != 8 && (len != 10 || text[4] != '-' || text[7] != '-')) {
        return -1;
    }
    for (i = 0; i < len; i++) {
        if (len == 10 && (i == 4 || i == 7)) {
            continue;
        }
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        n = n * 10 + (uint32_t) (text[i] - '0');
    }
    *day = n;
    return lp_day_valid(n) ? 0 : -1;
}

static int
read_state(const lp_args_t *args, lp_right_t *right)
{
    const char *state = args->value[LP_OPT_STATE];
    int         open = args->value[LP_OPT_OPEN] != NULL;

    if (state == NULL) {
        return LP_YES;
    }
    if (strlen(state) != 1 || strchr(open ? "OB" : "ELB", state[0]) == NULL) {
        return lp_args_refuse(args, "--state is %s",
                              open ? "O or B with --open"
                                   : "E, L or B; O is for --open");
    }
    right->state = (lp_state_t) state[0];
    return LP_YES;
}

static int
read_days(const lp_args_t *args, lp_right_t *right)
{
    const char *from = args->value[LP_OPT_FROM];
    const char *until = args->value[LP_OPT_UNTIL];

    if ((from != NULL && read_day(from, &right->from) != 0)
        || (until != NULL && read_day(until, &right->until) != 0)) {
        return lp_args_refuse(args, "a day is YYYY-MM-DD, YYYYMMDD or -");
    }
    if (right->from != 0 && right->until != 0 && right->from > right->until) {
        return lp_args_refuse(args, "the first day is after the last");
    }
    return LP_YES;
}

/*
 * Puts the options over a right. given.state 0: there is none yet, and state
 * and entitlement are needed.
 */
static int
change_right(const lp_args_t *args, lp_right_t *right)
{
    const char *entitlement = args->value[LP_OPT_ENTITLEMENT];
    int         is_new = right->state == 0, rc;

    if (is_new && args->value[LP_OPT_STATE] == NULL
        && args->value[LP_OPT_OPEN] != NULL) {
        right->state = LP_OPEN;
    } else if (is_new && args->value[LP_OPT_STATE] == NULL) {
        return lp_args_refuse(args, "a new right needs --state");
    }
    rc = read_state(args, right);
    if (rc == LP_YES) {
        rc = read_days(args, right);
    }
    if (rc != LP_YES) {
        return rc;
    }
    if (entitlement == NULL) {
        return is_new ? lp_args_refuse(args, "a new right needs --entitlement")
                      : LP_YES;
    }
    if (lp_entitlement_read(right->entitlement, entitlement) != 0) {
        return lp_args_refuse(args, "--entitlement is a uuid or its 16 bytes "
                                    "in base64url");
    }
    return LP_YES;
}

/* Reads the right that is there, and what follows it; one that can't be read
   counts as none. */
static int
fetch_right(hash_t *hash, lp_span_t product, lp_right_t *right,
            lp_slot_t *follows)
{
    redisReply *reply;
    lp_slot_t   first;
    char        name[LP_FOLLOWS_MAX];
    lp_span_t   field = {name, lp_field_follows(name, product)};

    memset(right, 0, sizeof(*right));
    reply = lp_redis_ask(&hash->redis,
                         LP_WORDS(lp_span("HMGET"), hash->key, product, field),
                         LP_REPLY_ARRAY);
    if (reply == NULL) {
        return LP_NO;
    }
    lp_slots_read(&first, follows, reply);
    if (first.has) {
        *right = first.right;
    }
    freeReplyObject(reply);
    return LP_YES;
}

/* What follows is never the right itself. */
static int
drop_same(hash_t *hash, lp_span_t product, const lp_right_t *right,
          const lp_slot_t *follows)
{
    char      name[LP_FOLLOWS_MAX];
    lp_span_t field = {name, lp_field_follows(name, product)};

    if (!follows->has
        || memcmp(follows->right.entitlement, right->entitlement,
                  LP_ENTITLEMENT_LEN) != 0) {
        return LP_YES;
    }
    return lp_redis_tell(&hash->redis,
                         LP_WORDS(lp_span("HDEL"), hash->key, field));
}

/* Writes unless somebody was quicker: then *quicker is 1. */
static int
store_right(hash_t *hash, lp_span_t product, const lp_right_t *right,
            const lp_slot_t *follows, int *quicker)
{
    redisReply *reply;
    char        text[LP_RIGHT_MAX];
    lp_span_t   value = {text, lp_right_format(text, right)};

    if (lp_redis_tell(&hash->redis, LP_WORDS(lp_span("MULTI"))) != LP_YES
        || lp_redis_tell(&hash->redis,
                         LP_WORDS(lp_span("HSET"), hash->key, product, value))
               != LP_YES
        || drop_same(hash, product, right, follows) != LP_YES) {
        return LP_NO;
    }
    reply = lp_redis_ask(&hash->redis, LP_WORDS(lp_span("EXEC")),
                         LP_REPLY_ARRAY | LP_REPLY_NIL);
    if (reply == NULL) {
        return LP_NO;
    }
    *quicker = reply->type == REDIS_REPLY_NIL;
    /* HSET's own error, such as WRONGTYPE, is inside the array */
    if (!*quicker
        && (reply->elements < 1
            || reply->element[0]->type != REDIS_REPLY_INTEGER)) {
        lp_say("Redis did not store the right: the key holds another type");
        freeReplyObject(reply);
        return LP_NO;
    }
    freeReplyObject(reply);
    return LP_YES;
}

static int
set_right(const lp_args_t *args, hash_t *hash, lp_span_t product)
{
    lp_right_t right;
    lp_slot_t  follows;
    int        i, rc, quicker = 1;

    for (i = 0; i < ATTEMPTS && quicker; i++) {
        rc = lp_redis_tell(&hash->redis,
                           LP_WORDS(lp_span("WATCH"), hash->key));
        if (rc == LP_YES) {
            rc = fetch_right(hash, product, &right, &follows);
        }
        if (rc == LP_YES) {
            rc = change_right(args, &right);
        }
        if (rc == LP_YES && args->value[LP_OPT_QUANTITY] != NULL) {
            rc = lp_open_right_limit(args, &right, product);
        }
        if (rc == LP_YES) {
            rc = store_right(hash, product, &right, &follows, &quicker);
        }
        if (rc != LP_YES) {
            return rc;
        }
    }
    if (quicker) {
        lp_say("the right changes all the time; try again");
        return LP_NO;
    }
    return LP_YES;
}

static int
check_product(const lp_args_t *args, lp_span_t *product)
{
    *product = lp_span_of(args->value[LP_OPT_PRODUCT]);
    if (!lp_product_valid(*product)) {
        return lp_args_refuse(args, "--product is 1 to 64 of A-Z a-z 0-9 . _ "
                                    "-, a letter or digit first");
    }
    return LP_YES;
}

int
lp_command_right_set(const lp_args_t *args)
{
    lp_right_t given = {LP_BLOCKED, 0, 0, {0}}; /* to try the options on */
    lp_span_t  product;
    hash_t     hash;
    int        rc;

    if (args->value[LP_OPT_QUANTITY] != NULL
        && args->value[LP_OPT_OPEN] == NULL) {
        return lp_args_refuse(args, "--quantity is for --open");
    }
    rc = check_product(args, &product);
    if (rc == LP_YES) {
        rc = change_right(args, &given);
    }
    if (rc != LP_YES) {
        return rc;
    }
    rc = open_hash(&hash, args);
    if (rc == LP_YES) {
        rc = set_right(args, &hash, product);
    }
    lp_redis_close(&hash.redis);
    return rc;
}

/* drop, revoke */

/* Sends a command that answers with how much it removed. */
static int
remove_some(hash_t *hash, lp_words_t words)
{
    redisReply *reply;
    long long   removed;

    reply = lp_redis_ask(&hash->redis, words, LP_REPLY_INTEGER);
    if (reply == NULL) {
        return LP_NO;
    }
    removed = reply->integer;
    freeReplyObject(reply);
    if (removed == 0) {
        lp_say("there was nothing to drop");
    }
    return removed == 0 ? LP_NO : LP_YES;
}

int
lp_command_right_drop(const lp_args_t *args)
{
    int       tokens = args->value[LP_OPT_TOKENS] != NULL;
    int       all = args->value[LP_OPT_ALL] != NULL;
    int       one = args->value[LP_OPT_PRODUCT] != NULL;
    char      name[LP_FOLLOWS_MAX];
    lp_span_t field = LP_TOKENS_BEFORE, follows;
    hash_t    hash;
    int       rc;

    if (tokens + all + one != 1) {
        return lp_args_refuse(args, "give one of --product, --tokens, --all");
    }
    rc = one ? check_product(args, &field) : LP_YES;
    if (rc != LP_YES) {
        return rc;
    }
    follows = (lp_span_t) {name, lp_field_follows(name, field)};
    rc = open_hash(&hash, args);
    if (rc == LP_YES) {
        rc = remove_some(&hash,
                         all ? LP_WORDS(lp_span("DEL"), hash.key)
                             : LP_WORDS(lp_span("HDEL"), hash.key, field,
                                        follows));
    }
    lp_redis_close(&hash.redis);
    return rc;
}

int
lp_command_right_revoke(const lp_args_t *args)
{
    int64_t at = (int64_t) time(NULL);
    char    text[DIGITS_MAX];
    hash_t  hash;
    int     rc;

    rc = lp_args_number(args, LP_OPT_AT, LP_TIME_MAX, &at);
    if (rc != LP_YES) {
        return rc;
    }
    snprintf(text, sizeof(text), "%lld", (long long) at);
    rc = open_hash(&hash, args);
    if (rc == LP_YES) {
        rc = lp_redis_tell(&hash.redis,
                           LP_WORDS(lp_span("HSET"), hash.key, LP_TOKENS_BEFORE,
                                    lp_span_of(text)));
    }
    lp_redis_close(&hash.redis);
    return rc;
}
