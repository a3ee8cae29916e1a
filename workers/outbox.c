/*
 * Why nothing is lost and nothing doubled here: XADD to the outbox, XACK and
 * XDEL of the journal's entry are one transaction, under WATCH of the lock.
 * Killed before EXEC, the entry is still pending for the group's one consumer,
 * and is read again first of all; killed after it, it is in the outbox. A
 * successor uses the same consumer's name, so that it finds what was pending.
 */

#include "outbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define GROUP        "relay"
#define TAKE_COUNT   "16" /* of each of the 64 streams */
#define XADD_WORDS   (3 + 2 * (LP_LETTER_FIELDS + 2))
#define XREAD_WORDS  (9 + 2 * LP_SHARDS)
#define KEY_ROOM     16
#define NUMBER_MAX   32
#define FIRST_ID    "-"

int
lp_oin_valid(lp_span_t oin)
{
    size_t i;

    for (i = 0; i < oin.len; i++) {
        if (oin.data[i] < '0' || oin.data[i] > '9') {
            return 0;
        }
    }
    return oin.len == LP_OIN_LEN;
}

lp_span_t
lp_outbox_key(char *dst, const char *kind, lp_span_t oin)
{
    int n;

    n = snprintf(dst, LP_OUTBOX_KEY_MAX, "%s:%.*s", kind, (int) oin.len,
                 oin.data);
    return (lp_span_t) {dst, (size_t) n};
}

/* The journal. */

/* XGROUP CREATE for each stream; BUSYGROUP says that it is there already. */
static lp_relay_lock_status_t
make_groups(lp_outbox_t *outbox)
{
    lp_store_t       *store = outbox->lock->store;
    const redisReply *reply;
    char              key[LP_KEY_MAX];
    size_t            len;
    unsigned          i;

    for (i = 0; i < LP_SHARDS; i++) {
        len = lp_key_journal(key, i);
        lp_store_add(store,
                     LP_WORDS(lp_span("XGROUP"), lp_span("CREATE"),
                              {key, len}, lp_span(GROUP), lp_span("0"),
                              lp_span("MKSTREAM")));
    }
    if (lp_store_run(store) == LP_STORE_DOWN) {
        return LP_LOCK_FAILED;
    }
    for (i = 0; i < LP_SHARDS; i++) {
        reply = lp_store_reply(store, i);
        if (reply == NULL
            || (reply->type == REDIS_REPLY_ERROR
                && strncmp(reply->str, "BUSYGROUP", 9) != 0)) {
            return LP_LOCK_FAILED;
        }
    }
    outbox->grouped = 1;
    outbox->pending = 1;
    return LP_LOCK_HELD;
}

static void
add_read(lp_outbox_t *outbox, int block_ms)
{
    lp_span_t words[XREAD_WORDS];
    char      keys[LP_SHARDS][KEY_ROOM], block[NUMBER_MAX];
    unsigned  n = 0, i;
    int       blocks = block_ms > 0 && !outbox->pending;

    words[n++] = lp_span("XREADGROUP");
    words[n++] = lp_span("GROUP");
    words[n++] = lp_span(GROUP);
    words[n++] = lp_span(GROUP); /* the consumer */
    words[n++] = lp_span("COUNT");
    words[n++] = lp_span(TAKE_COUNT);
    if (blocks) {
        snprintf(block, sizeof(block), "%d", block_ms);
        words[n++] = lp_span("BLOCK");
        words[n++] = lp_span_of(block);
    }
    words[n++] = lp_span("STREAMS");
    for (i = 0; i < LP_SHARDS; i++) {
        words[n++] = (lp_span_t) {keys[i], lp_key_journal(keys[i], i)};
    }
    for (i = 0; i < LP_SHARDS; i++) {
        words[n++] = outbox->pending ? lp_span("0") : lp_span(">");
    }
    lp_store_add(outbox->lock->store, (lp_words_t) {words, n});
}

