/*
 * leerpoort-tally's work: reads the usage streams as a consumer group and has
 * the entries counted, batch by batch, a batch being of one stream.
 *
 * It begins with what its name has pending, which is what it had in hand when
 * it died, or what failed; then it reads new entries. Every CLAIM_S seconds it
 * takes over what others have left for IDLE_MS. Taking over from somebody who
 * is merely slow is harmless (tally_count.c), and so are two processes of one
 * name; a lock would only add a way to stand still.
 *
 * Two connections: what was read lives until the next read, and is needed while
 * it is written. After each round that did not fill up it rests for REST_MS, so
 * that clicks gather and one transaction serves many.
 *
 * SIGTERM and SIGINT are blocked; they are looked for between two batches. So
 * no call is ever interrupted and a batch in hand is finished.
 */

#include "tally.h"

#include <signal.h>
#include <time.h>

#include "../core/keys.h"
#include "number.h"
#include "record.h"
#include "say.h"
#include "service.h"

#define COUNT_FIRST 16      /* entries of each stream in one round ... */
#define COUNT_MAX   64      /* ... which doubles up to this */
#define CLAIMED     "64"    /* taken over in one round */
#define BLOCK       "500"   /* ms; until SIGTERM is looked for */
#define REST_MS     200
#define WAIT_MS     500     /* after a failure */
#define IDLE_MS     "60000"
#define CLAIM_S     30
#define ROUND_FULL  256     /* entries in a round that is followed by another */

typedef enum {
    NEW = 0,
    PENDING
} from_t;

static void block_signals(void);
static int stop_within(int ms);
static int work(lp_tally_t *tally);
static lp_store_status_t make_groups(lp_tally_t *tally);
static lp_store_status_t claim(lp_tally_t *tally, unsigned *n);
static lp_store_status_t read_round(lp_tally_t *tally, from_t from,
                                    unsigned *n);
static void ask_round(lp_tally_t *tally, from_t from);
static int shard_of(lp_span_t key);
static lp_store_status_t tally_stream(lp_tally_t *tally, unsigned shard,
                                      const redisReply *entries);
static lp_store_status_t tally_batch(lp_tally_t *tally, unsigned shard,
                                     redisReply *const *entries, size_t n,
                                     size_t *done);
static void say_unreadable(lp_tally_t *tally);
static void say_failure(lp_tally_t *tally, lp_store_status_t status);
static void say_recovery(lp_tally_t *tally);

int
lp_tally_run(lp_tally_t *tally)
{
    int rc;

    block_signals();
    tally->count = COUNT_FIRST;

    do {
        rc = work(tally);
        /* what failed may have been too much at once */
        tally->count = 1;

        if (rc == LP_NO && tally->once) {
            return LP_NO;
        }
    } while (rc == LP_NO && !stop_within(WAIT_MS));

    return LP_YES;
}

static void
block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Rests for so long; 1 where it is to end. */
static int
stop_within(int ms)
{
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000L};
    sigset_t        set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);

    return sigtimedwait(&set, NULL, &wait) > 0;
}

/* Until it is to end (LP_YES) or Redis fails (LP_NO). */
static int
work(lp_tally_t *tally)
{
    lp_store_status_t status;
    unsigned          n;
    from_t            from;
    time_t            claimed;

    status = make_groups(tally);
    from = PENDING;
    claimed = 0;

    while (status == LP_STORE_OK) {
        if (time(NULL) - claimed >= CLAIM_S) {
            status = claim(tally, &n);
            if (status != LP_STORE_OK) {
                break;
            }

            /* more may be left where something was */
            claimed = n > 0 ? 0 : time(NULL);
            from = n > 0 ? PENDING : from;
        }

        lp_usage_reader_init(&tally->lines, lp_service_now());
        status = read_round(tally, from, &n);

        if (status != LP_STORE_OK) {
            break;
        }

        say_recovery(tally);
        tally->count = tally->count < COUNT_MAX ? tally->count * 2 : COUNT_MAX;

        if (n == 0 && from == NEW && tally->once) {
            return LP_YES;
        }

        if (stop_within(from == PENDING || tally->once || n >= ROUND_FULL
                            ? 0 : REST_MS)) {
            return LP_YES;
        }

        from = n == 0 ? NEW : from;
    }

    say_failure(tally, status);

    return LP_NO;
}

