/*
 * First goes what lets the school in: its name, its aliases, its open rights.
 * From then on no click and no message makes anything new. Last go the records
 * (school_records.c).
 */

#include "school_erasure.h"

#include <stdio.h>
#include <stdlib.h>

#include "../core/keys.h"
#include "pairs.h"
#include "record.h"

#define HEAD_LEN 7 /* "e:{NN}:" */

/* Streams that are being changed; the lines are of an entry of usage:. */
typedef struct {
    lp_school_data_t *data;
    char             *lines;
} erasing_t;

static void reset(lp_school_data_t *data);
static int visit_keys(void *owner, const lp_span_t *keys, unsigned n);
static int ask_about(lp_school_data_t *data, lp_span_t key);
static int sort_key(lp_school_data_t *data, lp_span_t key);
static int judge(lp_school_data_t *data, lp_span_t key,
                 const redisReply *reply);
static int begins(lp_span_t rest, lp_span_t school, char joint);
static void add(lp_school_data_t *data, lp_names_t *names, lp_span_t text);
static int visit_letter(void *owner, lp_span_t key, lp_span_t id,
                        const redisReply *fields);
static int is_letter(lp_school_data_t *data, const redisReply *fields);
static int visit_clicks(void *owner, lp_span_t key, lp_span_t id,
                        const redisReply *fields);
static int is_line(const lp_school_data_t *data, lp_span_t line);
static lp_span_t next_line(lp_span_t *rest);
static int erase_found(lp_school_data_t *data, const char *receipt,
                       lp_school_counts_t *counts);
static int leave_weeks(lp_school_data_t *data);
static int rebuild_streams(lp_school_data_t *data,
                           lp_school_counts_t *counts);
static int drop_letter(void *owner, const redisReply *fields,
                       lp_span_t *words);
static int without_school(void *owner, const redisReply *fields,
                          lp_span_t *words);

int
lp_school_data_find(lp_school_data_t *data)
{
    reset(data);
    if (lp_keys_walk(data->store, visit_keys, data) != 0 || data->failed) {
        return -1;
    }
    data->n_ids = data->ids.n;
    return lp_waiting_walk(data->store, &data->streams, visit_letter,
                           visit_clicks, data) == 0
                   && !data->failed
               ? 0
               : -1;
}

int
lp_school_data_is_empty(const lp_school_data_t *data)
{
    return data->keys.n + data->aliases.n + data->weeks.n + data->records.n
               + data->letters + data->clicks
           == 0;
}

static void
reset(lp_school_data_t *data)
{
    lp_names_reset(&data->keys);
    lp_names_reset(&data->aliases);
    lp_names_reset(&data->weeks);
    lp_names_reset(&data->records);
    lp_names_reset(&data->ids);
    lp_names_reset(&data->streams);
    data->n_ids = 0;
    data->letters = 0;
    data->clicks = 0;
}

void
lp_school_data_free(lp_school_data_t *data)
{
    lp_names_free(&data->keys);
    lp_names_free(&data->aliases);
    lp_names_free(&data->weeks);
    lp_names_free(&data->records);
    lp_names_free(&data->ids);
    lp_names_free(&data->streams);
}

/* Keys. */

static int
visit_keys(void *owner, const lp_span_t *keys, unsigned n)
{
    lp_school_data_t *data = owner;
    const redisReply *reply;
    unsigned          i, asked = 0;

    for (i = 0; i < n; i++) {
        asked += (unsigned) ask_about(data, keys[i]);
    }
    if (asked > 0 && lp_store_run(data->store) == LP_STORE_DOWN) {
        return -1;
    }
    asked = 0;
    for (i = 0; i < n; i++) {
        if (!sort_key(data, keys[i])) {
            continue;
        }
        reply = lp_store_reply(data->store, asked++);
        if (judge(data, keys[i], reply) != 0) {
            return -1;
        }
    }
    return data->failed ? -1 : 0;
}

