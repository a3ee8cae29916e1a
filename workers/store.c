/*
 * The workers' connection to Redis. hiredis connects and parses; sending and
 * waiting are done here, because every wait has one deadline for a whole batch
 * (a reply that trickles must not hold a worker) and because writing to a
 * connection that Redis has closed must not raise SIGPIPE.
 *
 * Whatever is not a whole, well-formed batch of replies closes the connection:
 * after half a reply nobody knows which reply belongs to which question. A
 * connection that was closed takes its WATCH with it, so that a transaction
 * which was begun under that WATCH is not sent on the next one.
 *
 * A Redis that is away costs one timeout, not one per request: after a failure
 * the next attempt has to wait a little, up to BACKOFF_MAX_MS, and until then
 * every run fails at once. A connection that was closed while idle (a restart,
 * "timeout" in redis.conf) is seen before anything is written to it.
 */

#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BACKOFF_MIN_MS  50
#define BACKOFF_MAX_MS  1000
#define TIMEOUT_MS      1000  /* where the options say nothing */
#define PASSWORD_MAX    512
#define HOST_MAX        256
#define READ_SIZE       16384
#define KEPT_SIZE       (1 << 20) /* of the output, between two batches */
#define HEAD_MAX        24        /* "$<20 digits>\r\n" */
#define NO_EXEC         ((unsigned) -1)

struct lp_store_s {
    char              *address;
    char              *user;
    char              *password_file;
    int                timeout_ms;
    unsigned           replicas;

    redisContext      *context;  /* NULL: not connected */
    int64_t            retry_at; /* monotonic ms; not to connect before */
    int                backoff_ms;

    char              *out;      /* what was added and not sent */
    size_t             out_len;
    size_t             out_size;
    unsigned           added;    /* commands in out */
    unsigned           sent;     /* commands without a reply yet */
    unsigned           ours;     /* the first of them, not the caller's */
    lp_store_status_t  failed;   /* this batch, before it was sent */

    redisReply       **replies;
    unsigned           n_replies;
    unsigned           skipped;  /* of them, as ours were */
    unsigned           max_replies;
    lp_store_status_t  status;
    char               error[LP_STORE_ERROR_MAX];

    int                watches;  /* a WATCH is in force here */
    int                lost;     /* ... and its connection is gone */
    int                unwatch;  /* to be sent before anything else */
    unsigned           exec;     /* index of the last commit's EXEC */
};

static int64_t now_ms(void);
static int ready(lp_store_t *store);
static int connect_now(lp_store_t *store);
static redisContext *connect_to(const char *address, struct timeval timeout);
static redisContext *connect_host(const char *address,
                                  struct timeval timeout);
static int authenticate(lp_store_t *store);
static ssize_t read_password(const char *path, char *dst);
static int encode(lp_store_t *store, lp_words_t words);
static int reserve(lp_store_t *store, size_t more);
static char *put_head(char *p, char mark, size_t n);
static int send_out(lp_store_t *store, int64_t deadline);
static redisReply *next_reply(lp_store_t *store, int64_t deadline);
static int fill(lp_store_t *store, int64_t deadline);
static int await(int fd, short events, int64_t deadline);
static int keep(lp_store_t *store, redisReply *reply, unsigned at);
static void note_error(lp_store_t *store, const redisReply *reply);
static void drop_replies(lp_store_t *store);
static void break_off(lp_store_t *store);
static void back_off(lp_store_t *store);
static lp_store_status_t settle(lp_store_t *store, lp_store_status_t status);
static lp_store_status_t judge(lp_store_t *store, const redisReply *exec,
                               const redisReply *wait);

lp_store_t *
lp_store_create(const lp_store_options_t *options)
{
    lp_store_t *store;

    store = calloc(1, sizeof(lp_store_t));
    if (store == NULL) {
        return NULL;
    }

    store->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms
                                                : TIMEOUT_MS;
    store->replicas = options->replicas;
    store->exec = NO_EXEC;
    store->address = strdup(options->address);

    if (options->user != NULL) {
        store->user = strdup(options->user);
    }
    if (options->password_file != NULL) {
        store->password_file = strdup(options->password_file);
    }

    if (store->address == NULL
        || (options->user != NULL && store->user == NULL)
        || (options->password_file != NULL && store->password_file == NULL)) {
        lp_store_destroy(store);
        return NULL;
    }

    return store;
}

