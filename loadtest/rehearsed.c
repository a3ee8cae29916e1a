/*
 * A Redis without the mark is looked through by SCAN until a key names a
 * school, a product or a person that is not from a population: in a Redis of
 * real schools that is one of the first. A key that names nobody (streams,
 * counters, what the workers keep for themselves) says nothing. With the mark,
 * keys that SCAN happens to begin with are looked at, which come in no order:
 * whoever imported a real school afterwards is most likely found out, in a
 * moment also where there are a hundred million keys.
 */

#include "rehearsed.h"

#include <stdio.h>

#include "../workers/number.h"
#include "../workers/pairs.h"
#include "../workers/say.h"
#include "../workers/store_args.h"

#define MARK       lp_span("rehearsal")
#define OURS       "load-"
#define SCAN_COUNT lp_span("1000")
#define LOOK_MAX   20000 /* keys, where there is a mark */
#define CURSOR_MAX 24

/* Keys that name somebody: what follows the shard is a name. */
static const char *const named[] = {
    "u:", "s:", "p:", "i:", "school:", "week:", "readers:", "code:",
    "request:",
};

static int look_through(lp_store_t *store, uint64_t most, int *empty);
static int is_foreign(lp_span_t key);
static int names_somebody(lp_span_t key, lp_span_t *name);
static int same_population(const redisReply *reply,
                           const lp_population_t *population);
static uint64_t number_of(const redisReply *reply, const char *name);
static void read_mark(lp_rehearsed_t *rehearsed, const redisReply *reply);

int
lp_rehearsed_claim(lp_rehearsed_t *rehearsed, lp_store_t *store,
                   const lp_population_t *population)
{
    const redisReply *reply;
    int               marked;

    memset(rehearsed, 0, sizeof(*rehearsed));
    reply = lp_store_ask(store, LP_WORDS(lp_span("HGETALL"), MARK));
    if (reply == NULL) {
        return lp_store_say(store);
    }

    marked = reply->elements > 0;
    if (marked && !same_population(reply, population)) {
        lp_say("this Redis holds another population (seed %llu, %llu pupils); "
               "empty it first: FLUSHALL",
               (unsigned long long) number_of(reply, "seed"),
               (unsigned long long) number_of(reply, "pupils"));
        return LP_NO;
    }
    if (marked) {
        read_mark(rehearsed, reply);
    }

    return look_through(store, marked ? LOOK_MAX : UINT64_MAX,
                        &rehearsed->empty);
}

int
lp_rehearsed_check(lp_rehearsed_t *rehearsed, lp_store_t *store,
                   const lp_population_t *population)
{
    const redisReply *reply;

    memset(rehearsed, 0, sizeof(*rehearsed));
    reply = lp_store_ask(store, LP_WORDS(lp_span("HGETALL"), MARK));
    if (reply == NULL) {
        return lp_store_say(store);
    }
    if (reply->elements == 0) {
        lp_say("this Redis holds no population: leerpoort-load seed loads "
               "one");
        return LP_NO;
    }
    if (!same_population(reply, population)) {
        lp_say("this Redis holds another population (seed %llu, %llu pupils)",
               (unsigned long long) number_of(reply, "seed"),
               (unsigned long long) number_of(reply, "pupils"));
        return LP_NO;
    }

    read_mark(rehearsed, reply);
    if (!rehearsed->whole) {
        lp_say("the population was not loaded to its end: run leerpoort-load "
               "seed again");
        return LP_NO;
    }

    return LP_YES;
}

int
lp_rehearsed_write(const lp_rehearsed_t *rehearsed, lp_store_t *store,
                   const lp_population_t *population)
{
    const lp_census_t *census = lp_population_census(population);
    lp_number_t        seed, pupils, products, day, at;

    if (lp_store_ask(store, LP_WORDS(
            lp_span("HSET"), MARK,
            lp_span("seed"), lp_number(&seed, census->seed),
            lp_span("pupils"), lp_number(&pupils, census->pupils),
            lp_span("products"), lp_number(&products, census->products),
            lp_span("day"), lp_number(&day, census->day),
            lp_span("by"), rehearsed->sold ? lp_span("api")
                                           : lp_span("redis"),
            lp_span("party"), lp_span_of(rehearsed->party),
            lp_span("whole"), rehearsed->whole ? lp_span("1") : lp_span("0"),
            lp_span("at"), lp_number(&at, (uint64_t) rehearsed->at)))
        == NULL) {
        lp_store_say(store);
        return -1;
    }

    return 0;
}

static int
look_through(lp_store_t *store, uint64_t most, int *empty)
{
    const redisReply *reply, *keys;
    lp_span_t         key, name;
    char              cursor[CURSOR_MAX] = "0";
    uint64_t          n = 0;
    size_t            i;

    *empty = 1;
    do {
        reply = lp_store_ask(store, LP_WORDS(lp_span("SCAN"),
                                             lp_span_of(cursor),
                                             lp_span("COUNT"), SCAN_COUNT));
        if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
            || reply->elements != 2) {
            return lp_store_say(store);
        }

        keys = reply->element[1];
        for (i = 0; i < keys->elements; i++, n++) {
            key = lp_store_text(keys->element[i]);
            *empty &= !names_somebody(key, &name);
            if (is_foreign(key)) {
                lp_say("this Redis holds other schools; a rehearsal is for a "
                       "Redis of its own");
                return LP_NO;
            }
        }
        snprintf(cursor, sizeof(cursor), "%.*s",
                 (int) lp_store_text(reply->element[0]).len,
                 lp_store_text(reply->element[0]).data);
    } while (strcmp(cursor, "0") != 0 && cursor[0] != '\0' && n < most);

    return LP_YES;
}

static int
is_foreign(lp_span_t key)
{
    lp_span_t name;

    if (!names_somebody(key, &name)) {
        return 0;
    }

    return name.len < sizeof(OURS) - 1
           || memcmp(name.data, OURS, sizeof(OURS) - 1) != 0;
}

/* "u:{07}:<name>..." Codes are nobody's that a population has. */
static int
names_somebody(lp_span_t key, lp_span_t *name)
{
    size_t   i, len;
    unsigned skip = sizeof("{NN}:") - 1;

    for (i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        len = strlen(named[i]);
        if (key.len >= len + skip && memcmp(key.data, named[i], len) == 0
            && key.data[len] == '{') {
            *name = (lp_span_t) {key.data + len + skip,
                                 key.len - len - skip};
            return 1;
        }
    }

    return 0;
}

static uint64_t
number_of(const redisReply *reply, const char *name)
{
    int64_t number = lp_number_read(lp_pairs_find(reply, name));

    return number < 0 ? 0 : (uint64_t) number;
}

static int
same_population(const redisReply *reply, const lp_population_t *population)
{
    const lp_census_t *census = lp_population_census(population);

    return number_of(reply, "seed") == census->seed
           && number_of(reply, "pupils") == census->pupils
           && number_of(reply, "products") == census->products
           && number_of(reply, "day") == census->day;
}

static void
read_mark(lp_rehearsed_t *rehearsed, const redisReply *reply)
{
    lp_span_t party = lp_pairs_find(reply, "party");

    rehearsed->sold = lp_span_equal(lp_pairs_find(reply, "by"),
                                    lp_span("api"));
    rehearsed->whole = lp_span_equal(lp_pairs_find(reply, "whole"),
                                     lp_span("1"));
    rehearsed->at = (int64_t) number_of(reply, "at");
    snprintf(rehearsed->party, sizeof(rehearsed->party), "%.*s",
             (int) party.len, party.len > 0 ? party.data : "");
}
