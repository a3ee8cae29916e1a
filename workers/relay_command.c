/*
 * leerpoort relay status|retry: what waits for other parties, and why. The
 * command reads what the relay keeps in Redis (outbox.h); it never speaks to a
 * party itself.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <jansson.h>

#include "commands.h"
#include "outbox.h"
#include "say.h"
#include "store_args.h"

#define TIMEOUT_MS  2000
#define LATE_S      900 /* a message that waits for longer is stuck */
#define PER_PARTY   4   /* questions about each */
#define BATCH       100 /* dead letters in one transaction */
#define BATCH_WORD  "100"
#define TRIES_MAX   100 /* when others change the dead letters meanwhile */

typedef struct {
    char       oin[LP_OIN_LEN + 1];
    int64_t    waiting;
    int64_t    oldest; /* Unix seconds; 0: nothing waits */
    int64_t    dead;
    lp_pause_t pause;
} party_t;

typedef struct {
    int      works;   /* a relay holds the lock */
    int64_t  journal; /* entries that no relay has taken */
    party_t *list;
    unsigned n;
} relay_status_t;

static int64_t
number_of(const redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_INTEGER ? reply->integer
                                                               : 0;
}

/* The journal and the lock. */
static int
read_relay(lp_store_t *store, relay_status_t *status)
{
    const redisReply *lock;
    char              key[LP_KEY_MAX];
    size_t            len;
    unsigned          i;

    for (i = 0; i < LP_SHARDS; i++) {
        len = lp_key_journal(key, i);
        lp_store_add(store, LP_WORDS(lp_span("XLEN"), {key, len}));
    }
    lp_store_add(store, LP_WORDS(lp_span("GET"), lp_span(LP_RELAY_LOCK)));
    if (lp_store_run(store) != LP_STORE_OK) {
        return lp_store_say(store);
    }
    for (i = 0; i < LP_SHARDS; i++) {
        status->journal += number_of(lp_store_reply(store, i));
    }
    lock = lp_store_reply(store, LP_SHARDS);
    status->works = lock != NULL && lock->type == REDIS_REPLY_STRING;
    return LP_YES;
}

static int
by_oin(const void *a, const void *b)
{
    return strcmp(((const party_t *) a)->oin, ((const party_t *) b)->oin);
}

/* All that had an outbox, and the place of entries without a party. */
static int
read_oins(lp_store_t *store, relay_status_t *status)
{
    const redisReply *reply;
    lp_span_t         oin;
    size_t            i;

    reply = lp_store_ask(store, LP_WORDS(lp_span("SMEMBERS"),
                                         lp_span(LP_OUTBOX_PARTIES)));
    if (reply == NULL) {
        return lp_store_say(store);
    }
    status->list = calloc(reply->elements + 1, sizeof(party_t));
    if (status->list == NULL) {
        lp_say("out of memory");
        return LP_NO;
    }
    for (i = 0; i < reply->elements; i++) {
        oin = lp_store_text(reply->element[i]);
        if (lp_oin_valid(oin)) {
            memcpy(status->list[status->n++].oin, oin.data, oin.len);
        }
    }
    qsort(status->list, status->n, sizeof(party_t), by_oin);
    memcpy(status->list[status->n++].oin, LP_OUTBOX_NOBODY,
           sizeof(LP_OUTBOX_NOBODY));
    return LP_YES;
}

static void
ask_party(lp_store_t *store, const char *oin)
{
    char      outbox[LP_OUTBOX_KEY_MAX], dead[LP_OUTBOX_KEY_MAX];
    char      state[LP_OUTBOX_KEY_MAX];
    lp_span_t waiting = lp_outbox_key(outbox, "outbox", lp_span_of(oin));

    lp_store_add(store, LP_WORDS(lp_span("XLEN"), waiting));
    lp_store_add(store, LP_WORDS(lp_span("XRANGE"), waiting, lp_span("-"),
                                 lp_span("+"), lp_span("COUNT"),
                                 lp_span("1")));
    lp_store_add(store,
                 LP_WORDS(lp_span("XLEN"),
                          lp_outbox_key(dead, "dead", lp_span_of(oin))));
    lp_store_add(store,
                 LP_WORDS(lp_span("HGETALL"),
                          lp_outbox_key(state, "relay", lp_span_of(oin))));
}

