/*
 * Where a person can be: in the name of a key (rights u:, what signing out left
 * beside them, a private customer's list i:, tries), in the fields user, user2,
 * user3 of a record e:, of a code, a session and the link of an LMS' account,
 * sealed in a message that waits (journal, outbox, dead letters), in a click
 * that waits to be counted (usage). Every key is looked at: a record whose
 * right was withdrawn is in no other place.
 *
 * A message that waits goes on without the person: the seller still has to hear
 * of the licence. A click that waits is counted without its reader, under the
 * same number of its producer, so that it counts once. The readers of a week
 * are HyperLogLogs, which nobody can read a person from or take one out of;
 * they expire.
 */

#include "privacy.h"

#include <stdlib.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "../core/json.h"
#include "../core/keys.h"
#include "../core/token.h"
#include "pairs.h"
#include "record.h"

#define ASK_MAX 4096 /* records of one batch of keys */

/* Streams that are being changed; the lines are of an entry of usage:. */
typedef struct {
    lp_person_t *person;
    char        *lines;
} erasing_t;

static int visit_keys(void *owner, const lp_span_t *keys, unsigned n);
static void sort_key(lp_person_t *person, lp_span_t key);
static void add(lp_person_t *person, lp_names_t *names, lp_span_t text);
static int is_user(const lp_person_t *person, lp_span_t text);
static int ask_about(lp_person_t *person, const lp_span_t *keys, unsigned n);
static void judge_hash(lp_person_t *person, lp_span_t key,
                       const redisReply *users);
static void add_index(lp_person_t *person, const char *kind, lp_span_t hash);
static int visit_letter(void *owner, lp_span_t key, lp_span_t id,
                        const redisReply *fields);
static int is_about(lp_person_t *person, lp_span_t sealed);
static int is_person(lp_person_t *person, const json_t *reference);
static int is_id(lp_person_t *person, const char *type, const json_t *id);
static int visit_clicks(void *owner, lp_span_t key, lp_span_t id,
                        const redisReply *fields);
static uint64_t count_clicks(const lp_person_t *person, lp_span_t lines);
static int erase_found(lp_person_t *person, lp_person_counts_t *counts);
static int erase_users(lp_store_t *store, const lp_names_t *keys);
static int rebuild_streams(lp_person_t *person, erasing_t *change,
                           lp_person_counts_t *counts);
static int without_person(void *owner, const redisReply *fields,
                          lp_span_t *words);
static int without_reader(void *owner, const redisReply *fields,
                          lp_span_t *words);

int
lp_person_find(lp_person_t *person)
{
    uint32_t known;

    do {
        known = person->users.n;
        lp_person_reset(person);
        if (lp_keys_walk(person->store, visit_keys, person) != 0
            || lp_waiting_walk(person->store, &person->streams, visit_letter,
                               visit_clicks, person) != 0
            || person->failed) {
            return -1;
        }
    } while (person->users.n > known);
    return 0;
}

int
lp_person_is_unknown(const lp_person_t *person)
{
    return person->rights.n + person->lists.n + person->tries.n
               + person->codes.n + person->records.n + person->sessions.n
               + person->indexes.n + person->links.n + person->letters
               + person->clicks
           == 0;
}

void
lp_person_reset(lp_person_t *person)
{
    lp_names_reset(&person->rights);
    lp_names_reset(&person->lists);
    lp_names_reset(&person->tries);
    lp_names_reset(&person->codes);
    lp_names_reset(&person->records);
    lp_names_reset(&person->sessions);
    lp_names_reset(&person->indexes);
    lp_names_reset(&person->links);
    lp_names_reset(&person->streams);
    person->letters = 0;
    person->clicks = 0;
    person->sealed = 0;
}

void
lp_person_free(lp_person_t *person)
{
    lp_names_free(&person->users);
    lp_names_free(&person->rights);
    lp_names_free(&person->lists);
    lp_names_free(&person->tries);
    lp_names_free(&person->codes);
    lp_names_free(&person->records);
    lp_names_free(&person->sessions);
    lp_names_free(&person->indexes);
    lp_names_free(&person->links);
    lp_names_free(&person->streams);
}

