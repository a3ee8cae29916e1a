/*
 * SCAN visits every key that is there from its beginning to its end; a key that
 * is made meanwhile is the next pass's. A batch of keys is copied before it is
 * visited, because the visitor asks Redis about them.
 */

#include "erasure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "redis_link.h"
#include "say.h"

#define TIMEOUT_MS   10000
#define TAG_LEN      5 /* "{NN}:" */
#define SCAN_COUNT   "1000"
#define RANGE_COUNT  "200"
#define DELETE_COUNT 1000
#define NUMBER_MAX   32
#define ID_MAX       48 /* room for "(", a stream's id and a NUL */
#define FIRST_ID     "-"
#define PAUSE_US     100000
#define PAUSES_MAX   36000 /* an hour for the append-only file */

typedef struct {
    lp_span_t *list;
    char      *bytes;
    unsigned   n;
} batch_t;

static int take_batch(batch_t *batch, const redisReply *keys);
static void free_batch(batch_t *batch);
static int64_t count_keys(lp_store_t *store);
static void show_progress(uint64_t seen, int64_t all, int end);
static int keep_id(char *dst, lp_span_t id);
static int rewriting(lp_store_t *store, int *ok);

int
lp_erasure_open(lp_store_t **store, const lp_args_t *args)
{
    lp_store_options_t options = {.timeout_ms = TIMEOUT_MS};
    lp_redis_t         link;
    int                rc;

    *store = NULL;
    /* it finds the address and says in words what is wrong with Redis */
    rc = lp_redis_open(&link, args);
    if (rc == LP_YES) {
        options.address = link.address;
        options.user = args->value[LP_OPT_USER];
        options.password_file = args->value[LP_OPT_PASSWORD_FILE];
        *store = lp_store_create(&options);
        if (*store == NULL) {
            lp_say("out of memory");
            rc = LP_NO;
        }
    }
    lp_redis_close(&link);
    return rc;
}

int
lp_erasure_failed(const lp_store_t *store)
{
    const char *word = lp_store_error(store);

    if (lp_store_status(store) == LP_STORE_REFUSED && word[0] != '\0') {
        lp_say("Redis refuses (%s): %s; what is done is done, do the rest by "
               "the same command", word, lp_redis_error_text(word));
    } else if (lp_store_status(store) == LP_STORE_CONFLICT) {
        lp_say("what waits changes faster than it can be gone through; stop "
               "leerpoort-relay for as long, and do the rest by the same "
               "command");
    } else {
        lp_say("Redis failed, or memory ran out; what is done is done, do "
               "the rest by the same command");
    }
    return LP_NO;
}

int
lp_keys_walk(lp_store_t *store, lp_keys_visit_t visit, void *owner)
{
    const redisReply *reply;
    char              cursor[NUMBER_MAX] = "0";
    batch_t           batch;
    int64_t           all = count_keys(store);
    uint64_t          seen = 0;
    int               rc;

    do {
        reply = lp_store_ask(store,
                             LP_WORDS(lp_span("SCAN"), lp_span_of(cursor),
                                      lp_span("COUNT"), lp_span(SCAN_COUNT)));
        if (reply == NULL || reply->type != REDIS_REPLY_ARRAY
            || reply->elements != 2
            || lp_store_text(reply->element[0]).len >= sizeof(cursor)
            || take_batch(&batch, reply->element[1]) != 0) {
            return -1;
        }
        snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
        seen += batch.n;
        rc = visit(owner, batch.list, batch.n);
        free_batch(&batch);
        show_progress(seen, all, strcmp(cursor, "0") == 0);
    } while (rc == 0 && strcmp(cursor, "0") != 0);
    return rc;
}

