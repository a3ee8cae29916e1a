/*
 * One batch of entries: from memory to Redis, once.
 *
 *     WATCH    the bitmaps seen:... and the shard's turn; read records
 *     MULTI    set the entries' bits, write records, weeks and readers; EXEC
 *     settle   count the readers, renew expiry, acknowledge, delete
 *
 * An entry's bit is set in the transaction that counts it. Whoever reads the
 * entry again, because somebody died before it was acknowledged or because two
 * tallies have it in hand, finds the bit set, or his transaction fails as the
 * bitmap was watched. Settling may be done any number of times: it is done
 * again for an entry that is found counted. So the moment of death does not
 * matter, and neither does the number of tallies.
 *
 * The bitmap is cut into keys of LP_SEEN_BITS bits, so that an absurd sequence
 * number costs 8 KB and not the half gigabyte of SETBIT's last offset.
 *
 * The turn, tally:{NN}, counts the transactions of a shard. Two tallies that
 * have the same shard in hand collide on it, so that what one has read of a
 * record is still true when it writes.
 *
 * Keys of several shards may be in one transaction (a private licence used at
 * school, tally:state): this is for one Redis, not for a Cluster.
 */

#include "tally.h"

#include "number.h"
#include "record.h"
#include "tally_records.h"

#define DAY_S       86400
#define CHUNK       256 /* keys or users in one command */
#define ROUNDS      6   /* of looking for records: here, elsewhere, open */
#define PRODUCT_MAX 80  /* "<product>|r" */

static lp_store_status_t read_all(lp_tally_t *tally);
static lp_store_status_t run(lp_tally_t *tally);
static void ask_bits(lp_tally_t *tally);
static int mark_repeated(lp_tally_t *tally);
static int doubled(const lp_batch_t *batch, unsigned i);
static lp_store_status_t write_all(lp_tally_t *tally);
static void write_seen(lp_tally_t *tally);
static void write_cell(lp_tally_t *tally, uint32_t i);
static void write_state(lp_tally_t *tally);
static void add_state(lp_tally_t *tally, lp_span_t name, uint64_t n);
static void see_changes(lp_tally_t *tally, const redisReply *exec);
static int cell_changed(const lp_batch_cell_t *cell, const redisReply *exec);
static lp_store_status_t settle(lp_tally_t *tally);
static void settle_week(lp_tally_t *tally, const lp_batch_week_t *week,
                        lp_span_t key);
static void write_readers(lp_tally_t *tally, uint32_t i, uint64_t n);
static void acknowledge(lp_tally_t *tally);

lp_store_status_t
lp_tally_count(lp_tally_t *tally)
{
    lp_store_status_t status;

    tally->added = 0;
    status = read_all(tally);

    if (status == LP_STORE_OK) {
        status = write_all(tally);
    }

    if (status == LP_STORE_OK) {
        status = settle(tally);
    }

    if (status != LP_STORE_OK) {
        lp_store_unwatch(tally->writer);
    }

    return status;
}

/* Adds the batch up and reads all that the transaction depends on. */
static lp_store_status_t
read_all(lp_tally_t *tally)
{
    lp_store_status_t status;
    unsigned          round;

    do {
        if (lp_batch_add_up(&tally->batch, &tally->lines) != 0) {
            return LP_STORE_DOWN;
        }

        ask_bits(tally);
        (void) lp_tally_ask_records(tally);

        status = run(tally);
        if (status != LP_STORE_OK) {
            return status;
        }
    } while (mark_repeated(tally));

    for (round = 0; round < ROUNDS; round++) {
        if (lp_tally_take_records(tally) != 0) {
            return LP_STORE_DOWN;
        }

        if (lp_tally_ask_records(tally) == 0) {
            return LP_STORE_OK;
        }

        status = run(tally);
        if (status != LP_STORE_OK) {
            return status;
        }
    }

    return lp_tally_take_records(tally) == 0 ? LP_STORE_OK : LP_STORE_DOWN;
}

/* A key of another type is no reason to stop for ever: whoever reads its reply
   makes do without. */