static lp_store_status_t
make_groups(lp_tally_t *tally)
{
    lp_store_status_t status;
    lp_span_t         key;
    char              name[LP_KEY_MAX];
    unsigned          shard;

    key.data = name;

    for (shard = 0; shard < LP_SHARDS; shard++) {
        key.len = lp_key_usage(name, shard);
        lp_store_add(tally->writer,
                     LP_WORDS(lp_span("XGROUP"), lp_span("CREATE"), key,
                              lp_span(LP_TALLY_GROUP), lp_span("0"),
                              lp_span("MKSTREAM")));
    }

    status = lp_store_run(tally->writer);

    return status == LP_STORE_REFUSED
                   && strcmp(lp_store_error(tally->writer), "BUSYGROUP") == 0
               ? LP_STORE_OK : status;
}

/* Takes over what others have left; *n becomes how much. With once nobody is
   waited for. */
static lp_store_status_t
claim(lp_tally_t *tally, unsigned *n)
{
    const redisReply *reply;
    lp_store_status_t status;
    lp_span_t         key;
    char              name[LP_KEY_MAX];
    unsigned          shard;

    key.data = name;

    for (shard = 0; shard < LP_SHARDS; shard++) {
        key.len = lp_key_usage(name, shard);
        lp_store_add(tally->writer,
                     LP_WORDS(lp_span("XAUTOCLAIM"), key,
                              lp_span(LP_TALLY_GROUP),
                              lp_span_of(tally->name),
                              tally->once ? lp_span("0") : lp_span(IDLE_MS),
                              lp_span("0"), lp_span("COUNT"), lp_span(CLAIMED),
                              lp_span("JUSTID")));
    }

    *n = 0;
    status = lp_store_run(tally->writer);

    for (shard = 0; status == LP_STORE_OK && shard < LP_SHARDS; shard++) {
        reply = lp_store_reply(tally->writer, shard);

        if (reply != NULL && reply->type == REDIS_REPLY_ARRAY
            && reply->elements >= 2
            && reply->element[1]->type == REDIS_REPLY_ARRAY) {
            *n += (unsigned) reply->element[1]->elements;
        }
    }

    return status;
}

/* Reads and tallies some entries of every stream; *n becomes how many. */
static lp_store_status_t
read_round(lp_tally_t *tally, from_t from, unsigned *n)
{
    const redisReply *reply, *stream;
    lp_store_status_t status;
    size_t            i;
    int               shard;

    *n = 0;
    ask_round(tally, from);
    status = lp_store_run(tally->reader);
    reply = lp_store_reply(tally->reader, 0);

    if (status != LP_STORE_OK || reply == NULL
        || reply->type != REDIS_REPLY_ARRAY) {
        return status;
    }

    for (i = 0; i < reply->elements; i++) {
        stream = reply->element[i];

        if (stream->type != REDIS_REPLY_ARRAY || stream->elements != 2
            || stream->element[1]->type != REDIS_REPLY_ARRAY) {
            return LP_STORE_DOWN;
        }

        shard = shard_of(lp_store_text(stream->element[0]));
        if (shard < 0) {
            return LP_STORE_DOWN;
        }

        *n += (unsigned) stream->element[1]->elements;
        status = tally_stream(tally, (unsigned) shard, stream->element[1]);

        if (status != LP_STORE_OK) {
            return status;
        }
    }

    return LP_STORE_OK;
}