static int
take_batch(batch_t *batch, const redisReply *keys)
{
    lp_span_t key;
    size_t    i, size = 0;
    char     *p;

    for (i = 0; i < keys->elements; i++) {
        size += lp_store_text(keys->element[i]).len;
    }
    batch->n = 0;
    batch->list = calloc(keys->elements + 1, sizeof(lp_span_t));
    batch->bytes = malloc(size + 1);
    if (batch->list == NULL || batch->bytes == NULL) {
        free_batch(batch);
        return -1;
    }
    p = batch->bytes;
    for (i = 0; i < keys->elements; i++) {
        key = lp_store_text(keys->element[i]);
        if (key.len > 0) {
            memcpy(p, key.data, key.len);
            batch->list[batch->n++] = (lp_span_t) {p, key.len};
            p += key.len;
        }
    }
    return 0;
}

static void
free_batch(batch_t *batch)
{
    free(batch->list);
    free(batch->bytes);
}

static int64_t
count_keys(lp_store_t *store)
{
    const redisReply *reply = lp_store_ask(store, LP_WORDS(lp_span("DBSIZE")));

    return reply != NULL && reply->type == REDIS_REPLY_INTEGER
               ? (int64_t) reply->integer
               : 0;
}

static void
show_progress(uint64_t seen, int64_t all, int end)
{
    static uint64_t shown;
    uint64_t        percent;

    if (!isatty(STDERR_FILENO)) {
        return;
    }
    percent = all > 0 ? seen * 100 / (uint64_t) all : 100;
    if (end) {
        fputs("\r\033[K", stderr);
        shown = 0;
    } else if (seen - shown >= 20000) {
        shown = seen;
        fprintf(stderr, "\rlooking at every key: %" PRIu64 " (%" PRIu64 " %%)",
                seen, percent > 100 ? 100 : percent);
    }
}

int
lp_key_after(lp_span_t key, const char *kind, lp_span_t *rest)
{
    size_t len = strlen(kind);

    if (key.len <= len + 1 + TAG_LEN || memcmp(key.data, kind, len) != 0
        || memcmp(key.data + len, ":{", 2) != 0) {
        return 0;
    }
    rest->data = key.data + len + 1 + TAG_LEN;
    rest->len = key.len - len - 1 - TAG_LEN;
    return 1;
}

int
lp_key_holds_letters(lp_span_t key)
{
    return (key.len > 7 && memcmp(key.data, "outbox:", 7) == 0)
           || (key.len > 5 && memcmp(key.data, "dead:", 5) == 0);
}

int
lp_keys_delete(lp_store_t *store, const lp_names_t *keys)
{
    uint32_t i;

    for (i = 0; i < keys->n; i++) {
        lp_store_add(store, LP_WORDS(lp_span("DEL"), lp_name(keys, i)));
        if (i % DELETE_COUNT == DELETE_COUNT - 1
            && lp_store_run(store) != LP_STORE_OK) {
            return -1;
        }
    }
    return lp_store_run(store) == LP_STORE_OK ? 0 : -1;
}

int
lp_reply_failed(const redisReply *reply)
{
    return reply == NULL
           || (reply->type == REDIS_REPLY_ERROR
               && strncmp(reply->str, "WRONGTYPE", 9) != 0);
}

int
lp_stream_walk(lp_store_t *store, lp_span_t key, lp_entry_visit_t visit,
               void *owner)
{
    const redisReply *reply, *entry;
    char              from[ID_MAX] = FIRST_ID;
    size_t            i;

    do {
        reply = lp_store_ask(store, LP_WORDS(lp_span("XRANGE"), key,
                                             lp_span_of(from), lp_span("+"),
                                             lp_span("COUNT"),
                                             lp_span(RANGE_COUNT)));
        if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
            return -1;
        }
        for (i = 0; i < reply->elements; i++) {
            entry = reply->element[i];
            if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2
                || keep_id(from, lp_store_text(entry->element[0])) != 0
                || visit(owner, key, lp_store_text(entry->element[0]),
                         entry->element[1])
                       != 0) {
                return -1;
            }
        }
    } while (reply->elements > 0);
    return 0;
}

static int
keep_id(char *dst, lp_span_t id)
{
    int n = snprintf(dst, ID_MAX, "(%.*s", (int) id.len, id.data);

    return n > 1 && n < ID_MAX ? 0 : -1;
}

