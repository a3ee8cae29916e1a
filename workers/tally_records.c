/*
 * The records e:... of the entitlements in a batch: read, their totals worked
 * out here and written in the batch's transaction. Nobody but a tally changes
 * totals, and tallies take turns (tally_count.c).
 *
 * A record that is erased in between must not come back as a record of nothing
 * but totals. WATCH would tell, but it compares each key with all that are
 * watched already, and a batch has thousands. So the transaction counts its
 * records before it writes them, which is one command for CHUNK of them; where
 * one is missing, which hardly ever happens, it is looked for and removed.
 *
 * A record lies in the shard of its home, which mostly is the stream's: the
 * school. A private licence that is used at school lies elsewhere, and x: knows
 * where. A licence that came from an open right or a code names it, and its
 * uses are added to that one as well, so that records are asked for in rounds.
 */

#include "tally_records.h"

#include "number.h"
#include "record.h"

#define CHUNK     256 /* keys in one EXISTS */
#define PLACE_LEN 3   /* characters of an entitlement in the key x: */
#define DIGITS    18  /* of a total */

enum { STATUS = 0, FIRST, LAST, COUNT, OPEN, FIELDS };

static int take_record(lp_tally_t *tally, uint32_t i);
static int take_open(lp_tally_t *tally, uint32_t i, const redisReply *open);
static void take_place(lp_batch_use_t *use, const redisReply *reply);
static uint64_t number_of(const redisReply *reply);
static lp_span_t record_key(const lp_batch_t *batch, uint32_t i, char *dst);
static void write_record(lp_tally_t *tally, lp_batch_use_t *use,
                         lp_span_t key);
static lp_store_status_t remove_if_empty(lp_tally_t *tally, uint32_t i);

unsigned
lp_tally_ask_records(lp_tally_t *tally)
{
    lp_batch_t     *batch = &tally->batch;
    lp_batch_use_t *use;
    lp_span_t       id, key;
    char            name[LP_KEY_MAX];
    unsigned        n;
    uint32_t        i;

    n = 0;
    key.data = name;

    for (i = 0; i < batch->entitlements.n; i++) {
        use = &batch->uses[i];
        id = lp_name(&batch->entitlements, i);

        if (use->state == LP_USE_ASK) {
            key.len = lp_key_entitlement(name, use->shard, id.data);
            use->reply = lp_tally_add(
                tally, LP_WORDS(lp_span("HMGET"), key, lp_span("status"),
                                lp_span("first"), lp_span("last"),
                                lp_span("count"), lp_span("open")));
            n++;
        } else if (use->state == LP_USE_PLACE) {
            key.len = lp_key_place(name, id.data);
            id.data += PLACE_LEN;
            id.len -= PLACE_LEN;
            use->reply = lp_tally_add(tally,
                                      LP_WORDS(lp_span("HGET"), key, id));
            n++;
        }
    }

    return n;
}

int
lp_tally_take_records(lp_tally_t *tally)
{
    lp_batch_use_t *use;
    uint32_t        i, n;

    /* an open right that is added here is asked for in the next round */
    n = tally->batch.entitlements.n;

    for (i = 0; i < n; i++) {
        use = &tally->batch.uses[i];

        if (use->state == LP_USE_PLACE) {
            take_place(use, lp_store_reply(tally->writer, use->reply));
        } else if (use->state == LP_USE_ASK && take_record(tally, i) != 0) {
            return -1;
        }
    }

    return 0;
}

static int
take_record(lp_tally_t *tally, uint32_t i)
{
    lp_batch_use_t   *use = &tally->batch.uses[i];
    const redisReply *reply;

    reply = lp_store_reply(tally->writer, use->reply);

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
        || reply->elements != FIELDS
        || reply->element[STATUS]->type != REDIS_REPLY_STRING) {
        use->state = use->placed ? LP_USE_GONE : LP_USE_PLACE;
        return 0;
    }

    use->state = LP_USE_FOUND;
    use->stored_first = (uint32_t) number_of(reply->element[FIRST]);
    use->stored_last = (uint32_t) number_of(reply->element[LAST]);
    use->stored_count = number_of(reply->element[COUNT]);

    return take_open(tally, i, reply->element[OPEN]);
}

/* The uses of a licence are those of the right that it came from. */
static int
take_open(lp_tally_t *tally, uint32_t i, const redisReply *open)
{
    lp_batch_use_t use = tally->batch.uses[i];
    lp_span_t      id = lp_store_text(open);

    if (id.len != LP_ENTITLEMENT_LEN
        || lp_span_equal(id, lp_name(&tally->batch.entitlements, i))) {
        return 0;
    }

    return lp_batch_use(&tally->batch, id, use.n, use.first, use.last)
                   == LP_NAMES_FULL ? -1 : 0;
}