void
lp_store_destroy(lp_store_t *store)
{
    if (store == NULL) {
        return;
    }

    drop_replies(store);
    break_off(store);
    free(store->replies);
    free(store->out);
    free(store->address);
    free(store->user);
    free(store->password_file);
    free(store);
}

void
lp_store_add(lp_store_t *store, lp_words_t words)
{
    if (store->failed != LP_STORE_OK) {
        return;
    }

    if (store->added == 0 && store->sent == 0 && ready(store) != 0) {
        return;
    }

    if (words.n > 0 && lp_span_equal(words.list[0], lp_span("WATCH"))) {
        store->watches = 1;
        store->lost = 0;
    }

    if (encode(store, words) != 0) {
        break_off(store);
        store->failed = LP_STORE_DOWN;
        return;
    }

    store->added++;
}

lp_store_status_t
lp_store_send(lp_store_t *store)
{
    if (store->failed != LP_STORE_OK) {
        return settle(store, store->failed);
    }

    if (store->added == 0) {
        return LP_STORE_OK;
    }

    if (send_out(store, now_ms() + store->timeout_ms) != 0) {
        break_off(store);
        back_off(store);
        return settle(store, LP_STORE_DOWN);
    }

    store->sent += store->added;
    store->added = 0;
    store->status = LP_STORE_OK;

    return LP_STORE_OK;
}

lp_store_status_t
lp_store_receive(lp_store_t *store)
{
    lp_store_status_t status;
    redisReply       *reply;
    unsigned          i, n;
    int64_t           deadline;

    if (store->failed != LP_STORE_OK) {
        return settle(store, store->failed);
    }

    drop_replies(store);

    if (store->sent == 0) {
        return store->status;
    }

    store->error[0] = '\0';
    store->skipped = store->ours;
    store->ours = 0;
    deadline = now_ms() + store->timeout_ms;
    status = LP_STORE_OK;
    n = store->sent;

    for (i = 0; i < n; i++) {
        reply = next_reply(store, deadline);

        if (reply == NULL || keep(store, reply, i) != 0) {
            break_off(store);
            back_off(store);
            return settle(store, LP_STORE_DOWN);
        }

        if (reply->type == REDIS_REPLY_ERROR && i >= store->skipped) {
            note_error(store, reply);
            status = LP_STORE_REFUSED;
        }
    }

    store->sent = 0;
    store->backoff_ms = 0;
    store->status = status;

    return status;
}

lp_store_status_t
lp_store_run(lp_store_t *store)
{
    if (store->failed == LP_STORE_OK && store->added == 0
        && store->sent == 0) {
        drop_replies(store);
        store->status = LP_STORE_OK;
        return LP_STORE_OK;
    }

    if (lp_store_send(store) != LP_STORE_OK) {
        return store->status;
    }

    return lp_store_receive(store);
}

const redisReply *
lp_store_reply(const lp_store_t *store, unsigned i)
{
    /* compared so that no sum can overflow */
    if (store->n_replies < store->skipped
        || i >= store->n_replies - store->skipped) {
        return NULL;
    }

    return store->replies[store->skipped + i];
}

const redisReply *
lp_store_ask(lp_store_t *store, lp_words_t words)
{
    lp_store_add(store, words);

    if (lp_store_run(store) != LP_STORE_OK) {
        return NULL;
    }

    return lp_store_reply(store, 0);
}

lp_store_status_t
lp_store_status(const lp_store_t *store)
{
    return store->status;
}

const char *
lp_store_error(const lp_store_t *store)
{
    return store->error;
}

void
lp_store_begin(lp_store_t *store)
{
    if (store->failed == LP_STORE_OK && store->lost) {
        store->failed = LP_STORE_DOWN;
    }

    lp_store_add(store, LP_WORDS(lp_span("MULTI")));
}