/* Only the value says whose these are; sort_key() tells the same keys. */
static int
ask_about(lp_school_data_t *data, lp_span_t key)
{
    lp_span_t rest;

    if (lp_key_after(key, "a", &rest)) {
        lp_store_add(data->store, LP_WORDS(lp_span("GET"), key));
    } else if (lp_key_after(key, "weeks", &rest)) {
        lp_store_add(data->store,
                     LP_WORDS(lp_span("SISMEMBER"), key, data->school));
    } else if (lp_key_after(key, "report", &rest)) {
        lp_store_add(data->store,
                     LP_WORDS(lp_span("HEXISTS"), key, data->school));
    } else if (lp_key_after(key, "e", &rest)
               || lp_key_after(key, "code", &rest)
               || lp_key_after(key, "session", &rest)
               || lp_key_after(key, "link", &rest)) {
        lp_store_add(data->store,
                     LP_WORDS(lp_span("HGET"), key, lp_span("school")));
    } else {
        return 0;
    }
    return 1;
}

/* Notes what is the school's by its name; 1: the value was asked for. */
static int
sort_key(lp_school_data_t *data, lp_span_t key)
{
    static const char *const asked[] = {"a",    "weeks",   "report", "e",
                                        "code", "session", "link"};
    static const char *const whole[] = {"s", "school", "i"};
    static const char *const parts[] = {"week", "readers"};
    lp_span_t                rest, school = data->school;
    unsigned                 i;
    int                      ours = 0;

    for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        if (lp_key_after(key, asked[i], &rest)) {
            return 1;
        }
    }
    for (i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        ours |= lp_key_after(key, whole[i], &rest)
                && lp_span_equal(rest, school);
    }
    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        ours |= lp_key_after(key, parts[i], &rest) && begins(rest, school, ':');
    }
    ours |= (lp_key_after(key, "u", &rest)
             || lp_key_after(key, "signout", &rest))
            && begins(rest, school, '/');
    if (lp_key_after(key, "tries", &rest) && rest.len > 7
        && memcmp(rest.data, "school:", 7) == 0) {
        rest.data += 7;
        rest.len -= 7;
        ours |= lp_span_equal(rest, school) || begins(rest, school, ':');
    }
    if (ours) {
        add(data, &data->keys, key);
    } else if (lp_key_holds_letters(key)) {
        add(data, &data->streams, key);
    }
    return 0;
}

static int
begins(lp_span_t rest, lp_span_t school, char joint)
{
    return rest.len > school.len
           && memcmp(rest.data, school.data, school.len) == 0
           && rest.data[school.len] == joint;
}

/* A key of another type is no key of ours; other errors end it. */
static int
judge(lp_school_data_t *data, lp_span_t key, const redisReply *reply)
{
    if (lp_reply_failed(reply)) {
        return -1;
    }
    if (reply->type == REDIS_REPLY_INTEGER) {
        if (reply->integer == 1) {
            add(data, &data->weeks, key);
        }
        return 0;
    }
    if (!lp_span_equal(lp_store_text(reply), data->school)) {
        return 0;
    }
    if (key.data[0] == 'a') {
        add(data, &data->aliases, key);
    } else if (key.data[0] != 'e') {
        add(data, &data->keys, key);
    } else if (key.len == HEAD_LEN + LP_ENTITLEMENT_LEN) {
        add(data, &data->records, key);
        add(data, &data->ids, (lp_span_t) {key.data + HEAD_LEN,
                                           LP_ENTITLEMENT_LEN});
    }
    return 0;
}

static void
add(lp_school_data_t *data, lp_names_t *names, lp_span_t text)
{
    if (lp_names_add(names, text) == LP_NAMES_FULL) {
        data->failed = 1;
    }
}

/* Streams. */

/* A confirmation names no school, but one of its entitlements. */
static int
visit_letter(void *owner, lp_span_t key, lp_span_t id,
             const redisReply *fields)
{
    lp_school_data_t *data = owner;

    (void) key;
    (void) id;
    data->letters += (uint64_t) is_letter(data, fields);
    return data->failed ? -1 : 0;
}

static int
is_letter(lp_school_data_t *data, const redisReply *fields)
{
    lp_span_t entitlement = lp_pairs_find(fields, "entitlement");

    if (lp_span_equal(lp_pairs_find(fields, "school"), data->school)) {
        return 1;
    }
    /* one that is new to the list is none of the school's */
    return entitlement.len == LP_ENTITLEMENT_LEN
           && lp_names_add(&data->ids, entitlement) < data->n_ids;
}

