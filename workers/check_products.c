/*
 * The part of leerpoort check that looks whether the indexes of the catalogue
 * (products.h) are there: a store from before them has none, and nobody would
 * know why teachers find nothing. The products that a look at part of the keys
 * meets are asked for; a store of any size costs a second at most.
 */

#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "products.h"

#define ROUNDS     200    /* of a SCAN */
#define SCAN_SIZE  "1000" /* keys of a round */
#define CURSOR_MAX 24     /* digits, and a NUL */
#define WORDS_MAX  64     /* that a link takes */
#define MEND       "run \"leerpoort product index\""

typedef struct {
    lp_check_t *check;
    char        cursor[CURSOR_MAX];
    uint64_t    found;   /* products; some perhaps twice */
    uint64_t    missing; /* in the index */
    long long   named;   /* by the index */
} look_t;

static int look_round(look_t *look);
static int look_up(look_t *look, const redisReply *keys);
static int ask_names(look_t *look, const lp_span_t *words, unsigned n);
static int count_named(look_t *look);
static void say(const look_t *look);

void
lp_check_products(lp_check_t *check)
{
    look_t look = {.check = check, .cursor = "0"};
    int    rounds = 0, rc;

    rc = count_named(&look);
    do {
        rc = rc == 0 ? look_round(&look) : rc;
    } while (rc == 0 && strcmp(look.cursor, "0") != 0 && ++rounds < ROUNDS);
    if (rc != 0) {
        lp_line(check, LP_WARN, "products: %s", check->redis.reason);
    } else {
        say(&look);
    }
}

static int
count_named(look_t *look)
{
    redisReply *reply;

    reply = lp_redis_ask(&look->check->redis,
                         LP_WORDS(lp_span("HLEN"), lp_span(LP_PRODUCTS_KEY)),
                         LP_REPLY_INTEGER);
    if (reply == NULL) {
        return -1;
    }
    look->named = reply->integer;
    freeReplyObject(reply);
    return 0;
}

static int
look_round(look_t *look)
{
    redisReply *reply;
    lp_span_t   cursor;
    int         rc = -1;

    reply = lp_redis_ask(&look->check->redis,
                         LP_WORDS(lp_span("SCAN"), lp_span_of(look->cursor),
                                  lp_span("MATCH"), lp_span("p:*"),
                                  lp_span("COUNT"), lp_span(SCAN_SIZE)),
                         LP_REPLY_ARRAY);
    if (reply == NULL) {
        return -1;
    }
    if (reply->elements == 2
        && reply->element[1]->type == REDIS_REPLY_ARRAY) {
        cursor = lp_redis_text(reply->element[0]);
        if (cursor.len > 0 && cursor.len < sizeof(look->cursor)) {
            memcpy(look->cursor, cursor.data, cursor.len);
            look->cursor[cursor.len] = '\0';
            rc = look_up(look, reply->element[1]);
        }
    }
    freeReplyObject(reply);
    return rc;
}

/* "p:{NN}:<product>": the index is asked for the ids, some at a time. */
static int
look_up(look_t *look, const redisReply *keys)
{
    lp_span_t words[WORDS_MAX], key;
    unsigned  n = 2;
    size_t    i, head = sizeof("p:{00}:") - 1;

    words[0] = lp_span("HMGET");
    words[1] = lp_span(LP_PRODUCTS_KEY);
    for (i = 0; i < keys->elements; i++) {
        key = lp_redis_text(keys->element[i]);
        if (key.len <= head) {
            continue;
        }
        words[n++] = (lp_span_t) {key.data + head, key.len - head};
        if (n == WORDS_MAX) {
            if (ask_names(look, words, n) != 0) {
                return -1;
            }
            n = 2;
        }
    }
    return n > 2 ? ask_names(look, words, n) : 0;
}

static int
ask_names(look_t *look, const lp_span_t *words, unsigned n)
{
    redisReply *reply;
    size_t      i;

    reply = lp_redis_ask(&look->check->redis, (lp_words_t) {words, n},
                         LP_REPLY_ARRAY);
    if (reply == NULL) {
        return -1;
    }
    for (i = 0; i < reply->elements; i++) {
        look->missing += lp_redis_text(reply->element[i]).data == NULL;
    }
    look->found += reply->elements;
    freeReplyObject(reply);
    return 0;
}

/* Every product that was there all the time was met, if the look came to its
   end: then more names than products are too many. */
static void
say(const look_t *look)
{
    int whole = strcmp(look->cursor, "0") == 0;

    if (look->missing > 0) {
        lp_line(look->check, LP_WARN,
                "products: %" PRIu64 " of %" PRIu64 " that were looked at are "
                "not in the index: teachers can't find them; " MEND,
                look->missing, look->found);
    } else if (whole && look->named > 0
               && (uint64_t) look->named > look->found) {
        lp_line(look->check, LP_WARN,
                "products: the index names %lld, and there are %" PRIu64 "; "
                MEND, look->named, look->found);
    } else {
        lp_line(look->check, LP_OK, "products: the index names %lld",
                look->named);
    }
}