static void
take_place(lp_batch_use_t *use, const redisReply *reply)
{
    int shard = reply == NULL ? -1 : lp_place_read(reply);

    if (shard < 0 || (unsigned) shard == use->shard) {
        use->state = LP_USE_GONE;
        return;
    }

    use->shard = (unsigned) shard;
    use->placed = 1;
    use->state = LP_USE_ASK;
}

/* 0 where there is none, or what is no number. */
static uint64_t
number_of(const redisReply *reply)
{
    lp_span_t text = lp_store_text(reply);
    uint64_t  n;
    size_t    i;

    n = 0;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i >= DIGITS) {
            return 0;
        }
        n = n * 10 + (uint64_t) (text.data[i] - '0');
    }

    return n;
}

/* For each chunk EXISTS, then an HSET for each record. */
void
lp_tally_write_records(lp_tally_t *tally)
{
    lp_batch_t *batch = &tally->batch;
    lp_span_t   words[1 + CHUNK];
    char        keys[CHUNK][LP_KEY_MAX];
    uint32_t    found[CHUNK], i;
    unsigned    n, j;

    words[0] = lp_span("EXISTS");
    n = 0;

    for (i = 0; i < batch->entitlements.n; i++) {
        if (batch->uses[i].state == LP_USE_FOUND) {
            words[1 + n] = record_key(batch, i, keys[n]);
            found[n++] = i;
        }

        if (n == CHUNK || (n > 0 && i + 1 == batch->entitlements.n)) {
            batch->uses[found[0]].in_chunk = n;
            batch->uses[found[0]].reply = lp_tally_add(
                tally, (lp_words_t) {words, 1 + n});

            for (j = 0; j < n; j++) {
                write_record(tally, &batch->uses[found[j]], words[1 + j]);
            }
            n = 0;
        }
    }
}

lp_store_status_t
lp_tally_mend_records(lp_tally_t *tally, const redisReply *exec)
{
    lp_batch_t       *batch = &tally->batch;
    lp_batch_use_t   *use;
    lp_store_status_t status;
    uint32_t          i;
    int               whole;

    whole = exec != NULL;

    for (i = 0; i < batch->entitlements.n && whole; i++) {
        use = &batch->uses[i];
        whole = use->in_chunk == 0
                || (use->reply < exec->elements
                    && exec->element[use->reply]->integer
                           == (long long) use->in_chunk);
    }

    status = LP_STORE_OK;

    for (i = 0; i < batch->entitlements.n && !whole; i++) {
        if (batch->uses[i].state == LP_USE_FOUND) {
            status = remove_if_empty(tally, i);
        }

        if (status == LP_STORE_DOWN) {
            return status;
        }
    }

    return LP_STORE_OK;
}

static lp_span_t
record_key(const lp_batch_t *batch, uint32_t i, char *dst)
{
    size_t len;

    len = lp_key_entitlement(dst, batch->uses[i].shard,
                             lp_name(&batch->entitlements, i).data);

    return (lp_span_t) {dst, len};
}

static void
write_record(lp_tally_t *tally, lp_batch_use_t *use, lp_span_t key)
{
    lp_number_t first, last, count;

    if (use->stored_first == 0 || use->first < use->stored_first) {
        use->stored_first = use->first;
    }
    if (use->last > use->stored_last) {
        use->stored_last = use->last;
    }

    lp_tally_add(tally,
                 LP_WORDS(lp_span("HSET"), key, lp_span("first"),
                          lp_number(&first, use->stored_first),
                          lp_span("last"),
                          lp_number(&last, use->stored_last),
                          lp_span("count"),
                          lp_number(&count, use->stored_count + use->n)));
}

/* A conflict is somebody who has just made it anew: it is not empty. */
static lp_store_status_t
remove_if_empty(lp_tally_t *tally, uint32_t i)
{
    const redisReply *reply;
    lp_span_t         key;
    char              name[LP_KEY_MAX];

    key = record_key(&tally->batch, i, name);
    lp_store_add(tally->writer, LP_WORDS(lp_span("WATCH"), key));
    lp_store_add(tally->writer, LP_WORDS(lp_span("HEXISTS"), key,
                                         lp_span("status")));

    if (lp_store_run(tally->writer) != LP_STORE_OK) {
        return lp_store_status(tally->writer);
    }

    reply = lp_store_reply(tally->writer, 1);
    if (reply == NULL || reply->integer != 0) {
        lp_store_unwatch(tally->writer);
        return LP_STORE_OK;
    }

    lp_store_begin(tally->writer);
    lp_store_add(tally->writer, LP_WORDS(lp_span("DEL"), key));

    return lp_store_commit(tally->writer);
}