/* When the first message came into the journal, in seconds. */
static int64_t
first_since(const redisReply *entries)
{
    lp_letter_t letter;
    lp_span_t   since;
    char        digits[24];
    int64_t     ms = 0;

    if (entries == NULL || entries->elements != 1
        || entries->element[0]->elements != 2
        || lp_letter_read(&letter, entries->element[0]->element[1]) != 0) {
        return 0;
    }
    since = lp_letter_value(&letter, "since");
    if (since.len > 0 && since.len < sizeof(digits)) {
        memcpy(digits, since.data, since.len);
        digits[since.len] = '\0';
        ms = strtoll(digits, NULL, 10);
    }
    lp_letter_free(&letter);
    return ms / 1000;
}

static int
read_parties(lp_store_t *store, relay_status_t *status)
{
    party_t *party;
    unsigned i, at;

    if (read_oins(store, status) != LP_YES) {
        return LP_NO;
    }
    for (i = 0; i < status->n; i++) {
        ask_party(store, status->list[i].oin);
    }
    if (lp_store_run(store) != LP_STORE_OK) {
        return lp_store_say(store);
    }
    for (i = 0; i < status->n; i++) {
        party = &status->list[i];
        at = i * PER_PARTY;
        party->waiting = number_of(lp_store_reply(store, at));
        party->oldest = first_since(lp_store_reply(store, at + 1));
        party->dead = number_of(lp_store_reply(store, at + 2));
        lp_pause_read(&party->pause, lp_store_reply(store, at + 3));
    }
    if (status->list[status->n - 1].dead == 0) {
        status->n--; /* nothing without a party */
    }
    return LP_YES;
}

/* Judging. */

static int
is_late(const party_t *party, int64_t now)
{
    return party->oldest > 0 && now - party->oldest > LATE_S;
}

/* Says what is stuck; LP_YES where nothing is. */
static int
judge(const relay_status_t *status, int64_t now)
{
    const party_t *party;
    int64_t        waiting = status->journal;
    unsigned       i;
    int            rc = LP_YES;

    for (i = 0; i < status->n; i++) {
        party = &status->list[i];
        waiting += party->waiting;
        if (party->pause.failures > 0) {
            lp_say("%s can't be reached or fails; messages wait", party->oin);
            rc = LP_NO;
        } else if (is_late(party, now)) {
            lp_say("%s: a message waits for more than %d minutes", party->oin,
                   LATE_S / 60);
            rc = LP_NO;
        }
        if (party->dead > 0) {
            lp_say("%s has dead letters; see their reasons in the relay's log",
                   party->oin);
            rc = LP_NO;
        }
    }
    if (!status->works && waiting > 0) {
        lp_say("messages wait and no relay works");
        rc = LP_NO;
    }
    return rc;
}

/* Showing. */

static void
print_party(const party_t *party, int64_t now)
{
    char when[LP_WHEN_MAX], shown[LP_ESCAPED_MAX];

    printf("%s  waiting %" PRId64 ", dead letters %" PRId64 "\n", party->oin,
           party->waiting, party->dead);
    if (party->oldest > 0) {
        printf("    oldest   %s\n", lp_when(when, party->oldest, now));
    }
    if (party->pause.failures > 0) {
        printf("    failures %" PRId64 "\n", party->pause.failures);
        printf("    next try %s\n",
               lp_when(when, party->pause.next / 1000, now));
        printf("    reason   %s\n",
               lp_escape(shown, lp_span_of(party->pause.reason), 64));
    }
}

static void
print_status(const relay_status_t *status, int64_t now)
{
    unsigned i;

    printf("relay    %s\n", status->works ? "works" : "none");
    printf("journal  %" PRId64 " not taken yet\n", status->journal);
    for (i = 0; i < status->n; i++) {
        print_party(&status->list[i], now);
    }
}