static int
visit_clicks(void *owner, lp_span_t key, lp_span_t id,
             const redisReply *fields)
{
    lp_school_data_t *data = owner;
    lp_span_t         rest = lp_pairs_find(fields, "b");

    (void) key;
    (void) id;
    while (rest.len > 0) {
        if (is_line(data, next_line(&rest))) {
            data->clicks++;
            break;
        }
    }
    return 0;
}

/* "<unix> <school> ...": the second part. */
static int
is_line(const lp_school_data_t *data, lp_span_t line)
{
    const char *space = memchr(line.data, ' ', line.len);
    lp_span_t   rest;

    if (space == NULL) {
        return 0;
    }
    rest.data = space + 1;
    rest.len = line.len - (size_t) (rest.data - line.data);
    return begins(rest, data->school, ' ');
}

static lp_span_t
next_line(lp_span_t *rest)
{
    const char *end = memchr(rest->data, '\n', rest->len);
    lp_span_t   line = {rest->data, rest->len};

    if (end != NULL) {
        line.len = (size_t) (end + 1 - rest->data);
    }
    rest->data += line.len;
    rest->len -= line.len;
    return line;
}

/* Erasing. */

int
lp_school_data_erase(lp_school_data_t *data, const char *receipt,
                     lp_school_counts_t *counts)
{
    unsigned pass;

    memset(counts, 0, sizeof(*counts));
    for (pass = 0; pass < LP_ERASURE_PASSES; pass++) {
        if (erase_found(data, receipt, counts) != 0
            || lp_school_data_find(data) != 0) {
            return -1;
        }
        if (lp_school_data_is_empty(data)) {
            return 0;
        }
    }
    return -1;
}

static int
erase_found(lp_school_data_t *data, const char *receipt,
            lp_school_counts_t *counts)
{
    if (lp_keys_delete(data->store, &data->aliases) != 0
        || lp_keys_delete(data->store, &data->keys) != 0
        || leave_weeks(data) != 0 || rebuild_streams(data, counts) != 0
        || lp_school_records_erase(data, receipt) != 0) {
        return -1;
    }
    counts->keys += data->keys.n + data->weeks.n;
    counts->aliases += data->aliases.n;
    counts->records += data->records.n;
    return 0;
}

static int
leave_weeks(lp_school_data_t *data)
{
    lp_span_t key;
    uint32_t  i;

    for (i = 0; i < data->weeks.n; i++) {
        key = lp_name(&data->weeks, i);
        lp_store_add(data->store,
                     LP_WORDS(key.data[0] == 'w' ? lp_span("SREM")
                                                 : lp_span("HDEL"),
                              key, data->school));
    }
    return lp_store_run(data->store) == LP_STORE_OK ? 0 : -1;
}

static int
rebuild_streams(lp_school_data_t *data, lp_school_counts_t *counts)
{
    erasing_t           change = {data, malloc(LP_USAGE_MAX)};
    lp_waiting_change_t changes = {drop_letter, without_school, &change,
                                   &counts->letters, &counts->clicks};
    int                 rc = -1;

    if (change.lines != NULL) {
        rc = lp_waiting_rebuild(data->store, &data->streams, &changes);
    }
    free(change.lines);
    return rc;
}

static int
drop_letter(void *owner, const redisReply *fields, lp_span_t *words)
{
    erasing_t *change = owner;

    (void) words;
    return is_letter(change->data, fields) ? 0 : -1;
}

/* The entry stays, with its number: the tally expects each. */
static int
without_school(void *owner, const redisReply *fields, lp_span_t *words)
{
    erasing_t *change = owner;
    lp_span_t  rest = lp_pairs_find(fields, "b"), line;
    size_t     len = 0;
    int        ours = 0;

    if (rest.len > LP_USAGE_MAX) {
        return -1;
    }
    while (rest.len > 0) {
        line = next_line(&rest);
        if (is_line(change->data, line)) {
            ours = 1;
        } else {
            memcpy(change->lines + len, line.data, line.len);
            len += line.len;
        }
    }
    if (!ours) {
        return -1;
    }
    return lp_waiting_lines(fields, (lp_span_t) {change->lines, len}, words);
}