static lp_store_status_t
run(lp_tally_t *tally)
{
    lp_store_status_t status;

    status = lp_store_run(tally->writer);
    tally->added = 0;

    if (status == LP_STORE_REFUSED
        && strcmp(lp_store_error(tally->writer), "WRONGTYPE") == 0) {
        return LP_STORE_OK;
    }

    return status;
}

static void
ask_bits(lp_tally_t *tally)
{
    lp_batch_t       *batch = &tally->batch;
    lp_batch_entry_t *entry;
    lp_span_t         words[2 + LP_BATCH_ENTRIES];
    lp_number_t       bit;
    char              turn[LP_USAGE_KEY_MAX];
    uint64_t          n;
    uint32_t          i;

    words[0] = lp_span("WATCH");
    words[1] = (lp_span_t) {turn, lp_key_turn(turn, batch->shard)};
    for (i = 0; i < batch->seen.n; i++) {
        words[2 + i] = lp_name(&batch->seen, i);
    }

    lp_tally_add(tally, (lp_words_t) {words, 2 + batch->seen.n});

    for (i = 0; i < batch->n_entries; i++) {
        entry = &batch->entries[i];

        if (entry->readable) {
            n = entry->entry.sequence % LP_SEEN_BITS;
            entry->reply = lp_tally_add(
                tally, LP_WORDS(lp_span("GETBIT"),
                                lp_name(&batch->seen, entry->seen),
                                lp_number(&bit, n)));
        }
    }
}

/* Returns 1 where an entry turned out to be counted: the sums are wrong. */
static int
mark_repeated(lp_tally_t *tally)
{
    lp_batch_t       *batch = &tally->batch;
    lp_batch_entry_t *entry;
    const redisReply *reply;
    unsigned          i;
    int               marked;

    marked = 0;

    for (i = 0; i < batch->n_entries; i++) {
        entry = &batch->entries[i];
        if (!entry->readable || entry->repeated) {
            continue;
        }

        reply = lp_store_reply(tally->writer, entry->reply);
        if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
            /* its key is no bitmap: nobody can tell whether it was counted */
            entry->readable = 0;
            marked = 1;
        } else if (reply->integer != 0 || doubled(batch, i)) {
            entry->repeated = 1;
            marked = 1;
        }
    }

    return marked;
}

/* The same entry stands twice in the stream, and both are here. */
static int
doubled(const lp_batch_t *batch, unsigned i)
{
    const lp_batch_entry_t *entry = &batch->entries[i], *other;
    unsigned                j;

    for (j = 0; j < i; j++) {
        other = &batch->entries[j];

        if (other->readable && other->seen == entry->seen
            && other->entry.sequence == entry->entry.sequence) {
            return 1;
        }
    }

    return 0;
}

static lp_store_status_t
write_all(lp_tally_t *tally)
{
    lp_batch_t       *batch = &tally->batch;
    const redisReply *exec;
    lp_store_status_t status;
    uint32_t          i;

    lp_store_begin(tally->writer);
    write_seen(tally);

    lp_tally_write_records(tally);

    for (i = 0; i < batch->cells.n; i++) {
        if (batch->cell[i].clicks > 0) {
            write_cell(tally, i);
        }
    }

    write_state(tally);

    status = lp_store_commit(tally->writer);
    tally->added = 0;

    if (status == LP_STORE_REFUSED
        && strcmp(lp_store_error(tally->writer), "WRONGTYPE") == 0) {
        /* all but the commands on that key are done, the bits are set */
        status = LP_STORE_OK;
    }

    if (status != LP_STORE_OK) {
        return status;
    }

    exec = lp_store_exec(tally->writer);
    see_changes(tally, exec);

    return lp_tally_mend_records(tally, exec);
}