void
lp_outbox_add_letter(lp_store_t *store, const char *kind, lp_span_t oin,
                     const lp_letter_t *letter, const char *reason)
{
    lp_span_t words[XADD_WORDS];
    char      key[LP_OUTBOX_KEY_MAX];
    unsigned  n = 0, i;

    words[n++] = lp_span("XADD");
    words[n++] = lp_outbox_key(key, kind, oin);
    words[n++] = lp_span("*");
    for (i = 0; i < letter->n; i++) {
        if (!lp_span_equal(letter->fields[i].name, lp_span("reason"))) {
            words[n++] = letter->fields[i].name;
            words[n++] = letter->fields[i].value;
        }
    }
    if (reason != NULL) {
        words[n++] = lp_span("reason");
        words[n++] = lp_span_of(reason);
    }
    lp_store_add(store, (lp_words_t) {words, n});
}

/* Gives the letter the time at which it came into the journal. */
static void
add_since(lp_letter_t *letter, lp_span_t id)
{
    const char        *hyphen = memchr(id.data, '-', id.len);
    lp_letter_field_t *field;

    if (letter->n == LP_LETTER_FIELDS || hyphen == NULL
        || lp_letter_value(letter, "since").len > 0) {
        return;
    }
    field = &letter->fields[letter->n++];
    field->name = lp_span("since");
    field->value = (lp_span_t) {id.data, (size_t) (hyphen - id.data)};
}

static int
add_entry(lp_outbox_t *outbox, const redisReply *fields, lp_span_t id,
          lp_outbox_moved_t moved, void *owner)
{
    lp_store_t *store = outbox->lock->store;
    lp_letter_t letter;
    lp_span_t   party;

    if (lp_letter_read(&letter, fields) != 0) {
        return -1;
    }
    add_since(&letter, id);
    party = lp_letter_value(&letter, "party");
    if (lp_oin_valid(party)) {
        lp_outbox_add_letter(store, "outbox", party, &letter, NULL);
        lp_store_add(store, LP_WORDS(lp_span("SADD"),
                                     lp_span(LP_OUTBOX_PARTIES), party));
        moved(owner, party);
    } else if (letter.n > 0) {
        lp_outbox_add_letter(store, "dead", lp_span(LP_OUTBOX_NOBODY),
                             &letter, "it names no party");
    }
    lp_letter_free(&letter);
    return 0;
}

/* All entries of one stream, as [id, fields] each. */
static int
add_stream(lp_outbox_t *outbox, const redisReply *stream,
           lp_outbox_moved_t moved, void *owner, unsigned *n)
{
    lp_store_t       *store = outbox->lock->store;
    const redisReply *entries, *entry;
    lp_span_t         key, id;
    size_t            i;

    if (stream->type != REDIS_REPLY_ARRAY || stream->elements != 2
        || stream->element[1]->type != REDIS_REPLY_ARRAY) {
        return 0;
    }
    key = lp_store_text(stream->element[0]);
    entries = stream->element[1];
    for (i = 0; i < entries->elements; i++) {
        entry = entries->element[i];
        if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2) {
            continue;
        }
        id = lp_store_text(entry->element[0]);
        if (add_entry(outbox, entry->element[1], id, moved, owner) != 0) {
            return -1;
        }
        lp_store_add(store, LP_WORDS(lp_span("XACK"), key, lp_span(GROUP), id));
        lp_store_add(store, LP_WORDS(lp_span("XDEL"), key, id));
        (*n)++;
    }
    return 0;
}

static int
has_entries(const redisReply *read)
{
    size_t i;

    for (i = 0; read->type == REDIS_REPLY_ARRAY && i < read->elements; i++) {
        if (read->element[i]->elements == 2
            && read->element[i]->element[1]->elements > 0) {
            return 1;
        }
    }
    return 0;
}