static void
ask_round(lp_tally_t *tally, from_t from)
{
    lp_span_t   words[9 + 2 * LP_SHARDS];
    lp_number_t count;
    char        keys[LP_SHARDS][LP_KEY_MAX];
    unsigned    i, n;

    n = 0;
    words[n++] = lp_span("XREADGROUP");
    words[n++] = lp_span("GROUP");
    words[n++] = lp_span(LP_TALLY_GROUP);
    words[n++] = lp_span_of(tally->name);
    words[n++] = lp_span("COUNT");
    words[n++] = lp_number(&count, tally->count);

    if (from == NEW && !tally->once) {
        words[n++] = lp_span("BLOCK");
        words[n++] = lp_span(BLOCK);
    }

    words[n++] = lp_span("STREAMS");

    for (i = 0; i < LP_SHARDS; i++) {
        words[n + i].data = keys[i];
        words[n + i].len = lp_key_usage(keys[i], i);
        words[n + LP_SHARDS + i] = from == NEW ? lp_span(">") : lp_span("0");
    }

    lp_store_add(tally->reader, (lp_words_t) {words, n + 2 * LP_SHARDS});
}

/* Of "usage:{NN}"; -1: it is another key. */
static int
shard_of(lp_span_t key)
{
    lp_span_t own;
    char      name[LP_KEY_MAX];
    unsigned  i;

    own.data = name;

    for (i = 0; i < LP_SHARDS; i++) {
        own.len = lp_key_usage(name, i);
        if (lp_span_equal(key, own)) {
            return (int) i;
        }
    }

    return -1;
}

static lp_store_status_t
tally_stream(lp_tally_t *tally, unsigned shard, const redisReply *entries)
{
    lp_store_status_t status;
    size_t            at, done;

    for (at = 0; at < entries->elements; at += done) {
        status = tally_batch(tally, shard, entries->element + at,
                             entries->elements - at, &done);

        if (status != LP_STORE_OK) {
            return status;
        }
    }

    return LP_STORE_OK;
}

/* Counts the first entries; *done becomes how many. */
static lp_store_status_t
tally_batch(lp_tally_t *tally, unsigned shard, redisReply *const *entries,
            size_t n, size_t *done)
{
    lp_store_status_t status;

    do {
        lp_batch_reset(&tally->batch, shard);
        *done = lp_batch_take(&tally->batch, entries, n);

        if (*done == 0) {
            return LP_STORE_DOWN;
        }

        status = lp_tally_count(tally);
    } while (status == LP_STORE_CONFLICT);

    if (status == LP_STORE_OK) {
        say_unreadable(tally);
    }

    return status;
}

static void
say_unreadable(lp_tally_t *tally)
{
    unsigned i;

    for (i = 0; i < tally->batch.n_entries; i++) {
        if (!tally->batch.entries[i].readable
            && !tally->batch.entries[i].deleted && !tally->said_entry) {
            tally->said_entry = 1;
            lp_say("an entry of usage:{%02u} can't be read and is dropped; "
                   "tally:state counts such entries, they are not said again",
                   tally->batch.shard);
        }
    }

    if (tally->batch.unreadable > 0 && !tally->said_line) {
        tally->said_line = 1;
        lp_say("a line in usage:{%02u} can't be read and is dropped; "
               "tally:state counts such lines, they are not said again",
               tally->batch.shard);
    }
}

static void
say_failure(lp_tally_t *tally, lp_store_status_t status)
{
    const char *error = "";

    if (tally->said_failure) {
        return;
    }
    tally->said_failure = 1;

    if (status == LP_STORE_REFUSED) {
        error = lp_store_error(lp_store_status(tally->reader)
                                       == LP_STORE_REFUSED
                                   ? tally->reader : tally->writer);
        lp_say("Redis refuses with the error %s%s", error,
               tally->once ? "" : "; clicks wait in their streams");
    } else {
        lp_say("Redis can't be reached or does not answer%s",
               tally->once ? "" : "; clicks wait in their streams");
    }
}

static void
say_recovery(lp_tally_t *tally)
{
    if (tally->said_failure) {
        tally->said_failure = 0;
        lp_say("Redis answers again");
    }
}