static void
write_seen(lp_tally_t *tally)
{
    lp_batch_t       *batch = &tally->batch;
    lp_batch_entry_t *entry;
    lp_number_t       number;
    char              turn[LP_USAGE_KEY_MAX];
    uint64_t          n;
    uint32_t          i;

    n = lp_key_turn(turn, batch->shard);
    lp_tally_add(tally, LP_WORDS(lp_span("INCR"), ((lp_span_t) {turn, n})));

    for (i = 0; i < batch->n_entries; i++) {
        entry = &batch->entries[i];

        if (entry->readable && !entry->repeated) {
            n = entry->entry.sequence % LP_SEEN_BITS;
            lp_tally_add(tally, LP_WORDS(lp_span("SETBIT"),
                                         lp_name(&batch->seen, entry->seen),
                                         lp_number(&number, n),
                                         lp_span("1")));
        }
    }

    for (i = 0; i < batch->seen.n; i++) {
        lp_tally_add(tally, LP_WORDS(lp_span("EXPIRE"),
                                     lp_name(&batch->seen, i),
                                     lp_number(&number,
                                               LP_SEEN_DAYS * DAY_S)));
    }
}

/* Clicks, and the users in chunks. */
static void
write_cell(lp_tally_t *tally, uint32_t i)
{
    lp_batch_t      *batch = &tally->batch;
    lp_batch_cell_t *cell = &batch->cell[i];
    lp_span_t        words[2 + CHUNK], user;
    lp_number_t      number;
    uint32_t         reader;
    unsigned         n;

    cell->reply = lp_tally_add(
        tally, LP_WORDS(lp_span("HINCRBY"),
                        lp_name(&batch->weeks, cell->week), cell->product,
                        lp_number(&number, cell->clicks)));
    words[0] = lp_span("PFADD");
    words[1] = lp_name(&batch->cells, i);
    n = 0;

    for (reader = cell->readers; reader != 0;
         reader = batch->reader[reader - 1].before) {
        user = lp_name(&batch->readers, reader - 1);
        user.data += user.len - LP_USER_KEY_LEN;
        user.len = LP_USER_KEY_LEN;
        words[2 + n++] = user;

        if (n == CHUNK || batch->reader[reader - 1].before == 0) {
            lp_tally_add(tally, (lp_words_t) {words, 2 + n});
            n = 0;
        }
    }
}

/* What all tallies have done since ever. */
static void
write_state(lp_tally_t *tally)
{
    lp_batch_t *batch = &tally->batch;
    uint64_t    entries, repeated, unreadable;
    unsigned    i;

    entries = 0;
    repeated = 0;
    unreadable = 0;

    for (i = 0; i < batch->n_entries; i++) {
        if (batch->entries[i].repeated) {
            repeated++;
        } else if (batch->entries[i].readable) {
            entries++;
        } else if (!batch->entries[i].deleted) {
            unreadable++;
        }
    }

    add_state(tally, lp_span("entries"), entries);
    add_state(tally, lp_span("repeated"), repeated);
    add_state(tally, lp_span("unreadable_entries"), unreadable);
    add_state(tally, lp_span("lines"), batch->lines);
    add_state(tally, lp_span("unreadable_lines"), batch->unreadable);
    add_state(tally, lp_span("without_school"), batch->schoolless);
}

static void
add_state(lp_tally_t *tally, lp_span_t name, uint64_t n)
{
    lp_number_t number;

    if (n > 0) {
        lp_tally_add(tally, LP_WORDS(lp_span("HINCRBY"),
                                     lp_span("tally:state"), name,
                                     lp_number(&number, n)));
    }
}

/* exec NULL: it is not known what the commands came to. */
static void
see_changes(lp_tally_t *tally, const redisReply *exec)
{
    lp_batch_t      *batch = &tally->batch;
    lp_batch_cell_t *cell;
    unsigned         i;
    int              unknown;

    unknown = exec == NULL;
    for (i = 0; i < batch->n_entries; i++) {
        unknown |= batch->entries[i].repeated;
    }

    for (i = 0; i < batch->cells.n; i++) {
        cell = &batch->cell[i];
        cell->changed = unknown || cell_changed(cell, exec);
        batch->week[cell->week].changed |= cell->changed;
    }
}

static int
cell_changed(const lp_batch_cell_t *cell, const redisReply *exec)
{
    unsigned i, n;

    n = 1 + (cell->n_readers + CHUNK - 1) / CHUNK;

    if (exec->elements < cell->reply + n) {
        return 1;
    }

    /* the product is new in this week */
    if (exec->element[cell->reply]->integer == (long long) cell->clicks) {
        return 1;
    }

    for (i = 1; i < n; i++) {
        if (exec->element[cell->reply + i]->integer == 1) {
            return 1;
        }
    }

    return 0;
}