static json_t *
party_json(const party_t *party)
{
    int     paused = party->pause.failures > 0;
    json_t *json;

    json = json_pack("{s:s, s:I, s:I, s:I}", "oin", party->oin, "waiting",
                     (json_int_t) party->waiting, "dead",
                     (json_int_t) party->dead, "failures",
                     (json_int_t) party->pause.failures);
    json_object_set_new(json, "oldest",
                        party->oldest > 0 ? json_integer(party->oldest)
                                          : json_null());
    json_object_set_new(json, "next",
                        paused ? json_integer(party->pause.next / 1000)
                               : json_null());
    json_object_set_new(json, "reason",
                        paused ? json_string(party->pause.reason)
                               : json_null());
    return json;
}

static void
print_json(const relay_status_t *status, int ok)
{
    json_t  *json, *parties = json_array();
    char    *text;
    unsigned i;

    for (i = 0; i < status->n; i++) {
        json_array_append_new(parties, party_json(&status->list[i]));
    }
    json = json_pack("{s:b, s:b, s:I, s:o}", "ok", ok, "relay", status->works,
                     "journal", (json_int_t) status->journal, "parties",
                     parties);
    text = json_dumps(json, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    puts(text == NULL ? "{}" : text);
    free(text);
    json_decref(json);
}

int
lp_command_relay_status(const lp_args_t *args)
{
    relay_status_t status = {0, 0, NULL, 0};
    lp_store_t    *store;
    int64_t        now = time(NULL);
    int            rc = lp_store_of_args(&store, args, TIMEOUT_MS);

    if (rc == LP_YES) {
        rc = read_relay(store, &status);
    }
    if (rc == LP_YES) {
        rc = read_parties(store, &status);
    }
    if (rc == LP_YES) {
        rc = judge(&status, now);
        if (args->value[LP_OPT_JSON] != NULL) {
            print_json(&status, rc == LP_YES);
        } else {
            print_status(&status, now);
        }
    }
    free(status.list);
    lp_store_destroy(store);
    return rc;
}

/* retry */

/* The id of the last dead letter of now: those that come later stay. */
static int
last_dead(lp_store_t *store, lp_span_t dead, char *last)
{
    const redisReply *reply;
    lp_span_t         id;

    last[0] = '\0';
    reply = lp_store_ask(store, LP_WORDS(lp_span("XREVRANGE"), dead,
                                         lp_span("+"), lp_span("-"),
                                         lp_span("COUNT"), lp_span("1")));
    if (reply == NULL) {
        return lp_store_say(store);
    }
    if (reply->elements == 1 && reply->element[0]->elements == 2) {
        id = lp_store_text(reply->element[0]->element[0]);
        if (id.len < LP_OUTBOX_ID_MAX && id.len > 0) {
            memcpy(last, id.data, id.len);
            last[id.len] = '\0';
        }
    }
    return LP_YES;
}

static void
add_moves(lp_store_t *store, lp_span_t oin, lp_span_t dead,
          lp_letter_t *letters, char (*ids)[LP_OUTBOX_ID_MAX], unsigned n)
{
    unsigned i;

    lp_store_begin(store);
    for (i = 0; i < n; i++) {
        lp_outbox_add_letter(store, "outbox", oin, &letters[i], NULL);
        lp_store_add(store, LP_WORDS(lp_span("XDEL"), dead,
                                     lp_span_of(ids[i])));
    }
    lp_store_add(store, LP_WORDS(lp_span("SADD"), lp_span(LP_OUTBOX_PARTIES),
                                 oin));
}

/* Moves up to a batch. *n: how many there were; *moved grows. */
static lp_store_status_t
move_batch(lp_store_t *store, lp_span_t oin, lp_span_t dead, const char *last,
           unsigned *n, int64_t *moved)
{
    lp_letter_t       letters[BATCH];
    char              ids[BATCH][LP_OUTBOX_ID_MAX];
    const redisReply *reply, *entry;
    lp_store_status_t status;
    unsigned          i;

    *n = 0;
    lp_store_add(store, LP_WORDS(lp_span("WATCH"), dead));
    lp_store_add(store, LP_WORDS(lp_span("XRANGE"), dead, lp_span("-"),
                                 lp_span_of(last), lp_span("COUNT"),
                                 lp_span(BATCH_WORD)));
    status = lp_store_run(store);
    if (status != LP_STORE_OK) {
        return status;
    }
    reply = lp_store_reply(store, 1);
    for (i = 0; i < reply->elements && i < BATCH; i++) {
        entry = reply->element[i];
        snprintf(ids[i], sizeof(ids[i]), "%s", entry->element[0]->str);
        if (lp_letter_read(&letters[i], entry->element[1]) != 0) {
            break;
        }
        (*n)++;
    }
    if (*n == 0) {
        lp_store_unwatch(store);
        return LP_STORE_OK;
    }
    add_moves(store, oin, dead, letters, ids, *n);
    for (i = 0; i < *n; i++) {
        lp_letter_free(&letters[i]);
    }
    status = lp_store_commit(store);
    *moved += status == LP_STORE_OK ? *n : 0;
    return status;
}

static int
move_dead(lp_store_t *store, lp_span_t oin)
{
    char              key[LP_OUTBOX_KEY_MAX], last[LP_OUTBOX_ID_MAX];
    lp_span_t         dead = lp_outbox_key(key, "dead", oin);
    lp_store_status_t status;
    int64_t           moved = 0;
    unsigned          n = 1, conflicts = 0;

    if (last_dead(store, dead, last) != LP_YES) {
        return LP_NO;
    }
    while (last[0] != '\0' && n > 0) {
        status = move_batch(store, oin, dead, last, &n, &moved);
        if (status == LP_STORE_CONFLICT && ++conflicts < TRIES_MAX) {
            continue;
        }
        if (status != LP_STORE_OK) {
            return lp_store_say(store);
        }
    }
    printf("dead letters put back: %" PRId64 "\n", moved);
    return LP_YES;
}

static int
is_known(lp_store_t *store, lp_span_t oin)
{
    const redisReply *reply;

    reply = lp_store_ask(store,
                         LP_WORDS(lp_span("SISMEMBER"),
                                  lp_span(LP_OUTBOX_PARTIES), oin));
    if (reply == NULL) {
        return lp_store_say(store);
    }
    if (number_of(reply) == 0) {
        lp_say("nothing was ever sent to %.*s", (int) oin.len, oin.data);
        return LP_NO;
    }
    return LP_YES;
}

/* The relay looks at this once a second. */
static int
end_pause(lp_store_t *store, lp_span_t oin)
{
    const redisReply *reply;
    char              name[LP_OUTBOX_KEY_MAX];
    lp_span_t         key = lp_outbox_key(name, "relay", oin);

    reply = lp_store_ask(store, LP_WORDS(lp_span("EXISTS"), key));
    if (reply != NULL && number_of(reply) == 0) {
        puts("it is not paused");
        return LP_YES;
    }
    if (reply == NULL
        || lp_store_ask(store, LP_WORDS(lp_span("HSET"), key, lp_span("next"),
                                        lp_span("0"))) == NULL) {
        return lp_store_say(store);
    }
    puts("the next attempt is now");
    return LP_YES;
}

int
lp_command_relay_retry(const lp_args_t *args)
{
    lp_span_t   oin = lp_span_of(args->operand);
    lp_store_t *store = NULL;
    int         rc;

    if (!lp_oin_valid(oin)) {
        return lp_args_refuse(args, "an OIN is %d digits", LP_OIN_LEN);
    }
    rc = lp_store_of_args(&store, args, TIMEOUT_MS);
    if (rc == LP_YES) {
        rc = is_known(store, oin);
    }
    if (rc == LP_YES && args->value[LP_OPT_DEAD] != NULL) {
        rc = move_dead(store, oin);
    }
    if (rc == LP_YES) {
        rc = end_pause(store, oin);
    }
    lp_store_destroy(store);
    return rc;
}