/* Keys. */

static int
visit_keys(void *owner, const lp_span_t *keys, unsigned n)
{
    lp_person_t *person = owner;
    lp_span_t    asked[ASK_MAX], rest;
    unsigned     i, n_asked = 0;

    for (i = 0; i < n; i++) {
        if (lp_key_after(keys[i], "e", &rest)
            || lp_key_after(keys[i], "code", &rest)
            || lp_key_after(keys[i], "session", &rest)
            || lp_key_after(keys[i], "link", &rest)) {
            asked[n_asked++] = keys[i];
        } else {
            sort_key(person, keys[i]);
        }
        if (n_asked == ASK_MAX || i + 1 == n) {
            if (ask_about(person, asked, n_asked) != 0) {
                return -1;
            }
            n_asked = 0;
        }
    }
    return 0;
}

static void
sort_key(lp_person_t *person, lp_span_t key)
{
    lp_span_t rest, user;

    if (lp_key_after(key, "u", &rest) || lp_key_after(key, "i", &rest)
        || lp_key_after(key, "signout", &rest)) {
        if (rest.len <= LP_USER_KEY_LEN) {
            return;
        }
        user.data = rest.data + rest.len - LP_USER_KEY_LEN;
        user.len = LP_USER_KEY_LEN;
        if (user.data[-1] == '/' && is_user(person, user)) {
            add(person, key.data[0] == 'u'   ? &person->rights
                        : key.data[0] == 'i' ? &person->lists
                                             : &person->indexes,
                key);
        }
    } else if (lp_key_after(key, "tries", &rest)) {
        user = (lp_span_t) {rest.data, LP_USER_KEY_LEN};
        if (rest.len >= LP_USER_KEY_LEN && is_user(person, user)) {
            add(person, &person->tries, key);
        }
    } else if (lp_key_holds_letters(key)) {
        add(person, &person->streams, key);
    }
}

static void
add(lp_person_t *person, lp_names_t *names, lp_span_t text)
{
    if (lp_names_add(names, text) == LP_NAMES_FULL) {
        person->failed = 1;
    }
}

static int
is_user(const lp_person_t *person, lp_span_t text)
{
    uint32_t i;

    for (i = 0; i < person->users.n; i++) {
        if (lp_span_equal(lp_name(&person->users, i), text)) {
            return 1;
        }
    }
    return 0;
}

/* Whose records, codes, sessions and links these are. A key of another type is
   nobody's. */
static int
ask_about(lp_person_t *person, const lp_span_t *keys, unsigned n)
{
    const redisReply *reply;
    unsigned          i;

    for (i = 0; i < n; i++) {
        lp_store_add(person->store,
                     LP_WORDS(lp_span("HMGET"), keys[i], lp_span("user"),
                              lp_span("user2"), lp_span("user3"),
                              lp_span("sub"), lp_span("sid")));
    }
    if (n > 0 && lp_store_run(person->store) == LP_STORE_DOWN) {
        return -1;
    }
    for (i = 0; i < n; i++) {
        reply = lp_store_reply(person->store, i);
        if (lp_reply_failed(reply)) {
            return -1;
        }
        judge_hash(person, keys[i], reply);
    }
    return person->failed ? -1 : 0;
}