static lp_store_status_t
settle(lp_tally_t *tally)
{
    lp_batch_t       *batch = &tally->batch;
    const redisReply *reply;
    lp_store_status_t status;
    lp_number_t       number;
    lp_span_t         key;
    uint32_t          i;

    for (i = 0; i < batch->cells.n; i++) {
        if (batch->cell[i].changed) {
            key = lp_name(&batch->cells, i);
            batch->cell[i].reply = lp_tally_add(
                tally, LP_WORDS(lp_span("PFCOUNT"), key));
            lp_tally_add(tally, LP_WORDS(lp_span("EXPIRE"), key,
                                         lp_number(&number, LP_READERS_DAYS
                                                                * DAY_S)));
        }
    }

    for (i = 0; i < batch->weeks.n; i++) {
        if (batch->week[i].changed) {
            settle_week(tally, &batch->week[i], lp_name(&batch->weeks, i));
        }
    }

    status = run(tally);
    if (status != LP_STORE_OK) {
        return status;
    }

    for (i = 0; i < batch->cells.n; i++) {
        reply = lp_store_reply(tally->writer, batch->cell[i].reply);

        if (batch->cell[i].changed && reply != NULL
            && reply->type == REDIS_REPLY_INTEGER) {
            write_readers(tally, i, (uint64_t) reply->integer);
        }
    }

    acknowledge(tally);

    return run(tally);
}

/* The report finds the schools of a week in weeks:... */
static void
settle_week(lp_tally_t *tally, const lp_batch_week_t *week, lp_span_t key)
{
    lp_span_t   list, seconds;
    lp_number_t number;
    char        name[LP_USAGE_KEY_MAX];

    list.data = name;
    list.len = lp_key_weeks(name, lp_shard(week->school), week->week);

    seconds = lp_number(&number, LP_WEEK_DAYS * DAY_S);

    lp_tally_add(tally, LP_WORDS(lp_span("EXPIRE"), key, seconds));
    lp_tally_add(tally, LP_WORDS(lp_span("SADD"), list, week->school));
    lp_tally_add(tally, LP_WORDS(lp_span("EXPIRE"), list, seconds));
}

/* "<product>|r": their number stays when who they are is gone. */
static void
write_readers(lp_tally_t *tally, uint32_t i, uint64_t n)
{
    lp_batch_cell_t *cell = &tally->batch.cell[i];
    lp_number_t      number;
    char             name[PRODUCT_MAX];

    memcpy(name, cell->product.data, cell->product.len);
    memcpy(name + cell->product.len, "|r", 2);
    lp_tally_add(tally, LP_WORDS(lp_span("HSET"),
                                 lp_name(&tally->batch.weeks, cell->week),
                                 (lp_span_t) {name, cell->product.len + 2},
                                 lp_number(&number, n)));
}

/* Deleted before it is acknowledged: what lies between the two when the
   connection ends is pending still, and read again; else it stayed for ever. */
static void
acknowledge(lp_tally_t *tally)
{
    lp_batch_t *batch = &tally->batch;
    lp_span_t   words[3 + LP_BATCH_ENTRIES];
    char        key[LP_KEY_MAX];
    unsigned    i;

    words[1] = lp_span("XDEL");
    words[2] = (lp_span_t) {key, lp_key_usage(key, batch->shard)};

    for (i = 0; i < batch->n_entries; i++) {
        words[3 + i] = batch->entries[i].id;
    }

    lp_tally_add(tally, (lp_words_t) {words + 1, 2 + batch->n_entries});

    words[0] = lp_span("XACK");
    words[1] = words[2];
    words[2] = lp_span(LP_TALLY_GROUP);
    lp_tally_add(tally, (lp_words_t) {words, 3 + batch->n_entries});
}

unsigned
lp_tally_add(lp_tally_t *tally, lp_words_t words)
{
    lp_store_add(tally->writer, words);

    return tally->added++;
}
