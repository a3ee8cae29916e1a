/*
 * XDEL does not forget: an entry is marked as deleted inside a block of a
 * hundred, and its bytes stay in memory and in every dump until the last entry
 * of the block has gone. A message that was delivered yesterday, a click that
 * was counted, are still there to be found. So a stream is made anew, under
 * another name, from the entries that are alive, and put in the place of the
 * old one: the ids stay, and groups with what is pending in them, so that the
 * relay and the tally notice nothing. One transaction under WATCH; a stream
 * that somebody wrote to meanwhile is read again.
 *
 * It also changes relay:lock without changing its value: the relay moves
 * entries under WATCH of that key, and what it had read before must not be
 * moved after what is there now.
 */

#include "erasure.h"

#include <stdio.h>
#include <stdlib.h>

#include "pairs.h"
#include "relay_lock.h"

#define ATTEMPTS    50
#define GROUPS_MAX  4
#define PENDING_MAX "100000"
#define NAME_ROOM   160 /* a key, a group, an id, each with a NUL */

/* The first replies of read_all(). */
#define REPLY_ENTRIES 0
#define REPLY_STREAM  1
#define REPLY_LOCK    2
#define REPLY_PENDING 3 /* of the first group */

typedef struct {
    char name[NAME_ROOM];
    char last[NAME_ROOM]; /* delivered */
} group_t;

typedef struct {
    lp_store_t       *store;
    lp_span_t         key;
    char              name[NAME_ROOM]; /* of the new one, until it is there */
    lp_span_t         made;
    lp_entry_change_t change;
    void             *owner;
    group_t           groups[GROUPS_MAX];
    unsigned          n_groups;
    uint64_t          kept;
    uint64_t          changed;
} rebuild_t;

static lp_store_status_t attempt(rebuild_t *rebuild);
static lp_store_status_t look(rebuild_t *rebuild, int *there);
static lp_store_status_t read_groups(rebuild_t *rebuild);
static int keep(char *dst, lp_span_t text);
static lp_store_status_t read_all(rebuild_t *rebuild);
static lp_store_status_t write_all(rebuild_t *rebuild);
static void add_entry(rebuild_t *rebuild, const redisReply *entry);
static void add_group(rebuild_t *rebuild, const group_t *group,
                      const redisReply *pending);

int
lp_stream_rebuild(lp_store_t *store, lp_span_t key, lp_entry_change_t change,
                  void *owner, uint64_t *n)
{
    rebuild_t         rebuild;
    lp_store_status_t status = LP_STORE_CONFLICT;
    unsigned          i;

    memset(&rebuild, 0, sizeof(rebuild));
    rebuild.store = store;
    rebuild.key = key;
    rebuild.change = change;
    rebuild.owner = owner;
    rebuild.made.data = rebuild.name;
    rebuild.made.len = (size_t) snprintf(rebuild.name, sizeof(rebuild.name),
                                         "%.*s:new", (int) key.len, key.data);
    if (rebuild.made.len >= sizeof(rebuild.name)) {
        return 0; /* no stream of ours has such a name */
    }
    for (i = 0; i < ATTEMPTS && status == LP_STORE_CONFLICT; i++) {
        status = attempt(&rebuild);
    }
    *n += status == LP_STORE_OK ? rebuild.changed : 0;
    return status == LP_STORE_OK ? 0 : -1;
}

static lp_store_status_t
attempt(rebuild_t *rebuild)
{
    lp_store_status_t status;
    int               there = 0;

    rebuild->kept = 0;
    rebuild->changed = 0;
    rebuild->n_groups = 0;
    status = look(rebuild, &there);
    if (status == LP_STORE_OK && there) {
        status = read_groups(rebuild);
    }
    if (status == LP_STORE_OK && there) {
        status = read_all(rebuild);
    }
    if (status != LP_STORE_OK || !there) {
        lp_store_unwatch(rebuild->store);
        return status;
    }
    return write_all(rebuild);
}

/* An empty stream has nothing left in it. */
static lp_store_status_t
look(rebuild_t *rebuild, int *there)
{
    const redisReply *reply;

    lp_store_add(rebuild->store, LP_WORDS(lp_span("WATCH"), rebuild->key,
                                          lp_span(LP_RELAY_LOCK)));
    lp_store_add(rebuild->store, LP_WORDS(lp_span("XLEN"), rebuild->key));
    if (lp_store_run(rebuild->store) != LP_STORE_OK) {
        return lp_store_status(rebuild->store);
    }
    reply = lp_store_reply(rebuild->store, 1);
    *there = reply != NULL && reply->type == REDIS_REPLY_INTEGER
             && reply->integer > 0;
    return LP_STORE_OK;
}