int
lp_erasure_receipt(char *receipt)
{
    unsigned char bytes[LP_RECEIPT_LEN / 2];
    unsigned      i;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        lp_say("OpenSSL has no random bytes");
        return -1;
    }
    for (i = 0; i < sizeof(bytes); i++) {
        snprintf(receipt + (size_t) 2 * i, 3, "%02x", bytes[i]);
    }
    return 0;
}

void
lp_erasure_add(lp_store_t *store, const char *kind, const char *receipt,
               const lp_erased_count_t *counts, unsigned n)
{
    lp_span_t words[7 + 2 * LP_ERASED_COUNTS] = {
        lp_span("XADD"),      lp_span(LP_ERASED),
        lp_span("*"),         lp_span("kind"),
        lp_span_of(kind),     lp_span("receipt"),
        lp_span_of(receipt),
    };
    char     numbers[LP_ERASED_COUNTS][NUMBER_MAX];
    unsigned i;

    for (i = 0; i < n && i < LP_ERASED_COUNTS; i++) {
        snprintf(numbers[i], NUMBER_MAX, "%" PRIu64, counts[i].n);
        words[7 + 2 * i] = lp_span_of(counts[i].name);
        words[8 + 2 * i] = lp_span_of(numbers[i]);
    }
    lp_store_add(store, (lp_words_t) {words, 7 + 2 * i});
}

int
lp_erasure_confirm(const lp_args_t *args, const char *question)
{
    FILE *terminal;
    char  answer[16] = "";
    int   rc;

    if (args->value[LP_OPT_YES] != NULL) {
        return LP_YES;
    }
    terminal = fopen("/dev/tty", "r+");
    if (terminal == NULL) {
        return lp_args_refuse(args, "nobody can be asked here; --yes says "
                                    "that it is meant");
    }
    fprintf(terminal, "%s Type yes: ", question);
    fflush(terminal);
    rc = fgets(answer, sizeof(answer), terminal) != NULL
                 && strcmp(answer, "yes\n") == 0
             ? LP_YES
             : LP_NO;
    fclose(terminal);
    if (rc != LP_YES) {
        lp_say("nothing was erased");
    }
    return rc;
}

int
lp_erasure_rewrite(lp_store_t *store, const lp_args_t *args)
{
    unsigned i;
    int      ok = 0, busy;

    if (args->value[LP_OPT_REWRITE] == NULL) {
        lp_say("the append-only file still holds what was erased, until it is "
               "rewritten: --rewrite, or BGREWRITEAOF");
        return LP_YES;
    }
    busy = rewriting(store, &ok);
    for (i = 0; i < PAUSES_MAX && busy == 1; i++) {
        usleep(PAUSE_US); /* one that began before would still hold it */
        busy = rewriting(store, &ok);
    }
    if (busy != 0
        || lp_store_ask(store, LP_WORDS(lp_span("BGREWRITEAOF"))) == NULL) {
        return lp_erasure_failed(store);
    }
    /* so are the last slow commands, with their arguments, in memory */
    (void) lp_store_ask(store, LP_WORDS(lp_span("SLOWLOG"),
                                        lp_span("RESET")));
    do {
        usleep(PAUSE_US);
        busy = rewriting(store, &ok);
    } while (i++ < PAUSES_MAX && busy == 1);
    if (busy != 0 || !ok) {
        lp_say("Redis could not rewrite its append-only file; look at its "
               "log, and send it BGREWRITEAOF");
        return LP_NO;
    }
    return LP_YES;
}

/* 1: the file is being rewritten, or will be; 0: not; -1: Redis failed. */
static int
rewriting(lp_store_t *store, int *ok)
{
    const redisReply *reply;
    lp_span_t         text;

    reply = lp_store_ask(store, LP_WORDS(lp_span("INFO"),
                                         lp_span("persistence")));
    text = lp_store_text(reply);
    if (text.data == NULL) {
        return -1;
    }
    *ok = strstr(text.data, "aof_last_bgrewrite_status:ok") != NULL;
    return strstr(text.data, "aof_rewrite_in_progress:1") != NULL
           || strstr(text.data, "aof_rewrite_scheduled:1") != NULL;
}