static lp_relay_lock_status_t
move(lp_outbox_t *outbox, const redisReply *read, lp_outbox_moved_t moved,
     void *owner, unsigned *n)
{
    lp_store_t            *store = outbox->lock->store;
    lp_relay_lock_status_t status = LP_LOCK_FAILED;
    size_t                 i;
    int                    failed = 0;

    lp_store_begin(store);
    for (i = 0; i < read->elements; i++) {
        failed |= add_stream(outbox, read->element[i], moved, owner, n);
    }
    if (failed) {
        lp_store_add(store, LP_WORDS(lp_span("DISCARD")));
        (void) lp_store_run(store);
    } else {
        status = lp_relay_lock_commit(outbox->lock);
    }
    if (status != LP_LOCK_HELD) {
        outbox->pending = 1; /* whether it was done will show then */
        *n = 0;
    }
    return status;
}

lp_relay_lock_status_t
lp_outbox_take(lp_outbox_t *outbox, int block_ms, lp_outbox_moved_t moved,
               void *owner, unsigned *n)
{
    lp_store_t            *store = outbox->lock->store;
    const redisReply      *read;
    lp_relay_lock_status_t status;

    *n = 0;
    if (!outbox->grouped) {
        status = make_groups(outbox);
        if (status != LP_LOCK_HELD) {
            return status;
        }
    }
    lp_relay_lock_add(outbox->lock);
    add_read(outbox, block_ms);
    if (lp_store_run(store) != LP_STORE_OK) {
        outbox->grouped = strcmp(lp_store_error(store), "NOGROUP") != 0;
        outbox->pending = 1; /* what was read may be so without our knowing */
        lp_store_unwatch(store);
        return LP_LOCK_FAILED;
    }
    if (!lp_relay_lock_is_ours(outbox->lock)) {
        lp_store_unwatch(store);
        outbox->pending = 1;
        return LP_LOCK_OTHERS;
    }
    read = lp_store_reply(store, 2);
    if (!has_entries(read)) {
        lp_store_unwatch(store);
        outbox->pending = 0;
        return LP_LOCK_HELD;
    }
    return move(outbox, read, moved, owner, n);
}

/* Outboxes. */

lp_relay_lock_status_t
lp_outbox_done(lp_outbox_t *outbox, lp_span_t oin, const lp_span_t *ids,
               unsigned n)
{
    lp_store_t            *store = outbox->lock->store;
    char                   key[LP_OUTBOX_KEY_MAX], state[LP_OUTBOX_KEY_MAX];
    lp_span_t              waiting = lp_outbox_key(key, "outbox", oin);
    lp_relay_lock_status_t status = lp_relay_lock_watch(outbox->lock);
    unsigned               i;

    if (status != LP_LOCK_HELD) {
        return status;
    }
    lp_store_begin(store);
    for (i = 0; i < n; i++) {
        lp_store_add(store, LP_WORDS(lp_span("XDEL"), waiting, ids[i]));
    }
    lp_store_add(store, LP_WORDS(lp_span("DEL"),
                                 lp_outbox_key(state, "relay", oin)));
    return lp_relay_lock_commit(outbox->lock);
}

/* A commit whose answer was lost may have been done: then the message is gone
   from the outbox, and must not be buried twice. */
lp_relay_lock_status_t
lp_outbox_bury(lp_outbox_t *outbox, lp_span_t oin, lp_span_t id,
               const lp_letter_t *letter, const char *reason)
{
    lp_store_t *store = outbox->lock->store;
    char        key[LP_OUTBOX_KEY_MAX];
    lp_span_t   waiting = lp_outbox_key(key, "outbox", oin);

    lp_relay_lock_add(outbox->lock);
    lp_store_add(store, LP_WORDS(lp_span("XRANGE"), waiting, id, id));
    if (lp_store_run(store) != LP_STORE_OK) {
        lp_store_unwatch(store);
        return LP_LOCK_FAILED;
    }
    if (!lp_relay_lock_is_ours(outbox->lock)
        || lp_store_reply(store, 2)->elements == 0) {
        lp_store_unwatch(store);
        return lp_relay_lock_is_ours(outbox->lock) ? LP_LOCK_HELD
                                                   : LP_LOCK_OTHERS;
    }
    lp_store_begin(store);
    lp_outbox_add_letter(store, "dead", oin, letter, reason);
    lp_store_add(store, LP_WORDS(lp_span("XDEL"), waiting, id));
    return lp_relay_lock_commit(outbox->lock);
}