lp_store_status_t
lp_store_commit(lp_store_t *store)
{
    char              count[HEAD_MAX], limit[HEAD_MAX];
    unsigned          exec;
    lp_store_status_t status;

    /* what was added but never begun under a connection that is gone */
    if (store->failed == LP_STORE_OK && store->lost) {
        store->failed = LP_STORE_DOWN;
    }

    exec = store->sent + store->added - store->ours;
    lp_store_add(store, LP_WORDS(lp_span("EXEC")));

    if (store->replicas > 0) {
        snprintf(count, sizeof(count), "%u", store->replicas);
        snprintf(limit, sizeof(limit), "%d", store->timeout_ms / 2 + 1);
        lp_store_add(store, LP_WORDS(lp_span("WAIT"), lp_span_of(count),
                                     lp_span_of(limit)));
    }

    status = lp_store_run(store);
    store->watches = 0;
    store->lost = 0;

    if (status == LP_STORE_DOWN) {
        return status;
    }

    status = judge(store, lp_store_reply(store, exec),
                   lp_store_reply(store, exec + 1));

    if (status == LP_STORE_OK) {
        store->exec = exec;
    }

    store->status = status;

    return status;
}

const redisReply *
lp_store_exec(const lp_store_t *store)
{
    return store->exec == NO_EXEC ? NULL : lp_store_reply(store, store->exec);
}

/* Costs no round trip: it goes before the next batch. */
void
lp_store_unwatch(lp_store_t *store)
{
    if (store->watches && store->context != NULL) {
        store->unwatch = 1;
    }

    store->watches = 0;
    store->lost = 0;
}

lp_span_t
lp_store_text(const redisReply *reply)
{
    if (reply == NULL
        || (reply->type != REDIS_REPLY_STRING
            && reply->type != REDIS_REPLY_STATUS)) {
        return (lp_span_t) {NULL, 0};
    }

    return (lp_span_t) {reply->str, (size_t) reply->len};
}

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * A batch begins: is there a connection, and is it whole? Nothing is expected
 * from Redis now, so that bytes to be read mean its end.
 */
static int
ready(lp_store_t *store)
{
    if (store->context != NULL && await(store->context->fd, POLLIN, 0) == 0) {
        store->lost |= store->watches;
        break_off(store);
    }

    if (store->context == NULL && connect_now(store) != 0) {
        return -1;
    }

    if (store->unwatch) {
        store->unwatch = 0;

        if (encode(store, LP_WORDS(lp_span("UNWATCH"))) != 0) {
            store->failed = LP_STORE_DOWN;
            return -1;
        }

        store->added++;
        store->ours = 1;
    }

    return 0;
}

/* Sets store->failed where it fails. */
static int
connect_now(lp_store_t *store)
{
    struct timeval timeout;

    if (now_ms() < store->retry_at) {
        store->failed = LP_STORE_DOWN;
        return -1;
    }

    timeout.tv_sec = store->timeout_ms / 1000;
    timeout.tv_usec = store->timeout_ms % 1000 * 1000;
    store->context = connect_to(store->address, timeout);

    if (store->context == NULL || store->context->err != 0) {
        store->failed = LP_STORE_DOWN;
    } else {
        (void) fcntl(store->context->fd, F_SETFD, FD_CLOEXEC);
        store->failed = LP_STORE_OK;

        if (authenticate(store) == 0) {
            return 0;
        }
    }

    break_off(store);
    back_off(store);

    return -1;
}

static redisContext *
connect_to(const char *address, struct timeval timeout)
{
    if (strncmp(address, "unix:", 5) == 0) {
        return redisConnectUnixWithTimeout(address + 5, timeout);
    }

    return connect_host(address, timeout);
}

/* "host:port" or "[::1]:port", split at the last colon. */
static redisContext *
connect_host(const char *address, struct timeval timeout)
{
    const char *colon;
    char        host[HOST_MAX], *end;
    size_t      len;
    long        port;

    colon = strrchr(address, ':');
    if (colon == NULL || colon == address) {
        return NULL;
    }

    len = (size_t) (colon - address);
    if (address[0] == '[' && len > 2 && address[len - 1] == ']') {
        address++;
        len -= 2;
    }

    port = strtol(colon + 1, &end, 10);
    if (len >= sizeof(host) || colon[1] < '0' || colon[1] > '9'
        || *end != '\0' || port < 1 || port > 65535) {
        return NULL;
    }

    memcpy(host, address, len);
    host[len] = '\0';

    return redisConnectWithTimeout(host, (int) port, timeout);
}