/* The users of one record are ids of one person. */
static void
judge_hash(lp_person_t *person, lp_span_t key, const redisReply *users)
{
    lp_span_t user;
    size_t    i;
    int       ours = 0;

    if (users == NULL || users->type != REDIS_REPLY_ARRAY
        || users->elements != LP_TOKEN_USERS + 2) {
        return;
    }
    for (i = 0; i < LP_TOKEN_USERS; i++) {
        ours |= is_user(person, lp_store_text(users->element[i]));
    }
    if (!ours) {
        return;
    }
    add(person, key.data[0] == 'e'   ? &person->records
                : key.data[0] == 'c' ? &person->codes
                : key.data[0] == 'l' ? &person->links
                                     : &person->sessions,
        key);
    if (key.data[0] == 's') {
        add_index(person, "subs", lp_store_text(users->element[i]));
        add_index(person, "sids", lp_store_text(users->element[i + 1]));
    }
    for (i = 0; i < LP_TOKEN_USERS; i++) {
        user = lp_store_text(users->element[i]);
        if (user.len == LP_USER_KEY_LEN) {
            add(person, &person->users, user);
        }
    }
}

/* By which a provider's logout finds sessions: of one person alone. */
static void
add_index(lp_person_t *person, const char *kind, lp_span_t hash)
{
    char key[LP_KEY_MAX];

    if (hash.len == LP_USER_KEY_LEN) {
        add(person, &person->indexes,
            (lp_span_t) {key, lp_key_of(key, kind, hash)});
    }
}

/* Streams. */

static int
visit_letter(void *owner, lp_span_t key, lp_span_t id,
             const redisReply *fields)
{
    lp_person_t *person = owner;

    (void) key;
    (void) id;
    switch (is_about(person, lp_pairs_find(fields, "person"))) {
    case 1:
        person->letters++;
        break;
    case -1:
        person->sealed++;
        break;
    default:
        break;
    }
    return 0;
}

/* 1: it is this person; 0: it is not; -1: it can't be opened. */
static int
is_about(lp_person_t *person, lp_span_t sealed)
{
    char    text[LP_SEAL_TEXT_MAX];
    size_t  len;
    json_t *reference;
    int     rc;

    if (sealed.len == 0) {
        return 0;
    }
    if (person->seal == NULL
        || lp_seal_open(person->seal, text, &len, "person", sealed) != 0) {
        return -1;
    }
    reference = json_loadb(text, len, 0, NULL);
    OPENSSL_cleanse(text, sizeof(text));
    rc = reference == NULL ? -1 : is_person(person, reference);
    json_decref(reference);
    return rc;
}

/* A UserReference (Edu-V): an ECK iD, other ids, or both. */
static int
is_person(lp_person_t *person, const json_t *reference)
{
    const json_t *ids = json_object_get(reference, "userIds"), *id;
    const char   *type;
    size_t        i;

    if (is_id(person, "ECK",
              json_object_get(reference, "userMasterIdentifier"))) {
        return 1;
    }
    for (i = 0; i < json_array_size(ids); i++) {
        id = json_array_get(ids, i);
        type = json_string_value(json_object_get(id, "userIdType"));
        if (type != NULL && is_id(person, type,
                                  json_object_get(id, "userId"))) {
            return 1;
        }
    }
    return 0;
}

static int
is_id(lp_person_t *person, const char *type, const json_t *id)
{
    lp_span_t text = lp_json_text(id);
    char      user[LP_USER_KEY_LEN];

    return text.len > 0
           && lp_user_key(user, person->pepper, lp_span_of(type), text) == 0
           && is_user(person, (lp_span_t) {user, LP_USER_KEY_LEN});
}

static int
visit_clicks(void *owner, lp_span_t key, lp_span_t id,
             const redisReply *fields)
{
    lp_person_t *person = owner;

    (void) key;
    (void) id;
    person->clicks += count_clicks(person, lp_pairs_find(fields, "b"));
    return 0;
}

static uint64_t
count_clicks(const lp_person_t *person, lp_span_t lines)
{
    const char *p, *end = lines.data + lines.len;
    lp_span_t   user;
    uint64_t    n = 0;
    uint32_t    i;

    for (i = 0; i < person->users.n && lines.len > 0; i++) {
        user = lp_name(&person->users, i);
        p = lines.data;
        while ((p = memmem(p, (size_t) (end - p), user.data, user.len))
               != NULL) {
            p += user.len;
            n++;
        }
    }
    return n;
}