lp_relay_lock_status_t
lp_outbox_pause(lp_outbox_t *outbox, lp_span_t oin, const lp_pause_t *pause)
{
    lp_store_t            *store = outbox->lock->store;
    char                   key[LP_OUTBOX_KEY_MAX];
    char                   failures[NUMBER_MAX], next[NUMBER_MAX];
    lp_relay_lock_status_t status = lp_relay_lock_watch(outbox->lock);

    if (status != LP_LOCK_HELD) {
        return status;
    }
    snprintf(failures, sizeof(failures), "%" PRId64, pause->failures);
    snprintf(next, sizeof(next), "%" PRId64 ".%03d", pause->next / 1000,
             (int) (pause->next % 1000));
    lp_store_begin(store);
    lp_store_add(store,
                 LP_WORDS(lp_span("HSET"), lp_outbox_key(key, "relay", oin),
                          lp_span("failures"), lp_span_of(failures),
                          lp_span("next"), lp_span_of(next), lp_span("reason"),
                          lp_span_of(pause->reason)));
    return lp_relay_lock_commit(outbox->lock);
}

const redisReply *
lp_outbox_read(lp_store_t *store, lp_span_t oin, const char *after, unsigned n)
{
    char              key[LP_OUTBOX_KEY_MAX], from[LP_OUTBOX_ID_MAX + 1];
    char              count[NUMBER_MAX];
    const redisReply *reply;

    snprintf(from, sizeof(from), "%s%s", after[0] == '\0' ? "" : "(",
             after[0] == '\0' ? FIRST_ID : after);
    snprintf(count, sizeof(count), "%u", n);
    reply = lp_store_ask(store, LP_WORDS(lp_span("XRANGE"),
                                         lp_outbox_key(key, "outbox", oin),
                                         lp_span_of(from), lp_span("+"),
                                         lp_span("COUNT"), lp_span_of(count)));
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY ? reply : NULL;
}

/* "<seconds>.<3 digits>", or seconds alone, as milliseconds. */
static int64_t
read_moment(const char *text)
{
    char     *end;
    long long seconds = strtoll(text, &end, 10);

    if (seconds < 0 || seconds > INT32_MAX * (int64_t) 8) {
        return 0;
    }
    if (end[0] != '.' || strspn(end + 1, "0123456789") != 3) {
        return seconds * 1000;
    }
    return seconds * 1000 + strtol(end + 1, NULL, 10);
}

void
lp_pause_read(lp_pause_t *pause, const redisReply *reply)
{
    const char *name, *value;
    size_t      i;

    memset(pause, 0, sizeof(*pause));
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        return;
    }
    for (i = 0; i + 1 < reply->elements; i += 2) {
        name = reply->element[i]->str;
        value = reply->element[i + 1]->str;
        if (name == NULL || value == NULL) {
            continue;
        }
        if (strcmp(name, "failures") == 0) {
            pause->failures = strtoll(value, NULL, 10);
        } else if (strcmp(name, "next") == 0) {
            pause->next = read_moment(value);
        } else if (strcmp(name, "reason") == 0) {
            snprintf(pause->reason, sizeof(pause->reason), "%s", value);
        }
    }
    if (pause->failures < 1 || pause->failures > INT32_MAX) {
        pause->failures = 0;
    }
}