static lp_store_status_t
read_groups(rebuild_t *rebuild)
{
    const redisReply *reply;
    group_t          *group;
    size_t            i;

    reply = lp_store_ask(rebuild->store,
                         LP_WORDS(lp_span("XINFO"), lp_span("GROUPS"),
                                  rebuild->key));
    if (reply == NULL) {
        return lp_store_status(rebuild->store);
    }
    for (i = 0; i < reply->elements; i++) {
        group = &rebuild->groups[rebuild->n_groups];
        if (rebuild->n_groups == GROUPS_MAX
            || keep(group->name, lp_pairs_find(reply->element[i], "name")) != 0
            || keep(group->last, lp_pairs_find(reply->element[i],
                                               "last-delivered-id"))
                   != 0) {
            return LP_STORE_REFUSED; /* not made by us: left as it is */
        }
        rebuild->n_groups++;
    }
    return LP_STORE_OK;
}

static int
keep(char *dst, lp_span_t text)
{
    if (text.len == 0 || text.len >= NAME_ROOM) {
        return -1;
    }
    memcpy(dst, text.data, text.len);
    dst[text.len] = '\0';
    return 0;
}

static lp_store_status_t
read_all(rebuild_t *rebuild)
{
    lp_store_t *store = rebuild->store;
    unsigned    i;

    lp_store_add(store, LP_WORDS(lp_span("XRANGE"), rebuild->key, lp_span("-"),
                                 lp_span("+")));
    lp_store_add(store, LP_WORDS(lp_span("XINFO"), lp_span("STREAM"),
                                 rebuild->key));
    lp_store_add(store, LP_WORDS(lp_span("GET"), lp_span(LP_RELAY_LOCK)));
    for (i = 0; i < rebuild->n_groups; i++) {
        lp_store_add(store,
                     LP_WORDS(lp_span("XPENDING"), rebuild->key,
                              lp_span_of(rebuild->groups[i].name),
                              lp_span("-"), lp_span("+"),
                              lp_span(PENDING_MAX)));
    }
    return lp_store_run(store);
}

static lp_store_status_t
write_all(rebuild_t *rebuild)
{
    lp_store_t       *store = rebuild->store;
    const redisReply *entries = lp_store_reply(store, REPLY_ENTRIES);
    lp_span_t         last, lock;
    unsigned          i;
    size_t            j;

    last = lp_pairs_find(lp_store_reply(store, REPLY_STREAM),
                         "last-generated-id");
    lock = lp_store_text(lp_store_reply(store, REPLY_LOCK));
    lp_store_begin(store);
    lp_store_add(store, LP_WORDS(lp_span("DEL"), rebuild->made));
    for (j = 0; j < entries->elements; j++) {
        add_entry(rebuild, entries->element[j]);
    }
    for (i = 0; i < rebuild->n_groups; i++) {
        add_group(rebuild, &rebuild->groups[i],
                  lp_store_reply(store, REPLY_PENDING + i));
    }
    if (rebuild->kept + rebuild->n_groups > 0) {
        lp_store_add(store, LP_WORDS(lp_span("XSETID"), rebuild->made, last));
        lp_store_add(store, LP_WORDS(lp_span("RENAME"), rebuild->made,
                                     rebuild->key));
    } else {
        lp_store_add(store, LP_WORDS(lp_span("DEL"), rebuild->key));
    }
    if (lock.len > 0) {
        lp_store_add(store, LP_WORDS(lp_span("SET"), lp_span(LP_RELAY_LOCK),
                                     lock, lp_span("XX"), lp_span("KEEPTTL")));
    }
    return lp_store_commit(store);
}

static void
add_entry(rebuild_t *rebuild, const redisReply *entry)
{
    const redisReply *fields;
    lp_span_t         words[LP_ENTRY_WORDS + 3];
    size_t            i;
    int               n;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2) {
        return;
    }
    fields = entry->element[1];
    words[0] = lp_span("XADD");
    words[1] = rebuild->made;
    words[2] = lp_store_text(entry->element[0]);
    n = rebuild->change(rebuild->owner, fields, words + 3);
    rebuild->changed += n >= 0;
    if (n < 0) {
        for (i = 0; i < fields->elements && i < LP_ENTRY_WORDS; i++) {
            words[3 + i] = lp_store_text(fields->element[i]);
        }
        n = (int) i;
    }
    if (n > 0) {
        lp_store_add(rebuild->store, (lp_words_t) {words, (unsigned) n + 3});
        rebuild->kept++;
    }
}

/* What is pending stays with its consumer; entries that are gone do not. */
static void
add_group(rebuild_t *rebuild, const group_t *group, const redisReply *pending)
{
    const redisReply *one;
    lp_span_t         name = lp_span_of(group->name);
    size_t            i;

    lp_store_add(rebuild->store,
                 LP_WORDS(lp_span("XGROUP"), lp_span("CREATE"), rebuild->made,
                          name, lp_span_of(group->last),
                          lp_span("MKSTREAM")));
    for (i = 0; pending != NULL && i < pending->elements; i++) {
        one = pending->element[i];
        if (one->type == REDIS_REPLY_ARRAY && one->elements == 4) {
            lp_store_add(rebuild->store,
                         LP_WORDS(lp_span("XCLAIM"), rebuild->made, name,
                                  lp_store_text(one->element[1]),
                                  lp_span("0"), lp_store_text(one->element[0]),
                                  lp_span("FORCE"), lp_span("JUSTID")));
        }
    }
}