/* Erasing. */

int
lp_person_erase(lp_person_t *person, lp_person_counts_t *counts)
{
    unsigned pass;

    memset(counts, 0, sizeof(*counts));
    for (pass = 0; pass < LP_ERASURE_PASSES; pass++) {
        if (erase_found(person, counts) != 0 || lp_person_find(person) != 0) {
            return -1;
        }
        if (lp_person_is_unknown(person)) {
            return 0;
        }
    }
    return -1;
}

static int
erase_found(lp_person_t *person, lp_person_counts_t *counts)
{
    erasing_t change = {person, malloc(LP_USAGE_MAX)};
    int       rc = -1;

    if (change.lines != NULL
        && lp_keys_delete(person->store, &person->indexes) == 0
        && lp_keys_delete(person->store, &person->sessions) == 0
        && lp_keys_delete(person->store, &person->links) == 0
        && lp_keys_delete(person->store, &person->rights) == 0
        && lp_keys_delete(person->store, &person->lists) == 0
        && lp_keys_delete(person->store, &person->tries) == 0
        && erase_users(person->store, &person->codes) == 0
        && rebuild_streams(person, &change, counts) == 0
        && erase_users(person->store, &person->records) == 0) {
        counts->rights += person->rights.n;
        counts->others += person->lists.n + person->tries.n;
        counts->codes += person->codes.n;
        counts->clicks += person->clicks;
        counts->records += person->records.n;
        counts->sessions += person->sessions.n;
        counts->links += person->links.n;
        rc = 0;
    }
    free(change.lines);
    return rc;
}

static int
erase_users(lp_store_t *store, const lp_names_t *keys)
{
    uint32_t i;

    for (i = 0; i < keys->n; i++) {
        lp_store_add(store,
                     LP_WORDS(lp_span("HDEL"), lp_name(keys, i),
                              lp_span("user"), lp_span("user2"),
                              lp_span("user3")));
    }
    return lp_store_run(store) == LP_STORE_OK ? 0 : -1;
}

static int
rebuild_streams(lp_person_t *person, erasing_t *change,
                lp_person_counts_t *counts)
{
    uint64_t            entries = 0; /* the clicks in them count */
    lp_waiting_change_t changes = {without_person, without_reader, change,
                                   &counts->letters, &entries};

    return lp_waiting_rebuild(person->store, &person->streams, &changes);
}

static int
without_person(void *owner, const redisReply *fields, lp_span_t *words)
{
    erasing_t *change = owner;
    lp_span_t  name;
    size_t     i;
    int        n = 0;

    if (is_about(change->person, lp_pairs_find(fields, "person")) != 1) {
        return -1;
    }
    for (i = 0; i + 1 < fields->elements && n + 2 <= LP_ENTRY_WORDS; i += 2) {
        name = lp_store_text(fields->element[i]);
        if (!lp_span_equal(name, lp_span("person"))) {
            words[n++] = name;
            words[n++] = lp_store_text(fields->element[i + 1]);
        }
    }
    return n > 0 ? n : -1;
}

/* "-" in the place of the user key: the lines become shorter. */
static int
without_reader(void *owner, const redisReply *fields, lp_span_t *words)
{
    erasing_t *change = owner;
    lp_span_t  lines = lp_pairs_find(fields, "b"), user;
    size_t     at = 0, len = 0;

    if (lines.len > LP_USAGE_MAX || count_clicks(change->person, lines) == 0) {
        return -1;
    }
    while (at < lines.len) {
        user = (lp_span_t) {lines.data + at, LP_USER_KEY_LEN};
        if (lines.len - at >= LP_USER_KEY_LEN
            && is_user(change->person, user)) {
            change->lines[len++] = '-';
            at += LP_USER_KEY_LEN;
        } else {
            change->lines[len++] = lines.data[at++];
        }
    }
    return lp_waiting_lines(fields, (lp_span_t) {change->lines, len}, words);
}