/* The file is read for each connection: a password may be changed. */
static int
authenticate(lp_store_t *store)
{
    char        password[PASSWORD_MAX];
    lp_span_t   word;
    ssize_t     len;
    redisReply *reply;
    int64_t     deadline;
    int         rc;

    if (store->password_file == NULL) {
        return 0;
    }

    store->failed = LP_STORE_DOWN;
    len = read_password(store->password_file, password);
    if (len < 0) {
        return -1;
    }

    word = (lp_span_t) {password, (size_t) len};
    rc = encode(store, store->user == NULL
                           ? LP_WORDS(lp_span("AUTH"), word)
                           : LP_WORDS(lp_span("AUTH"),
                                      lp_span_of(store->user), word));
    OPENSSL_cleanse(password, sizeof(password));

    deadline = now_ms() + store->timeout_ms;
    if (rc == 0) {
        rc = send_out(store, deadline);
    }
    if (store->out != NULL) {
        OPENSSL_cleanse(store->out, store->out_size);
    }

    reply = rc == 0 ? next_reply(store, deadline) : NULL;
    if (reply == NULL) {
        return -1;
    }

    if (reply->type == REDIS_REPLY_STATUS) {
        store->failed = LP_STORE_OK;
    } else if (reply->type == REDIS_REPLY_ERROR) {
        note_error(store, reply);
        store->failed = LP_STORE_REFUSED;
    }

    freeReplyObject(reply);

    return store->failed == LP_STORE_OK ? 0 : -1;
}

/* Without the newline at its end; -1: not readable, or too long. */
static ssize_t
read_password(const char *path, char *dst)
{
    ssize_t len;
    int     fd;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }

    len = read(fd, dst, PASSWORD_MAX);
    close(fd);

    if (len <= 0 || len == PASSWORD_MAX) {
        return -1;
    }

    return dst[len - 1] == '\n' ? len - 1 : len;
}

/* RESP: an array of counted strings. */
static int
encode(lp_store_t *store, lp_words_t words)
{
    char    *p;
    size_t   size;
    unsigned i;

    size = HEAD_MAX;
    for (i = 0; i < words.n; i++) {
        size += HEAD_MAX + words.list[i].len + 2;
    }

    if (reserve(store, size) != 0) {
        return -1;
    }

    p = put_head(store->out + store->out_len, '*', words.n);

    for (i = 0; i < words.n; i++) {
        p = put_head(p, '$', words.list[i].len);

        if (words.list[i].len > 0) {
            memcpy(p, words.list[i].data, words.list[i].len);
            p += words.list[i].len;
        }

        *p++ = '\r';
        *p++ = '\n';
    }

    store->out_len = (size_t) (p - store->out);

    return 0;
}

static int
reserve(lp_store_t *store, size_t more)
{
    size_t size;
    char  *grown;

    if (store->out_size - store->out_len >= more) {
        return 0;
    }

    size = store->out_size == 0 ? READ_SIZE : store->out_size;
    while (size - store->out_len < more) {
        size *= 2;
    }

    grown = realloc(store->out, size);
    if (grown == NULL) {
        return -1;
    }

    store->out = grown;
    store->out_size = size;

    return 0;
}

static char *
put_head(char *p, char mark, size_t n)
{
    char   digits[HEAD_MAX];
    size_t i;

    i = sizeof(digits);
    do {
        digits[--i] = (char) ('0' + n % 10);
        n /= 10;
    } while (n > 0);

    *p++ = mark;
    memcpy(p, digits + i, sizeof(digits) - i);
    p += sizeof(digits) - i;
    *p++ = '\r';
    *p++ = '\n';

    return p;
}

static int
send_out(lp_store_t *store, int64_t deadline)
{
    size_t  at;
    ssize_t n;
    int     fd;

    fd = store->context->fd;
    at = 0;

    while (at < store->out_len) {
        n = send(fd, store->out + at, store->out_len - at,
                 MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            at += (size_t) n;
        } else if (n < 0 && errno == EAGAIN) {
            if (await(fd, POLLOUT, deadline) != 0) {
                return -1;
            }
        } else if (n == 0 || errno != EINTR) {
            return -1;
        }
    }

    store->out_len = 0;

    if (store->out_size > KEPT_SIZE) {
        free(store->out);
        store->out = NULL;
        store->out_size = 0;
    }

    return 0;
}

static redisReply *
next_reply(lp_store_t *store, int64_t deadline)
{
    void *reply;

    for ( ;; ) {
        reply = NULL;

        if (redisReaderGetReply(store->context->reader, &reply) != REDIS_OK) {
            return NULL;
        }

        if (reply != NULL) {
            return reply;
        }

        if (fill(store, deadline) != 0) {
            return NULL;
        }
    }
}

