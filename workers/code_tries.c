/*
 * Two counters that expire. The user's is counted and judged first: somebody
 * who has run out of tries must not use up those of the school. EXPIRE NX goes
 * with every INCR, so that a worker that dies between the two leaves no
 * counter that stays for ever.
 */

#include "code_tries.h"

#include <inttypes.h>
#include <stdio.h>

#include "../core/keys.h"

#define LEVEL      ":level"
#define SECONDS_MAX 24

static size_t key_write(char *dst, lp_span_t tagged, const char *kind);
static int64_t count(lp_store_t *store, lp_span_t key, int64_t limit,
                     int64_t longest);
static int64_t lock(lp_store_t *store, lp_span_t key, int64_t longest);
static int64_t integer(const lp_store_t *store, unsigned i);
static void add_expire(lp_store_t *store, lp_span_t key, int64_t seconds,
                       int only_new);
static void forgive(lp_store_t *store, lp_span_t key);

size_t
lp_key_tries(char *dst, lp_span_t user)
{
    return key_write(dst, user, "");
}

size_t
lp_key_tries_school(char *dst, lp_span_t school)
{
    return key_write(dst, school, "school:");
}

static size_t
key_write(char *dst, lp_span_t tagged, const char *kind)
{
    char text[LP_KEY_MAX + 1];
    int  n = snprintf(text, sizeof(text), "tries:{%02u}:%s%.*s",
                      lp_shard(tagged), kind, (int) tagged.len, tagged.data);

    if (n < 0 || n > LP_KEY_MAX) {
        return 0;
    }
    memcpy(dst, text, (size_t) n);
    return (size_t) n;
}

int64_t
lp_tries_wait(unsigned level, int64_t longest)
{
    int64_t wait = LP_TRIES_WINDOW;

    while (level > 1 && wait < longest) {
        wait *= 2;
        level--;
    }
    return wait < longest ? wait : longest;
}

int64_t
lp_tries_count(lp_store_t *store, lp_span_t user, lp_span_t school)
{
    char    key[LP_KEY_MAX];
    int64_t wait;

    wait = count(store, (lp_span_t) {key, lp_key_tries(key, user)},
                 LP_TRIES_USER, LP_TRIES_LONGEST);
    if (wait != 0 || school.len == 0) {
        return wait;
    }
    wait = count(store, (lp_span_t) {key, lp_key_tries_school(key, school)},
                 LP_TRIES_SCHOOL, LP_TRIES_LONGEST_SCHOOL);
    if (wait > 0) {
        /* what others did is not this person's try */
        forgive(store, (lp_span_t) {key, lp_key_tries(key, user)});
        lp_store_run(store);
    }
    return wait;
}

static int64_t
count(lp_store_t *store, lp_span_t key, int64_t limit, int64_t longest)
{
    int64_t n, wait;

    lp_store_add(store, LP_WORDS(lp_span("INCR"), key));
    add_expire(store, key, LP_TRIES_WINDOW, 1);
    lp_store_add(store, LP_WORDS(lp_span("TTL"), key));
    if (lp_store_run(store) != LP_STORE_OK) {
        return -1;
    }
    n = integer(store, 0);
    wait = integer(store, 2);
    if (n <= limit) {
        return 0;
    }
    return n == limit + 1 ? lock(store, key, longest) : wait > 0 ? wait : 1;
}

/* The limit is reached just now: the wait begins. */
static int64_t
lock(lp_store_t *store, lp_span_t key, int64_t longest)
{
    char      name[LP_KEY_MAX + sizeof(LEVEL)];
    lp_span_t level = {name, key.len + sizeof(LEVEL) - 1};
    int64_t   n, wait;

    memcpy(name, key.data, key.len);
    memcpy(name + key.len, LEVEL, sizeof(LEVEL));
    lp_store_add(store, LP_WORDS(lp_span("INCR"), level));
    add_expire(store, level, LP_TRIES_MEMORY, 0);
    if (lp_store_run(store) != LP_STORE_OK) {
        return -1;
    }
    n = integer(store, 0);
    wait = lp_tries_wait(n > 0 && n < 64 ? (unsigned) n : 64, longest);
    add_expire(store, key, wait, 0);
    /* the level outlives the wait, or no wait would ever grow beyond it */
    add_expire(store, level, wait + LP_TRIES_MEMORY, 0);
    return lp_store_run(store) == LP_STORE_OK ? wait : -1;
}

static int64_t
integer(const lp_store_t *store, unsigned i)
{
    const redisReply *reply = lp_store_reply(store, i);

    return reply != NULL && reply->type == REDIS_REPLY_INTEGER
               ? (int64_t) reply->integer
               : 0;
}

static void
add_expire(lp_store_t *store, lp_span_t key, int64_t seconds, int only_new)
{
    char text[SECONDS_MAX];

    snprintf(text, sizeof(text), "%" PRId64, seconds);
    if (only_new) {
        lp_store_add(store, LP_WORDS(lp_span("EXPIRE"), key, lp_span_of(text),
                                     lp_span("NX")));
    } else {
        lp_store_add(store,
                     LP_WORDS(lp_span("EXPIRE"), key, lp_span_of(text)));
    }
}

void
lp_tries_forgive(lp_store_t *store, lp_span_t user, lp_span_t school)
{
    char key[LP_KEY_MAX];

    forgive(store, (lp_span_t) {key, lp_key_tries(key, user)});
    if (school.len > 0) {
        forgive(store, (lp_span_t) {key, lp_key_tries_school(key, school)});
    }
}

/* A counter that expired meanwhile becomes -1, and expires again. */
static void
forgive(lp_store_t *store, lp_span_t key)
{
    lp_store_add(store, LP_WORDS(lp_span("DECR"), key));
    add_expire(store, key, LP_TRIES_WINDOW, 1);
}