static int
fill(lp_store_t *store, int64_t deadline)
{
    char    bytes[READ_SIZE];
    ssize_t n;

    for ( ;; ) {
        n = recv(store->context->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (n > 0) {
            return redisReaderFeed(store->context->reader, bytes, (size_t) n)
                           == REDIS_OK
                       ? 0 : -1;
        }

        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            return -1;
        }

        if (errno == EAGAIN
            && await(store->context->fd, POLLIN, deadline) != 0) {
            return -1;
        }
    }
}

/* 0: the socket is ready, or broken, which the next call on it will tell; 1:
   not before the deadline (0: now). */
static int
await(int fd, short events, int64_t deadline)
{
    struct pollfd one = {fd, events, 0};
    int64_t       left;
    int           n;

    do {
        left = deadline == 0 ? 0 : deadline - now_ms();
        n = poll(&one, 1, left > 0 ? (int) left : 0);
    } while (n < 0 && errno == EINTR);

    return n > 0 ? 0 : 1;
}

/* Frees reply where there is no room for it. */
static int
keep(lp_store_t *store, redisReply *reply, unsigned at)
{
    redisReply **grown;
    unsigned     max;

    if (at >= store->max_replies) {
        max = store->max_replies == 0 ? 32 : store->max_replies * 2;
        grown = realloc(store->replies, max * sizeof(redisReply *));

        if (grown == NULL) {
            freeReplyObject(reply);
            return -1;
        }

        store->replies = grown;
        store->max_replies = max;
    }

    store->replies[at] = reply;
    store->n_replies = at + 1;

    return 0;
}

/* Of several errors the first: EXECABORT says less than what it follows. */
static void
note_error(lp_store_t *store, const redisReply *reply)
{
    size_t n;

    if (store->error[0] != '\0') {
        return;
    }

    n = 0;
    while (n < (size_t) reply->len && n < sizeof(store->error) - 1
           && reply->str[n] >= 'A' && reply->str[n] <= 'Z') {
        store->error[n] = reply->str[n];
        n++;
    }

    store->error[n] = '\0';

    if (n == 0) {
        memcpy(store->error, "ERR", sizeof("ERR"));
    }
}

static void
drop_replies(lp_store_t *store)
{
    unsigned i;

    for (i = 0; i < store->n_replies; i++) {
        freeReplyObject(store->replies[i]);
    }

    store->n_replies = 0;
    store->skipped = 0;
    store->exec = NO_EXEC;
}

static void
break_off(lp_store_t *store)
{
    if (store->context != NULL) {
        redisFree(store->context);
        store->context = NULL;
    }

    store->out_len = 0;
    store->ours = 0;
    store->unwatch = 0;
    store->watches = 0;
}

static void
back_off(lp_store_t *store)
{
    store->backoff_ms *= 2;

    if (store->backoff_ms < BACKOFF_MIN_MS) {
        store->backoff_ms = BACKOFF_MIN_MS;
    } else if (store->backoff_ms > BACKOFF_MAX_MS) {
        store->backoff_ms = BACKOFF_MAX_MS;
    }

    store->retry_at = now_ms() + store->backoff_ms;
}

/* The batch is over, without replies. */
static lp_store_status_t
settle(lp_store_t *store, lp_store_status_t status)
{
    drop_replies(store);
    store->added = 0;
    store->sent = 0;
    store->out_len = 0;
    store->lost = 0;
    store->failed = LP_STORE_OK;
    store->status = status;

    return status;
}

/* What a transaction came to, all its replies being there. */
static lp_store_status_t
judge(lp_store_t *store, const redisReply *exec, const redisReply *wait)
{
    size_t i;

    if (exec != NULL && exec->type == REDIS_REPLY_NIL) {
        return LP_STORE_CONFLICT;
    }

    if (exec == NULL || exec->type != REDIS_REPLY_ARRAY) {
        return LP_STORE_REFUSED;
    }

    for (i = 0; i < exec->elements; i++) {
        if (exec->element[i]->type == REDIS_REPLY_ERROR) {
            note_error(store, exec->element[i]);
            return LP_STORE_REFUSED;
        }
    }

    if (store->replicas > 0
        && (wait == NULL || wait->type != REDIS_REPLY_INTEGER
            || wait->integer < (long long) store->replicas)) {
        return LP_STORE_DOWN;
    }

    return store->status;
}
